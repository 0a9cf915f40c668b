"""Tables cut to a moderate size in memory: by rows, and by the bytes of their texts.

Arrow's string arrays hold 2 GiB, and a few thousand long documents with their negatives are more than that.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import I64

BATCH_BYTES = 64 << 20
"""Text of a batch; what is made of it takes a few times as much."""


def halved(table: pa.Table, rows: int, size: int = BATCH_BYTES) -> Iterator[pa.Table]:
    """Cut a table in halves until each piece has at most so many rows and bytes, or one row; leave out empty ones."""
    if table.num_rows > rows:
        for start in range(0, table.num_rows, rows):
            yield from halved(table.slice(start, rows), rows, size)
    elif table.num_rows > 1 and table.nbytes > size:
        middle = table.num_rows // 2
        yield from halved(table.slice(0, middle), rows, size)
        yield from halved(table.slice(middle), rows, size)
    elif table.num_rows:
        yield table


def runs(sizes: I64, rows: int, size: int = BATCH_BYTES) -> Iterator[tuple[int, int]]:
    """Cut rows of known sizes into runs (from, to) of at most so many rows and bytes, or of one row.

    >>> list(runs(np.array([3, 3, 9, 1, 1, 1]), rows=2, size=6))
    [(0, 2), (2, 3), (3, 5), (5, 6)]

    """
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = ends[start - 1] if start else 0
        stop = min(int(np.searchsorted(ends, before + size, side="right")), start + rows)
        stop = max(stop, start + 1)
        yield start, stop
        start = stop
