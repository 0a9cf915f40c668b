"""Byte scan that preselects the texts which may show the damage that `sources.checks` counts.

Each kind is recognized by a few adjacent bytes that are rare in clean texts. Nearly all texts therefore cost one pass
of vectorized comparisons (two passes for texts that are not ASCII).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import I32, U8, U64, Mask
from open_ml_embed.core.compiled import njit, uint64
from open_ml_embed.core.splitmix import GOLDEN
from open_ml_embed.core.text.tokens import mix64

KINDS = (
    "entities", "tags", "escapes", "jats", "placeholders", "treebank", "invisible", "mojibake", "replacement",
    "tokenized",
)  # fmt: skip
"""Kinds of damage, in the order of the columns of `hints_of`."""
EXACT = ("invisible", "replacement")
"""Kinds for which a hint needs no verification."""
_AHEAD = 3
"""Number of bytes read after each position."""


def hints_of(texts: pa.StringArray) -> Mask:
    """Tell which kinds of damage each text may show.

    Args:
        texts: string array of n texts; nulls have no hints.

    Returns:
        bool[n, len(KINDS)]. A text without the hint does not show the kind.

    """
    hints = np.zeros((len(texts), len(KINDS)), np.bool_)
    _, offsets, data = texts.buffers()
    if len(texts) and data is not None:
        starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
        whole = np.frombuffer(data, np.uint8)
        inside = int(np.searchsorted(starts[1:], len(whole) - _AHEAD, side="right"))
        _look(starts[: inside + 1], whole, hints[:inside])
        # The buffer may end right after the last texts: copy them and pad with zeros.
        first, last = int(starts[inside]), int(starts[-1])
        padded, rest = np.concatenate([whole[first:last], np.zeros(_AHEAD, np.uint8)]), starts[inside:] - first
        for array in (padded, rest):
            array.flags.writeable = False  # as Arrow's buffers: to numba, read-only arrays are a different type
        _look(rest, padded, hints[inside:])
    return hints


def hashes_of(texts: pa.StringArray) -> U64:
    """Return a 64-bit hash of the bytes of each text (uint64[n]).

    Do not store the hashes: the function may change between versions.
    """
    hashes = np.zeros(len(texts), np.uint64)
    _, offsets, data = texts.buffers()
    if len(texts) and data is not None:
        starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
        _hash(starts, np.frombuffer(data, np.uint8), hashes)
    return hashes


@njit(nogil=True)
def _look(offsets: I32, data: U8, hints: Mask) -> None:
    # Unsigned indices: numba's check for negative ones would prevent vectorization. Reading a few bytes into the next
    # text is harmless: no UTF-8 character crosses the end of a text, and hints that are not exact are verified later.
    one, two, three = uint64(1), uint64(2), uint64(3)
    for row in range(len(hints)):
        start, end = uint64(offsets[row]), uint64(offsets[row + 1])
        entities = tags = escapes = jats = placeholders = treebank = spaced = beyond_ascii = False
        for i in range(start, end):
            a, b, c, d = data[i], data[i + one], data[i + two], data[i + three]
            beyond_ascii |= a >= 0x80
            entities |= (a == 0x26) & (b > 0x20)  # &, then no blank
            tags |= (a == 0x3C) & (b >= 0x2F)  # <, then a slash or a letter
            escapes |= (a == 0x5C) & (b == 0x6E)
            jats |= ((a == 0x4F) | (a == 0x43)) & (b == 0x5F)  # O_ or C_
            placeholders |= (a == 0x5F) & (b == 0x55) & (c == 0x52)
            treebank |= ((a == 0x2D) & ((b == 0x4C) | (b == 0x52))) | ((a == 0x60) & (b == 0x60))  # -L, -R or ``
            # A character other than a blank, then a blank, one of ,.; and a blank.
            marked = (c == 0x2C) | (c == 0x2E) | (c == 0x3B)
            spaced |= (a != 0x20) & (b == 0x20) & marked & ((d <= 0x20) | (d >= 0x80))
        last = end > start + two and data[end - two] == 0x20 and data[end - one] in (0x2C, 0x2E, 0x3B)
        hint = hints[row]
        hint[0], hint[1], hint[2], hint[3] = entities, tags, escapes, jats | tags
        hint[4], hint[5], hint[9] = placeholders, treebank, spaced | last
        if beyond_ascii:
            invisible = mojibake = replacement = torn = False
            for i in range(start, end):
                a, b, c, d = data[i], data[i + one], data[i + two], data[i + three]
                invisible |= _invisible(a, b, c)
                mojibake |= _mojibake(a, b, c)
                replacement |= (a == 0xEF) & (b == 0xBF) & (c == 0xBD)
                torn |= _torn(a, b, c, d)
            hint[6], hint[7], hint[8], hint[9] = invisible, mojibake, replacement, hint[9] | torn


@njit(nogil=True)
def _invisible(a: int, b: int, c: int) -> bool:
    """Detect U+00AD, U+200B, U+2060, U+FEFF, and U+E000 to U+F8FF (private use)."""
    return (
        ((a == 0xC2) & (b == 0xAD))
        | ((a == 0xE2) & (((b == 0x80) & (c == 0x8B)) | ((b == 0x81) & (c == 0xA0))))
        | (a == 0xEE)
        | ((a == 0xEF) & ((b < 0xA4) | ((b == 0xBB) & (c == 0xBF))))
    )


@njit(nogil=True)
def _mojibake(a: int, b: int, c: int) -> bool:
    """Detect a C1 control, or U+00C2 to U+00F4 before a byte that may begin a wrongly decoded continuation byte."""
    follows = (c == 0xC2) | (c == 0xC5) | (c == 0xC6) | (c == 0xCB) | (c == 0xE2)
    return ((a == 0xC2) & (b < 0xA0)) | ((a == 0xC3) & (b >= 0x82) & (b <= 0xB4) & follows)


@njit(nogil=True)
def _torn(a: int, b: int, c: int, d: int) -> bool:
    """Detect a blank between two Thai or Han characters, or before U+094D, U+093C or U+09CD."""
    words = (a >= 0x80) & (b == 0x20) & (((c == 0xE0) & ((d == 0xB8) | (d == 0xB9))) | ((c >= 0xE4) & (c <= 0xE9)))
    sign = ((c == 0xA5) & (d == 0x8D)) | ((c == 0xA4) & (d == 0xBC)) | ((c == 0xA7) & (d == 0x8D))
    return words | ((a == 0x20) & (b == 0xE0) & sign)


@njit(nogil=True)
def _hash(offsets: I32, data: U8, hashes: U64) -> None:
    """Mix eight bytes at a time into a state by multiplication, as wyhash does; finalize with splitmix64."""
    one, eight, odd = uint64(1), uint64(8), uint64(GOLDEN)
    for row in range(len(hashes)):
        i, end = uint64(offsets[row]), uint64(offsets[row + 1])
        state = (end - i) * odd
        while i + eight <= end:
            word = uint64(0)
            for k in range(8):
                word |= uint64(data[i + uint64(k)]) << uint64(8 * k)
            state = (state ^ word) * odd
            state ^= state >> uint64(32)
            i += eight
        word = uint64(0)
        while i < end:
            word = (word << eight) | uint64(data[i])
            i += one
        state = (state ^ word) * odd
        hashes[row] = mix64(state)
