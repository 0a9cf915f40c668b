"""The mixing function of splitmix64 (Steele, Lea and Flood 2014): each input bit affects all bits of the hash."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from open_ml_embed.core.array_types import U64

Bits = TypeVar("Bits", np.uint64, U64)

GOLDEN = 0x9E3779B97F4A7C15
"""The increment of splitmix64's state: 2⁶⁴ divided by the golden ratio, made odd."""


def mixed(x: Bits) -> Bits:
    """Apply the finalizer of splitmix64 to a uint64 or to each element of a uint64 array.

    The compiled version for one number is `open_ml_embed.core.text.tokens.mix64`.
    """
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
