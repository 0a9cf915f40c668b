"""Splits tables into batches with a limited number of rows and bytes.

An Arrow `string` array holds at most 2 GiB. A few thousand long documents with their negatives can exceed that.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import I64

BATCH_BYTES = 64 << 20
"""Largest batch in bytes of text; processing one takes a few times as much memory."""


def halved(table: pa.Table, rows: int, size: int = BATCH_BYTES) -> Iterator[pa.Table]:
    """Split a table until each piece has at most `rows` rows and `size` bytes, or a single row; skip empty pieces."""
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
    """Cut rows into consecutive runs of at most `rows` rows and `size` bytes, or of a single row.

    Args:
        sizes: bytes of each row, int64[n].
        rows: most rows of a run.
        size: most bytes of a run.

    Yields:
        (first row, one past the last row).

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
