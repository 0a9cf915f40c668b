"""What a language identifier is; backends implement it, the interface chooses one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa

UNDETERMINED = "und"
"""The code of a text that a model will not name."""

ALTERNATIVE = pa.struct([pa.field("code", pa.string()), pa.field("confidence", pa.float32())])
ALTERNATIVES = pa.list_(ALTERNATIVE)


class Identifier(Protocol):
    """A loaded model. Models do not pickle: one is made in each worker.

    Codes are ISO 639-3 as the model means them, folded by nobody; `und` for a label that `codes.py` refuses.
    """

    @property
    def claimed(self) -> frozenset[str]:
        """The languages that the model can answer, `und` and `zxx` left out."""

    def codes(self, texts: pa.StringArray) -> tuple[list[str], list[float]]:
        """Return an ISO 639-3 code (or `und`) and a confidence from 0 to 1 for each text."""

    def top(self, texts: pa.StringArray, k: int) -> pa.ListArray:
        """Return up to `k` answers for each text (at least one), the best first: `ALTERNATIVES`, n."""


def list_array(rows: Sequence[Sequence[tuple[str, float]]]) -> pa.ListArray:
    """Return n rows of (code, confidence) as `ALTERNATIVES`."""
    flat = [pair for row in rows for pair in row]
    arrays = [pa.array([code for code, _ in flat], pa.string()), pa.array([c for _, c in flat], pa.float32())]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int32)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(arrays, fields=list(ALTERNATIVE)))
