"""What a language identifier is; backends implement it, the interface chooses one."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

UNDETERMINED = "und"
"""The code of a text that a model will not name."""


class Identifier(Protocol):
    """A loaded model. Models do not pickle: one is made in each worker."""

    def codes(self, texts: pa.StringArray) -> tuple[list[str], list[float]]:
        """Return an ISO 639-3 code (or `und`) and a confidence from 0 to 1 for each text."""
