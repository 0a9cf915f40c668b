"""Hashed token features of program text, for the model that tells code from prose.

A token is a word, a number, a run of non-ASCII bytes, a symbol (up to four equal symbols are one token, except
brackets), or the start of a line with its indentation. The features are tokens, pairs and triples of tokens, which
include whether a space precedes a token, and triples and quintuples of token shapes. The shape of a word is its case,
the shape of a symbol is the symbol. Of long texts, the first and the last `HALF` bytes are read.
"""

from __future__ import annotations

import numpy as np

from open_ml_embed.core.array_types import U8, U32
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.splitmix import GOLDEN

HALF = 768
"""Bytes read at each end of a text; fewer are usually enough to classify it."""
MOST = 5 * (2 * HALF + 2)
"""Features of a text, at most."""

_SPACED = 0x5851F42D4C957F2D
_LINE, _NUMBER, _OTHER = 0x0A, 0x30, 0x80
_LOWER, _CAPITAL, _UPPER, _MIXED, _SNAKE, _SINGLE = 0x61, 0x41, 0x55, 0x6D, 0x5F, 0x78


@njit(nogil=True, inline="always")
def _mixed(x: np.uint64) -> np.uint64:
    x = (x ^ (x >> np.uint64(31))) * np.uint64(GOLDEN)
    return x ^ (x >> np.uint64(29))


@njit(nogil=True, inline="always")
def _key(kind: int, x: np.uint64) -> np.uint32:
    return np.uint32(_mixed(x + np.uint64(kind) * np.uint64(0xD1B54A32D192ED03)) >> np.uint64(32))


@njit(nogil=True)
def features(data: U8, start: int, end: int, keys: U32) -> tuple[int, int]:
    """Write the features of `data[start:end]` to `keys` (uint32[MOST]); return the numbers of features and tokens."""
    if end - start <= 2 * HALF:
        return _features(data, start, end, keys, 0)
    used, tokens = _features(data, start, start + HALF, keys, 0)
    more, others = _features(data, end - HALF, end, keys, used)
    return more, tokens + others


@njit(nogil=True)
def _features(data: U8, start: int, end: int, keys: U32, used: int) -> tuple[int, int]:  # noqa: PLR0912, PLR0915 (kinds of tokens)
    multiplier = np.uint64(0x100000001B3)
    one, two = np.uint64(0), np.uint64(0)  # the tokens before
    s1, s2, s3, s4 = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)  # and their shapes
    tokens = 0
    i, fresh, depth, spaced = start, True, 0, False
    while i < end:
        byte = data[i]
        if byte in (0x0A, 0x0D):
            fresh, depth, i = True, 0, i + 1
            continue
        if byte in (0x20, 0x09):
            depth += 1 if byte == 0x20 else 8
            spaced, i = True, i + 1
            continue
        if fresh:
            level = min((depth + 1) // 2, 5)
            token = np.uint64(_LINE + (level << 8))
            shape, fresh, spaced = token, False, False
        elif 0x61 <= (byte | 32) <= 0x7A or byte == 0x5F:
            token = np.uint64(0xCBF29CE484222325)
            begin, upper, lower, under = i, 0, 0, 0
            while i < end:
                byte = data[i]
                if 0x61 <= byte <= 0x7A:
                    lower += 1
                elif 0x41 <= byte <= 0x5A:
                    upper += 1
                elif byte == 0x5F:
                    under += 1
                elif not 0x30 <= byte <= 0x39:
                    break
                token = (token ^ np.uint64(byte)) * multiplier
                i += 1
            first = 0x41 <= data[begin] <= 0x5A
            if i - begin == 1:
                shape = np.uint64(_SINGLE)
            elif under:
                shape = np.uint64(_SNAKE)
            elif upper == 0:
                shape = np.uint64(_LOWER)
            elif lower == 0:
                shape = np.uint64(_UPPER)
            elif upper == 1 and first:
                shape = np.uint64(_CAPITAL)
            else:
                shape = np.uint64(_MIXED)
        elif 0x30 <= byte <= 0x39:
            hexadecimal = byte == 0x30 and i + 1 < end and (data[i + 1] | 32) == 0x78
            while i < end and (0x30 <= data[i] <= 0x39 or 0x61 <= (data[i] | 32) <= 0x7A or data[i] in (0x2E, 0x5F)):
                i += 1
            token = np.uint64(_NUMBER + (hexadecimal << 8))
            shape = token
        elif byte >= 0x80:
            while i < end and data[i] >= 0x80:
                i += 1
            token = np.uint64(_OTHER)
            shape = token
        else:
            begin = i
            i += 1
            if byte not in (0x28, 0x29, 0x5B, 0x5D, 0x7B, 0x7D):
                while i < end and data[i] == byte:
                    i += 1
            token = np.uint64(byte) | (np.uint64(min(i - begin, 4)) << np.uint64(8))
            shape = token
        tokens += 1
        token = _mixed(token)
        keys[used] = _key(1, token)
        used += 1
        if spaced:
            token ^= np.uint64(_SPACED)
            shape ^= np.uint64(1 << 20)
            spaced = False
        shape = _mixed(shape)
        if one:
            pair = one * np.uint64(3) + token
            keys[used] = _key(2, pair)
            used += 1
            if two:
                keys[used] = _key(3, _mixed(pair) + two * np.uint64(5))
                used += 1
                three = _mixed(s2 * np.uint64(3) + s1) * np.uint64(3) + shape
                keys[used] = _key(4, three)
                used += 1
                if s4:
                    keys[used] = _key(5, _mixed(_mixed(s4 * np.uint64(3) + s3)) * np.uint64(3) + _mixed(three))
                    used += 1
        two, one = one, token
        s4, s3, s2, s1 = s3, s2, s1, shape
    return used, tokens
