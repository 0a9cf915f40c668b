"""The commonest script of a text, as ISO 15924, by Unicode's own script property."""

from __future__ import annotations

from functools import cache

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.text.tokens import decode, string_buffers

COMMON = "Zyyy"
_RANGES = {
    "Latn": [(0x41, 0x5A), (0x61, 0x7A), (0xAA, 0xAA), (0xBA, 0xBA), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x2B8),
             (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA722, 0xA7FF), (0xFB00, 0xFB06), (0xFF21, 0xFF5A)],
    "Grek": [(0x370, 0x3FF), (0x1F00, 0x1FFF)], "Cyrl": [(0x400, 0x52F), (0x1C80, 0x1C8F), (0xA640, 0xA69F)],
    "Armn": [(0x531, 0x58F)], "Hebr": [(0x591, 0x5F4)], "Syrc": [(0x700, 0x74F)], "Thaa": [(0x780, 0x7BF)],
    "Arab": [(0x600, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFF)],
    "Nkoo": [(0x7C0, 0x7FF)], "Deva": [(0x900, 0x97F), (0xA8E0, 0xA8FF)], "Beng": [(0x980, 0x9FF)],
    "Guru": [(0xA00, 0xA7F)], "Gujr": [(0xA80, 0xAFF)], "Orya": [(0xB00, 0xB7F)], "Taml": [(0xB80, 0xBFF)],
    "Telu": [(0xC00, 0xC7F)], "Knda": [(0xC80, 0xCFF)], "Mlym": [(0xD00, 0xD7F)], "Sinh": [(0xD80, 0xDFF)],
    "Thai": [(0xE00, 0xE7F)], "Laoo": [(0xE80, 0xEFF)], "Tibt": [(0xF00, 0xFFF)],
    "Mymr": [(0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)], "Geor": [(0x10A0, 0x10FF), (0x1C90, 0x1CBF)],
    "Hang": [(0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF)],
    "Ethi": [(0x1200, 0x139F), (0x2D80, 0x2DDF), (0xAB00, 0xAB2F)], "Cher": [(0x13A0, 0x13FF), (0xAB70, 0xABBF)],
    "Cans": [(0x1400, 0x167F)], "Khmr": [(0x1780, 0x17FF)], "Mong": [(0x1800, 0x18AF)],
    "Limb": [(0x1900, 0x194F)], "Bugi": [(0x1A00, 0x1A1F)], "Bali": [(0x1B00, 0x1B7F)], "Sund": [(0x1B80, 0x1BBF)],
    "Olck": [(0x1C50, 0x1C7F)], "Tfng": [(0x2D30, 0x2D7F)], "Glag": [(0x2C00, 0x2C5F)],
    "Hira": [(0x3041, 0x309F)], "Kana": [(0x30A0, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)],
    "Bopo": [(0x3100, 0x312F)], "Yiii": [(0xA000, 0xA4CF)], "Java": [(0xA980, 0xA9DF)], "Mtei": [(0xABC0, 0xABFF)],
    "Hani": [(0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)], "Goth": [(0x10330, 0x1034F)],
    "Adlm": [(0x1E900, 0x1E95F)],
}  # fmt: skip
_NAMES = [COMMON, *_RANGES, "Jpan", "Kore"]


@cache
def _table() -> npt.NDArray[np.uint8]:
    table = np.zeros(0x20000, np.uint8)
    for number, ranges in enumerate(_RANGES.values(), start=1):
        for first, last in ranges:
            table[first : last + 1] = number
    return table


def scripts_of(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the commonest script of each text (string array); `Zyyy` where there are no letters.

    Kana anywhere makes `Jpan`, hangul with or without Han `Kore`; Han alone stays `Hani`, since telling Hans
    from Hant takes more than code points.

    >>> scripts_of(pa.array(["hello", "привет", "漢字", "漢字です", "42"])).to_pylist()
    ['Latn', 'Cyrl', 'Hani', 'Jpan', 'Zyyy']
    """
    offsets, data = string_buffers(texts)
    kana = (_NAMES.index("Hira"), _NAMES.index("Kana"))
    index = _commonest(offsets, data, _table(), len(_NAMES), _NAMES.index("Hani"), *kana, _NAMES.index("Hang"))
    return pa.DictionaryArray.from_arrays(pa.array(index), pa.array(_NAMES)).cast(pa.string())


@nb.njit(cache=True)
def _commonest(offsets, data, table, names, han, hira, kana, hangul):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    result = np.zeros(len(offsets) - 1, np.int32)
    counts = np.zeros(names, np.int64)
    for row in range(len(offsets) - 1):
        counts[:] = 0
        i, end = offsets[row], offsets[row + 1]
        while i < end:
            point, width = decode(data, i, end)
            i += width
            if point < len(table):
                counts[table[point]] += 1
            elif point < 0x40000:
                counts[han] += 1
        counts[0] = 0
        best = np.argmax(counts)
        if counts[best] == 0:
            result[row] = 0
        elif best in (han, hira, kana) and counts[hira] + counts[kana]:
            result[row] = names - 2
        elif best in (han, hangul) and counts[hangul]:
            result[row] = names - 1
        else:
            result[row] = best
    return result
