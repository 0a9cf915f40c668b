"""A look at the bytes of texts: which of them may not be in the normal form of `sources.text`."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import I32, U8, Flag
from open_ml_embed.core.compiled import int64, njit

CLEAN, COMPOSING, SUSPECT = 0, 1, 2
"""Nothing to do; only NFC may change it; something else is there to change."""

_TABLE = 0x20000
_PLAIN, _MARK, _BLANK, _ODD = 0, 1, 2, 3
_OTHER_SPACES = (0x2000, 0x2001)
"""EN QUAD and EM QUAD: white space that NFC writes as EN SPACE and EM SPACE."""


def scanned(texts: pa.StringArray, *, code: bool) -> U8:
    """Return a verdict on each text (uint8, n); nulls are clean.

    Args:
        texts: string array of n texts.
        code: tabs and runs of spaces are as they should be.

    """
    verdicts = np.zeros(len(texts), np.uint8)
    _, offsets, data = texts.buffers()
    if len(texts) and data is not None:
        places = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
        _scan(places, np.frombuffer(data, np.uint8), _kinds(), code, verdicts)
    return verdicts


@cache
def _kinds() -> U8:
    """Return the kind of every code point of the first two planes.

    Odd are the controls, the byte-order mark and two spaces; marks are what NFC may join to something before, or put in
    another order, or change by itself (Unicode Standard Annex 15, section 9, quick check "no" and "maybe").
    """
    kinds = np.zeros(_TABLE, np.uint8)
    for point in range(_TABLE):
        char = chr(point)
        if 0xD800 <= point < 0xE000:
            continue
        decomposed = unicodedata.decomposition(char)
        if decomposed and not decomposed.startswith("<"):
            for second in decomposed.split()[1:]:
                kinds[int(second, 16)] = _MARK
            if not unicodedata.is_normalized("NFC", char):
                kinds[point] = _MARK
        if unicodedata.combining(char):
            kinds[point] = _MARK
    kinds[0x1160:0x1200] = _MARK  # Hangul vowels and final consonants, which are composed by rule
    kinds[[point for point in range(_TABLE) if chr(point).isspace()]] = _BLANK
    kinds[[*range(0x20), *range(0x7F, 0xA0), 0xFEFF, *_OTHER_SPACES]] = _ODD
    kinds[[0x09, 0x0A]] = _BLANK
    return kinds


@njit(nogil=True)
def _scan(offsets: I32, data: U8, kinds: U8, code: Flag, verdicts: U8) -> None:
    for row in range(len(verdicts)):
        verdict = CLEAN
        start, end = offsets[row], offsets[row + 1]
        i = start
        while i < end:
            first = int64(data[i])
            if 0x20 < first < 0x7F or (first == 0x20 and start < i < end - 1 and data[i + 1] > 0x20):
                i += 1  # most bytes of most texts
                continue
            at = i
            point, width = _decoded(data, i, first)
            i += width
            kind = kinds[point] if point < _TABLE else _MARK
            if kind == _PLAIN:
                continue
            if kind == _MARK:
                verdict = COMPOSING
                continue
            indents = point == 0x20 or point == 0x09  # noqa: PLR1714 (compiled, `in` is a loop over the tuple)
            if not code and indents and at > start and data[at - 1] == 0x0A:
                # The indentation of a line, unless nothing follows it.
                while i < end and _is_blank(data[i]):
                    i += 1
                if i < end and data[i] != 0x0A:
                    continue
                verdict = SUSPECT
                break
            run = not code and (point == 0x09 or (point == 0x20 and i < end and _is_blank(data[i])))
            if kind == _ODD or at == start or i >= end or run:
                verdict = SUSPECT
                break
        verdicts[row] = verdict


@njit(nogil=True, inline="always")
def _is_blank(byte: int) -> bool:
    return byte == 0x20 or byte == 0x09  # noqa: PLR1714 (likewise)


@njit(nogil=True, inline="always")
def _decoded(data: U8, i: int, first: int) -> tuple[int, int]:
    """Return the code point that starts at i, and its width; Arrow's strings are valid UTF-8."""
    if first < 0x80:
        return first, 1
    if first < 0xE0:
        return ((first & 31) << 6) | (int64(data[i + 1]) & 63), 2
    if first < 0xF0:
        return ((first & 15) << 12) | ((int64(data[i + 1]) & 63) << 6) | (int64(data[i + 2]) & 63), 3
    middle = ((int64(data[i + 1]) & 63) << 12) | ((int64(data[i + 2]) & 63) << 6)
    return ((first & 7) << 18) | middle | (int64(data[i + 3]) & 63), 4
