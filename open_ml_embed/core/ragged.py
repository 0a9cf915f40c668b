"""Ragged arrays: lists of different lengths in one values array, with offsets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import I8, I16, I32, I64, U8, U32, Mask


def offsets_of(lengths: I64 | I32 | I16 | I8 | U32 | U8 | Mask | pa.Array | Sequence[int]) -> I64:
    """Return the offsets of n lists of these lengths: int64[n + 1], the cumulative sum with a leading 0.

    >>> offsets_of([2, 0, 3]).tolist()
    [0, 2, 2, 5]

    """
    values = np.asarray(lengths)
    offsets = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, dtype=np.int64, out=offsets[1:])
    return offsets
