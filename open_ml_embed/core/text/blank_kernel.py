"""The compiled loop of `open_ml_embed.core.text.blank`."""

from __future__ import annotations

from open_ml_embed.core.array_types import U8, Mask, Offsets
from open_ml_embed.core.compiled import int64, njit


@njit(nogil=True)
def find_blank(offsets: Offsets, data: U8, invisible: Mask, result: Mask) -> None:
    """Set `result` to false for texts with a visible character; the texts are valid UTF-8, as Arrow's strings are."""
    for row in range(len(result)):
        i, end = offsets[row], offsets[row + 1]
        while i < end:
            point, width = int64(data[i]), 1
            if point >= 0x80:
                width = 2 if point < 0xE0 else 3 if point < 0xF0 else 4
                point &= 0x7F >> width
                for k in range(1, width):
                    point = (point << 6) | (int64(data[i + k]) & 63)
            if not (invisible[point] if point < len(invisible) else 0xE0000 <= point < 0xE1000):
                result[row] = False
                break
            i += width
