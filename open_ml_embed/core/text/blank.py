"""Detection of blank texts: empty ones, and those of white space and invisible characters only.

All packages use these functions to decide whether a text is empty, so a zero-width space counts as empty everywhere.
Texts that are not blank keep their invisible characters: joiners and direction marks are part of the spelling.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import Mask, Offsets

DEFAULT_IGNORABLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
"""Ranges of Unicode's property Default_Ignorable_Code_Point (DerivedCoreProperties.txt), which Python lacks: soft
hyphen, grapheme joiner, direction marks, Hangul fillers, zero-width spaces and joiners, word joiner, invisible
operators, variation selectors, byte-order mark, tags."""
_OTHER_INVISIBLE = (0x2800, 0xFFF9, 0xFFFA, 0xFFFB, 0x1D159)
"""Blank Braille cell, the three interlinear annotation marks, null notehead."""
_TABLE = 0x20000
_TAGS = DEFAULT_IGNORABLE[-1]


def blank(texts: pa.Array) -> pa.BooleanArray:
    r"""Tell which texts are blank; a null is blank.

    Args:
        texts: string or large_string array of n texts.

    Returns:
        bool[n], no nulls.

    >>> blank(pa.array(["", None, " \u200b\n", "\u3164", "a\u200b"])).to_pylist()
    [True, True, True, True, False]

    """
    from open_ml_embed.core.text.blank_kernel import find_blank  # numba: a command that only asks never needs it

    result = np.ones(len(texts), bool)
    _, offsets, data = texts.buffers()
    if len(texts) and data is not None:
        large = pa.types.is_large_string(texts.type)
        starts: Offsets = np.frombuffer(offsets, np.int64) if large else np.frombuffer(offsets, np.int32)
        window = slice(texts.offset, texts.offset + len(texts) + 1)
        find_blank(starts[window], np.frombuffer(data, np.uint8), _invisible(), result)
        if texts.null_count:
            result |= texts.is_null().to_numpy(zero_copy_only=False)
    return pa.array(result)


def is_blank(text: str) -> bool:
    """Tell whether one text is blank."""
    invisible = _invisible()
    return all(invisible[ord(char)] if ord(char) < _TABLE else _TAGS[0] <= ord(char) <= _TAGS[1] for char in text)


@cache
def _invisible() -> Mask:
    """Return which code points below 0x20000 are invisible (bool[0x20000]); above them, only the tags are."""
    table = np.zeros(_TABLE, bool)
    for first, last in DEFAULT_IGNORABLE[:-1]:
        table[first : last + 1] = True
    table[list(_OTHER_INVISIBLE)] = True
    table[[p for p in range(_TABLE) if chr(p).isspace() or unicodedata.category(chr(p)) == "Cc"]] = True
    return table
