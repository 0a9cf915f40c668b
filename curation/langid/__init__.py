"""Language identification: one function, with the model chosen by a setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curation.langid.identifier import Identifier
    from curation.langid.interface import IDENTIFIED_SCHEMA, backend, identify

__all__ = ["IDENTIFIED_SCHEMA", "Identifier", "backend", "identify"]


def __getattr__(name: str) -> object:
    """Import the identifiers on first use, since language codes and the command line's help do not need them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from curation.langid import identifier, interface

    return getattr(identifier if name == "Identifier" else interface, name)
