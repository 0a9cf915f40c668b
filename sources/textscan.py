"""Byte scan that selects the texts which the normalization of `sources.text` may change."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import I32, U8, Flag
from open_ml_embed.core.compiled import int64, njit

CLEAN, COMPOSING, SUSPECT = 0, 1, 2
"""Verdicts on a text: nothing to do; only NFC may change it; other rules may change it."""

_TABLE = 0x20000
_PLAIN, _MARK, _BLANK, _ODD = 0, 1, 2, 3
_OTHER_SPACES = (0x2000, 0x2001)
"""EN QUAD and EM QUAD, white space that NFC replaces by EN SPACE and EM SPACE."""


def scanned(texts: pa.StringArray, *, code: bool) -> U8:
    """Return a verdict on each text: `CLEAN`, `COMPOSING` or `SUSPECT`.

    Args:
        texts: string array of n texts; nulls are clean.
        code: the texts are program text, in which tabs and runs of spaces are allowed.

    Returns:
        uint8[n].

    """
    verdicts = np.zeros(len(texts), np.uint8)
    _, offsets, data = texts.buffers()
    if len(texts) and data is not None:
        starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
        _scan(starts, np.frombuffer(data, np.uint8), _kinds(), code, verdicts)
    return verdicts


@cache
def _kinds() -> U8:
    """Return the kind of every code point of the first two planes (uint8[0x20000]).

    `_ODD` are the controls, the byte-order mark and two spaces. `_MARK` are the code points that NFC may compose with
    the previous one, reorder, or replace (Unicode Standard Annex 15, section 9, quick check "no" and "maybe").
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
    kinds[0x1160:0x1200] = _MARK  # Hangul vowels and final consonants, which are composed algorithmically
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
                i += 1  # fast path: most bytes of most texts
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
                # The indentation of a line, unless the line is blank.
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
    """Return the code point at i and its width in bytes; Arrow's strings are valid UTF-8."""
    if first < 0x80:
        return first, 1
    if first < 0xE0:
        return ((first & 31) << 6) | (int64(data[i + 1]) & 63), 2
    if first < 0xF0:
        return ((first & 15) << 12) | ((int64(data[i + 1]) & 63) << 6) | (int64(data[i + 2]) & 63), 3
    middle = ((int64(data[i + 1]) & 63) << 12) | ((int64(data[i + 2]) & 63) << 6)
    return ((first & 7) << 18) | middle | (int64(data[i + 3]) & 63), 4
