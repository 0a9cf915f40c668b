"""The compiled loop of `sources.cleaning.scan`."""

from __future__ import annotations

import numpy as np

from open_ml_embed.core.array_types import I32, U8, U32, Mask
from open_ml_embed.core.compiled import int64, njit, uint32
from sources.cleaning.marks import BRACKET, INVISIBLE, LOOK, MOJIBAKE, REPLACEMENT, SPACED, TREEBANK


@njit(nogil=True)
def mark(  # noqa: PLR0912 (one branch per length of a character)
    offsets: I32, data: U8, kinds: U32, after: Mask, before: Mask, continues: Mask, marks: U32
) -> None:
    """Set the marks of each text; the arguments after `data` are the tables of `sources.cleaning.scan`."""
    for row in range(len(marks)):
        start, end = offsets[row], offsets[row + 1]
        flags = uint32(0)
        at = start
        while at < end and data[at] <= 0x20:
            at += 1
        if at < end and data[at] == 0x5B:
            flags |= uint32(BRACKET)
        i = start
        while i < end:
            byte = data[i]
            if byte < 0x80:
                kind = kinds[byte]
                if kind == 0:
                    i += 1  # fast path: most bytes of most texts
                    continue
                if kind != uint32(LOOK):
                    flags |= kind
                elif byte == 0x20:
                    if (
                        (i + 1 < end and after[data[i + 1]])
                        or (i + 2 < end and data[i + 1] == 0x6E and (data[i + 2] == 0x27 or data[i + 2] == 0xE2))  # n't
                        or (i > start and before[data[i - 1]])
                        or (i > start + 1 and data[i - 2] == 0xC2)
                        or (i > start + 2 and data[i - 3] == 0xE2)
                    ):
                        flags |= uint32(SPACED)
                # ``, '' or --, or the beginning of -LRB- or -RRB-.
                elif i + 1 < end and (
                    data[i + 1] == byte or (byte == 0x2D and (data[i + 1] == 0x4C or data[i + 1] == 0x52))
                ):
                    flags |= uint32(TREEBANK)
                i += 1
            elif 0xC2 <= byte <= 0xC3:
                flags |= _latin(data, i, end, continues)
                i += 2
            elif byte < 0xE0:
                # The Arabic letter mark, the only invisible character of two bytes here.
                if byte == 0xD8 and data[i + 1] == 0x9C:
                    flags |= uint32(INVISIBLE)
                i += 2
            elif byte < 0xF0:
                second, third = data[i + 1], data[i + 2]
                if (
                    (byte == 0xE2 and second == 0x80 and (0x8B <= third <= 0x8F or 0xAA <= third <= 0xAE))
                    or (byte == 0xE2 and second == 0x81 and third >= 0xA0)
                    or byte == 0xEE
                    or (byte == 0xEF and (second < 0xA4 or (second == 0xBB and third == 0xBF)))
                    or (byte == 0xE1 and second == 0xA0 and third == 0x8E)
                ):
                    flags |= uint32(INVISIBLE)
                elif byte == 0xEF and second == 0xBF and third == 0xBD:
                    flags |= uint32(REPLACEMENT)
                i += 3
            else:
                if byte == 0xF4 or (byte == 0xF3 and data[i + 1] >= 0xB0):  # the private-use planes
                    flags |= uint32(INVISIBLE)
                i += 4
        marks[row] = flags


@njit(nogil=True, inline="always")
def _latin(data: U8, i: int, end: int, continues: Mask) -> np.uint32:  # noqa: PLR0911 (early exits)
    """Return the marks of a character from U+0080 to U+00FF at position i."""
    point = ((int64(data[i]) & 31) << 6) | (int64(data[i + 1]) & 63)
    if point < 0xA0:
        return uint32(MOJIBAKE)
    if point == 0xAD:
        return uint32(INVISIBLE)
    if point < 0xC2 or point > 0xF4:
        return uint32(0)
    needed = 1 if point < 0xE0 else (2 if point < 0xF0 else 3)
    at = i + 2
    for _ in range(needed):
        if at >= end:
            return uint32(0)
        first = int64(data[at])
        if first < 0xC2 or first >= 0xF0:
            return uint32(0)
        if first < 0xE0:
            following = ((first & 31) << 6) | (int64(data[at + 1]) & 63)
            at += 2
        else:
            following = ((first & 15) << 12) | ((int64(data[at + 1]) & 63) << 6) | (int64(data[at + 2]) & 63)
            at += 3
        if following >= len(continues) or not continues[following]:
            return uint32(0)
    return uint32(MOJIBAKE)
