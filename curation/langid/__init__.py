"""Language identification behind one function; which model answers is a setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curation.langid.identifier import Identifier
    from curation.langid.interface import IDENTIFIED_SCHEMA, backend, identify

__all__ = ["IDENTIFIED_SCHEMA", "Identifier", "backend", "identify"]


def __getattr__(name: str) -> object:
    """Load the identifiers when they are asked for: whoever asks for codes or for help has no need of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from curation.langid import identifier, interface

    return getattr(identifier if name == "Identifier" else interface, name)
