"""The compiled loop of `sources.textscan`."""

from __future__ import annotations

from open_ml_embed.core.array_types import I32, U8, Flag
from open_ml_embed.core.compiled import int64, njit
from sources.textkinds import CLEAN, COMPOSING, MARK, ODD, PLAIN, SUSPECT, TABLE


@njit(nogil=True)
def scan(offsets: I32, data: U8, kinds: U8, code: Flag, verdicts: U8) -> None:
    """Set the verdict on each text; `kinds` is the table of `sources.textscan`."""
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
            kind = kinds[point] if point < TABLE else MARK
            if kind == PLAIN:
                continue
            if kind == MARK:
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
            if kind == ODD or at == start or i >= end or run:
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
