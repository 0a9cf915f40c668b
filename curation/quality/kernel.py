"""The compiled loop of `curation.quality.measures`."""

from __future__ import annotations

import numpy as np

from open_ml_embed.core.array_types import F32, I32, I64, U8, U64
from open_ml_embed.core.compiled import njit, uint64
from open_ml_embed.core.text.tokens import decode, mix64

GRAM = 10
"""Characters of the sequences whose repetition is counted."""
ALPHANUMERIC, SYMBOL = 1, 2
"""Classes of visible characters; 0: white space and invisible ones."""
_BASE = 0x9E3779B97F4A7C15


@njit(nogil=True)
def count_texts(
    offsets: I64,
    data: U8,
    classes: U8,
    lower: I32,
    seen: U64,
    stamps: I32,
    alphanumeric: I32,
    symbols: I32,
    repetition: F32,
    content: U64,
) -> None:
    """Count the characters of n texts.

    Args:
        offsets: int64[n + 1], into `data`.
        data: uint8, UTF-8.
        classes: uint8, by code point: `ALPHANUMERIC`, `SYMBOL` or 0. Code points beyond it are alphanumeric.
        lower: int32, by code point: the code point in lower case.
        seen: uint64, room for twice the characters of the longest text, a power of two.
        stamps: int32 of the same length, zeros.
        alphanumeric: int32[n]; receives letters, marks and digits.
        symbols: int32[n]; receives other visible characters.
        repetition: float32[n]; receives the share of the sequences of `GRAM` characters that occurred before.
        content: uint64[n]; receives a hash of the letters, marks and digits in lower case.

    """
    window = np.zeros(GRAM, np.uint64)
    oldest = uint64(1)  # the factor of the character that leaves the window
    for _ in range(GRAM - 1):
        oldest *= uint64(_BASE)
    for row in range(len(offsets) - 1):
        i, end = offsets[row], offsets[row + 1]
        mask = uint64(16)
        while mask < uint64(2) * uint64(end - i):
            mask *= uint64(2)
        mask -= uint64(1)
        characters, distinct, letters, others = 0, 0, 0, 0
        rolled, whole = uint64(0), uint64(0)
        while i < end:
            point, width = decode(data, i, end)
            i += width
            kind = classes[point] if point < len(classes) else np.uint8(ALPHANUMERIC)
            if kind == ALPHANUMERIC:
                letters += 1
                small = lower[point] if point < len(lower) else point
                whole = mix64(whole ^ uint64(small))
            elif kind == SYMBOL:
                others += 1
            place = characters % GRAM
            if characters >= GRAM:
                rolled -= window[place] * oldest
            window[place] = uint64(point + 1)
            rolled = rolled * uint64(_BASE) + window[place]
            characters += 1
            if characters >= GRAM:
                key = mix64(rolled)
                slot = key & mask
                while stamps[slot] == row + 1 and seen[slot] != key:
                    slot = (slot + uint64(1)) & mask
                if stamps[slot] != row + 1:
                    stamps[slot] = row + 1
                    seen[slot] = key
                    distinct += 1
        alphanumeric[row], symbols[row], content[row] = letters, others, whole
        sequences = characters - GRAM + 1
        repetition[row] = np.float32(1.0 - distinct / sequences) if sequences > 0 else np.float32(0.0)
