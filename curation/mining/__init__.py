"""Hard negatives that are not positives in disguise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curation.mining.api import mine

__all__ = ["mine"]


def __getattr__(name: str) -> Any:
    """Import `mine` when it is asked for: the settings import a part of this package, and it imports them."""
    if name == "mine":
        from curation.mining.api import mine

        return mine
    raise AttributeError(name)
