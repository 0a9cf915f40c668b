"""Comparison of whole texts without their outer punctuation, and the length of a text in words."""

from __future__ import annotations

import sys
import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.decontamination.word_units import TENTHS
from open_ml_embed.core.array_types import I32, U8
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.text.folding import folded, left_out
from open_ml_embed.core.text.tokens import Tokens

_NAME_PUNCTUATION = frozenset("#%&*@/\\")
"""Punctuation that may be part of a name (`C#`, `50 %`, `*args`), and is therefore not stripped."""


def without_outer_punctuation(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Strip white space, quotes, brackets, stops and characters that folding drops from both ends of each text.

    A character is stripped if the characters it folds to are: a full-width quotation mark is, a full-width `＃` is not.

    >>> without_outer_punctuation(pa.array(["“Who wrote it?”", "¿Qué?", "in C#", "3 - 5", "＂Ｃ＃．＂"])).to_pylist()
    ['Who wrote it', 'Qué', 'in C#', '3 - 5', 'Ｃ＃']

    """
    return pc.utf8_trim(texts, _stripped())


@cache
def _stripped() -> str:
    kinds = {"Pi", "Pf", "Ps", "Pe", "Po", "Zs", "Zl", "Zp"}
    chars = [chr(point) for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)) in kinds]
    plain = frozenset(char for char in chars if folded(char) == char and char not in _NAME_PUNCTUATION) | frozenset(
        " \t\n\r\v\f"
    )
    return "".join([*plain, *filter(lambda char: plain.issuperset(folded(char)), chars), *map(chr, left_out())])


def words_of(tokens: Tokens, scale: U8) -> I32:
    """Return the length of every text in tenths of a word, int32[n]."""
    sums = offsets_of(TENTHS[scale])
    return np.diff(sums[tokens.offsets]).astype(np.int32)
