"""Hashed character n-gram features of texts, read from Arrow's buffers, for the bundled model.

A text is read as lower-case letters, marks, apostrophes and single spaces; all other characters (digits, punctuation,
symbols) become spaces. The features are all whole words, and the n-grams of one to `ORDERS` characters without a space
inside; a space at either end of an n-gram marks the start or the end of a word. At most `CHARACTERS` characters of a
text are read.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np

from open_ml_embed.core.array_types import I64, U8, U32, Integer
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.splitmix import GOLDEN
from open_ml_embed.core.text.tokens import decode

ORDERS = 5
CHARACTERS = 384
"""Characters read of a text, about two sentences; fewer are usually enough to identify the language."""
MOST = CHARACTERS * (ORDERS + 1)
"""Features of a text, at most."""
_TABLE = 0x20000
_SPACE = 0x20
_APOSTROPHES = "'\u2019\u02bc\u02bb\u2018`\u00b4"


@cache
def folding() -> U32:
    """Return the character that each code point of the first two planes is read as, uint32[0x20000]."""
    table = np.full(_TABLE, _SPACE, np.uint32)
    for point in range(_TABLE):
        char = chr(point)
        if unicodedata.category(char)[0] in "LM":
            lower = char.lower()
            table[point] = ord(lower) if len(lower) == 1 else point
    for char in _APOSTROPHES:
        table[ord(char)] = ord("'")
    return table


@njit(nogil=True, inline="always")
def read(data: U8, start: Integer, end: Integer, table: U32, points: U32) -> int:
    """Write the characters of one text to `points` (uint32), with a space at both ends; return their number."""
    points[0] = _SPACE
    count = 1
    i = start
    while i < end and count < CHARACTERS - 1:
        point, width = decode(data, i, end)
        i += width
        char = table[point] if point < _TABLE else np.uint32(point)
        if char == _SPACE and points[count - 1] == _SPACE:
            continue
        points[count] = char
        count += 1
    if points[count - 1] != _SPACE:
        points[count] = _SPACE
        count += 1
    return count


@njit(nogil=True, inline="always")
def hashed(points: U32, count: int, mask: np.uint64, ids: I64) -> int:
    """Write the hashed features of `points[:count]` to `ids` (int64, from 0 to `mask`); return their number."""
    prime, golden = np.uint64(0x100000001B3), np.uint64(GOLDEN)
    used = 0
    word = np.uint64(0)
    for i in range(count):
        char = np.uint64(points[i])
        if char == _SPACE:
            if i and word:
                ids[used] = np.int64(((word * golden) >> np.uint64(29)) & mask)
                used += 1
            word = np.uint64(0)
        else:
            word = (word + char + np.uint64(1)) * prime
        key = np.uint64(0xCBF29CE484222325)
        for order in range(min(ORDERS, count - i)):
            char = np.uint64(points[i + order])
            key = (key ^ char) * prime
            if order or char != _SPACE:
                mixed = key * golden
                ids[used] = np.int64((mixed ^ (mixed >> np.uint64(32))) & mask)
                used += 1
            if order and char == _SPACE:
                break
    return used
