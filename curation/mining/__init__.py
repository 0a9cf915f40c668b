"""Hard-negative mining that keeps false negatives out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curation.mining.api import mine

__all__ = ["mine"]


def __getattr__(name: str) -> Any:
    """Import `mine` on first use: an import at module level would be circular through the settings."""
    if name == "mine":
        from curation.mining.api import mine

        return mine
    raise AttributeError(name)
