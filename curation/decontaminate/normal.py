"""What is not looked at when two texts are compared as wholes, and how long a text is."""

from __future__ import annotations

import sys
import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.decontaminate.kernels import I32
from curation.decontaminate.units import TENTHS, U8
from curation.text.tokens import Tokens

_SAYING = frozenset("#%&*@/\\")
"""Punctuation that may be a part of a name (`C#`, `50 %`, `*args`)."""


def without_outer_punctuation(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Strip white space, quotation marks, brackets and stops from both ends of every text.

    >>> without_outer_punctuation(pa.array(["“Who wrote it?”", "¿Qué?", "in C#", "3 - 5", None])).to_pylist()
    ['Who wrote it', 'Qué', 'in C#', '3 - 5', None]

    """
    return pc.utf8_trim(texts, _stripped())


@cache
def _stripped() -> str:
    kinds = {"Pi", "Pf", "Ps", "Pe", "Po", "Zs", "Zl", "Zp"}
    found = [chr(point) for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)) in kinds]
    return "".join(c for c in found if c not in _SAYING) + "\t\n\r\v\f"


def words_of(tokens: Tokens, scale: U8) -> I32:
    """Return the length of every text in tenths of a word, int32[n]."""
    sums = np.concatenate([[0], np.cumsum(TENTHS[scale], dtype=np.int64)])
    return np.diff(sums[tokens.offsets]).astype(np.int32)
