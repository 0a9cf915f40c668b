"""Strips from texts what has no language: addresses, tags, placeholders, numbers, hashes, control characters.

It makes one pass over Arrow's buffers. A text without any character that may start such a token is copied unchanged.
Words stay, including those with digits (`COVID-19`, transliterations like `ma3lesh`). White space is collapsed in texts
that change.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa

from curation.langid.stripping import alphanumeric, blank, dropped, opaque
from open_ml_embed.core.array_types import I64, U8, Flag, Mask
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.text.tokens import decode, string_buffers

_POINTS = 0x20000
_IDEOGRAPHS = 0x33480
"""Code points after the first two planes and up to this one are ideographs; there are no other letters."""
_CALM, _LETTER, _STOP, _LOOK = 0, 1, 2, 3
"""Kinds of bytes: irrelevant; an ASCII letter; a full stop, relevant before a letter; may start a stripped token."""


def cleaned(texts: pa.Array | pa.ChunkedArray) -> tuple[pa.StringArray, Mask]:
    r"""Strip what has no language.

    Addresses (URLs, e-mail, paths, @mentions), tags, entities, placeholders, numbers, hashes and other opaque tokens,
    `code in backticks` and control characters are replaced by a space. Invisible formatting characters are removed. An
    ASCII #tag is removed, unless the text has nothing but tags; of any other #tag, only the sign is removed.

    Args:
        texts: string or large_string array of n texts; null reads as empty.

    Returns:
        The texts (string[n]), and a mask (bool[n]) of those without linguistic content: no letter, or a single ASCII
        letter.

    >>> text, nothing = cleaned(pa.array(["See https://a.org/b, $1 pages", "12 % of 3.5", "#joy", "d41d8cd98f00b2"]))
    >>> text.to_pylist(), nothing.tolist()
    (['See pages', '% of', 'joy', ''], [False, False, False, True])
    """
    offsets, data = string_buffers(texts)
    out, starts = np.empty(len(data), np.uint8), np.zeros(len(offsets), np.int64)
    nothing = np.zeros(len(offsets) - 1, np.bool_)
    used = _clean(offsets, data, _kinds(), letters(), out, starts, nothing)
    large = used > np.iinfo(np.int32).max
    positions = pa.py_buffer(starts if large else starts.astype(np.int32))
    buffers = [None, positions, pa.py_buffer(out[:used])]
    return pa.Array.from_buffers(pa.large_string() if large else pa.string(), len(nothing), buffers), nothing


@cache
def letters() -> U8:
    """Return for each code point of the first two planes whether it is a letter, uint8[0x20000]."""
    return np.array([unicodedata.category(chr(point))[0] == "L" for point in range(_POINTS)], np.uint8)


@cache
def _kinds() -> U8:
    table = np.full(256, _CALM, np.uint8)
    table[:0x20] = table[0x7F] = _LOOK
    # C2: controls and the soft hyphen; E2: bidirectional marks; EE: private use; EF: byte order mark
    table[[*b"<&$%{@#:/\\`0123456789", 0xC2, 0xE2, 0xEE, 0xEF]] = _LOOK
    for letter in b"abcdefghijklmnopqrstuvwxyz":
        table[[letter, letter - 32]] = _LETTER
    table[ord(".")] = _STOP
    return table


@njit(nogil=True)
def _clean(offsets: I64, data: U8, kinds: U8, is_letter: U8, out: U8, starts: I64, nothing: Mask) -> int:
    used = 0
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        if _untouched(data, start, end, kinds):
            out[used : used + end - start] = data[start:end]
            used += end - start
        else:
            first = used
            used, count, tags = _strip(data, start, end, is_letter, out, first, keep_tags=False)
            if count < 2 and tags:
                used, count, tags = _strip(data, start, end, is_letter, out, first, keep_tags=True)
            nothing[row] = count < 2
        starts[row + 1] = used
    return used


@njit(nogil=True, inline="always")
def _untouched(data: U8, start: int, end: int, kinds: U8) -> bool:
    """Tell whether there is nothing to strip and at least one word; false if uncertain."""
    count = 0
    for i in range(start, end):
        kind = kinds[data[i]]
        if kind == _LETTER:
            count += 1
        elif kind == _LOOK or (kind == _STOP and i + 1 < end and kinds[data[i + 1]] == _LETTER):
            return False
    return count > 1


@njit(nogil=True)
def _strip(  # noqa: PLR0912 (a branch a kind of byte)
    data: U8, start: int, end: int, is_letter: U8, out: U8, first: int, keep_tags: Flag
) -> tuple[int, int, int]:
    """Write the stripped text to `out[first:]`; return (end in `out`, number of letters, number of #tags dropped).

    A letter outside ASCII counts as two letters, because it can be a word by itself.
    """
    used, token = first, first
    count, before = 0, 0  # letters so far, and before the current token
    tags = 0
    i = start
    while i < end:
        byte = data[i]
        if byte < 0x80 and alphanumeric(byte):
            if 0x30 <= byte <= 0x39:
                i_token = i - (used - token)
                stop = opaque(data, i_token, end)
                if stop > i:
                    used, count, i = _gap(out, token, first), before, stop
                    token = used
                    continue
                stop = i
                while stop < end and data[stop] < 0x80 and alphanumeric(data[stop]):
                    out[used] = data[stop]
                    count += (data[stop] | 32) >= 0x61
                    used, stop = used + 1, stop + 1
                i = stop
            else:
                count += 1
                out[used] = byte
                used, i = used + 1, i + 1
            continue
        back, stop, tag = dropped(data, i, start, end, keep_tags)
        if stop > i:
            tags += tag
            if back > 0:  # the address starts before the byte that revealed it: remove what is already written
                used = _unwritten(out, used, first, back)
                count = _letters(out, first, used, is_letter)
            if back >= 0:
                used = _gap(out, used, first)
            i = stop
        elif byte < 0x80:
            out[used] = byte
            used, i = used + 1, i + 1
        else:
            point, width = decode(data, i, end)
            count += 2 * _is_letter(point, is_letter)
            for k in range(width):
                out[used + k] = data[i + k]
            used, i = used + width, i + width
        token, before = used, count
    while used > first and out[used - 1] == 0x20:
        used -= 1
    return used, count, tags


@njit(nogil=True, inline="always")
def _is_letter(point: int, is_letter: U8) -> int:
    return is_letter[point] if point < _POINTS else point < _IDEOGRAPHS


@njit(nogil=True, inline="always")
def _gap(out: U8, used: int, first: int) -> int:
    if used > first and out[used - 1] != 0x20:
        out[used] = 0x20
        return used + 1
    return used


@njit(nogil=True)
def _unwritten(out: U8, used: int, first: int, back: int) -> int:
    """Remove the written start of an address: at most `back` bytes, up to a blank; return the new end of `out`."""
    while used > first and back and not blank(out[used - 1]):
        used, back = used - 1, back - 1
    return used


@njit(nogil=True)
def _letters(out: U8, first: int, used: int, is_letter: U8) -> int:
    count, i = 0, first
    while i < used:
        point, width = decode(out, i, used)
        if point < 0x80:
            count += 0x61 <= (point | 32) <= 0x7A
        else:
            count += 2 * _is_letter(point, is_letter)
        i += width
    return count
