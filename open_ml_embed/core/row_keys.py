"""A row's own number: for draws and orders that depend neither on shards nor on who works."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import U64


def row_keys(rows: pa.Table) -> U64:
    """Return the first eight bytes of each `row_id`, uint64: uniform, and the row's own for ever."""
    ids = rows["row_id"].combine_chunks()
    chunks = ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]
    raw = b"".join(bytes(c.buffers()[1])[c.offset * 16 : (c.offset + len(c)) * 16] for c in chunks if len(c))
    return np.frombuffer(raw, ">u8").astype(np.uint64)[::2].copy()
