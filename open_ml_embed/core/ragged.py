"""Lists of different lengths laid one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import I8, I16, I32, I64, U8, U32, Mask


def offsets_of(lengths: I64 | I32 | I16 | I8 | U32 | U8 | Mask | pa.Array | Sequence[int]) -> I64:
    """Return where each list begins and, last, where the last one ends: int64[n + 1] for n lengths, 0 first.

    >>> offsets_of([2, 0, 3]).tolist()
    [0, 2, 2, 5]

    """
    values = np.asarray(lengths)
    offsets = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, dtype=np.int64, out=offsets[1:])
    return offsets
