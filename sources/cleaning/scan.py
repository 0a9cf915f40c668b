"""Byte scan that selects the texts which an operation of `sources.cleaning` may change.

A mark means that a text may have the damage. A text without the mark does not have it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import U32
from sources.cleaning.marks import AMPERSAND, BACKSLASH, LESS_THAN, LINE_END, LOOK, SPACED, UNDERSCORE

_BYTES = np.zeros(256, np.uint32)
for _char, _bit in (
    ("&", AMPERSAND), ("<", LESS_THAN), ("\\", BACKSLASH), ("_", UNDERSCORE), ("\n", LINE_END),
    ("\r", LINE_END), ("@", SPACED),
):  # fmt: skip
    _BYTES[ord(_char)] = _bit
for _char in "`'-":
    _BYTES[ord(_char)] = LOOK
_SPACED_BYTES = _BYTES.copy()
_SPACED_BYTES[ord(" ")] = LOOK

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
    from sources.cleaning.scan_kernel import mark  # numba: a command that only asks never needs it

    marks = np.zeros(len(texts), np.uint32)
    _, offsets, data = texts.buffers()
    if len(texts) and data is not None:
        starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
        kinds = _SPACED_BYTES if spaced else _BYTES
        mark(starts, np.frombuffer(data, np.uint8), kinds, _AFTER, _BEFORE, _CONTINUES, marks)
    return marks
