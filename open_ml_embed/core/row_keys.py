"""Row keys: 64-bit numbers for sampling and ordering that do not depend on shards or workers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import U64


def row_keys(rows: pa.Table) -> U64:
    """Return the first eight bytes of each `row_id` as a number.

    Args:
        rows: table of n rows with the column `row_id` (`sources.schema.ROW_SCHEMA`).

    Returns:
        uint64[n], uniformly distributed. The key of a row depends only on its content.

    """
    ids = rows["row_id"].combine_chunks()
    chunks = ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]
    raw = b"".join(bytes(c.buffers()[1])[c.offset * 16 : (c.offset + len(c)) * 16] for c in chunks if len(c))
    return np.frombuffer(raw, ">u8").astype(np.uint64)[::2].copy()
