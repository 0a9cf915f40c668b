"""The mixing of splitmix64 (Steele, Lea and Flood 2014): every bit of a 64-bit number tells on each bit of its hash."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from open_ml_embed.core.array_types import U64

Bits = TypeVar("Bits", np.uint64, U64)

GOLDEN = 0x9E3779B97F4A7C15
"""By how much the state of splitmix64 grows from draw to draw: 2⁶⁴ over the golden ratio, made odd."""


def mixed(x: Bits) -> Bits:
    """Return the finalizer of a 64-bit number, or of each in an array; in compiled code it is `tokens.mix64`."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
