"""Byte scan that selects the texts which an operation of `sources.cleaning` may change.

A mark means that a text may have the damage. A text without the mark does not have it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import I32, U8, U32, Mask
from open_ml_embed.core.compiled import int64, njit, uint32

AMPERSAND = 1
LESS_THAN = 2
BACKSLASH = 4
UNDERSCORE = 8
BRACKET = 16
"""The text begins with an opening bracket."""
LINE_END = 32
TREEBANK = 64
"""Two consecutive grave accents, apostrophes or hyphens, or `-L` or `-R`."""
MOJIBAKE = 128
"""A C1 control, or a sequence of characters that looks like the wrongly decoded bytes of one UTF-8 character."""
INVISIBLE = 256
REPLACEMENT = 512
"""U+FFFD."""
SPACED = 1024
"""A blank before possible punctuation or a combining sign, or after an opening mark; or a joined hyphen (`@-@`)."""

_BYTES = np.zeros(256, np.uint32)
for _char, _bit in (
    ("&", AMPERSAND), ("<", LESS_THAN), ("\\", BACKSLASH), ("_", UNDERSCORE), ("\n", LINE_END),
    ("\r", LINE_END), ("@", SPACED),
):  # fmt: skip
    _BYTES[ord(_char)] = _bit
_LOOK = 1 << 31
"""Not a mark: the byte may begin a marked sequence, so the next bytes have to be checked."""
for _char in "`'-":
    _BYTES[ord(_char)] = _LOOK
_SPACED_BYTES = _BYTES.copy()
_SPACED_BYTES[ord(" ")] = _LOOK

_AFTER = np.zeros(256, np.bool_)
_AFTER[[ord(char) for char in ".,!?;:)]}\"'"]] = True
# First bytes of marks and signs beyond Latin-1; few words in Latin, Greek, Cyrillic, Armenian and Hebrew begin so.
_AFTER[[0xC2, 0xCC, 0xCD, *range(0xD6, 0x100)]] = True
_BEFORE = np.zeros(256, np.bool_)
_BEFORE[[ord(char) for char in "([{\"'$"]] = True

_CONTINUING = frozenset(range(0x80, 0xC0)) | {
    ord(bytes([byte]).decode("cp1252")) for byte in range(0x80, 0xA0) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
"""UTF-8 continuation bytes as code points, when decoded as Latin-1 or Windows-1252."""
_CONTINUES = np.zeros(0x2200, np.bool_)
_CONTINUES[sorted(_CONTINUING)] = True


def marks_of(texts: pa.StringArray, *, spaced: bool = True) -> U32:
    """Return the marks of each text as bit flags.

    Args:
        texts: string array of n texts; nulls have no marks.
        spaced: also detect `SPACED`, which takes as long as all other marks together.

    Returns:
        uint32[n].

    """
    marks = np.zeros(len(texts), np.uint32)
    _, offsets, data = texts.buffers()
    if len(texts) and data is not None:
        starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
        kinds = _SPACED_BYTES if spaced else _BYTES
        _mark(starts, np.frombuffer(data, np.uint8), kinds, _AFTER, _BEFORE, _CONTINUES, marks)
    return marks


@njit(nogil=True)
def _mark(  # noqa: PLR0912 (one branch per length of a character)
    offsets: I32, data: U8, kinds: U32, after: Mask, before: Mask, continues: Mask, marks: U32
) -> None:
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
                if kind != uint32(_LOOK):
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
