"""Operation `dedup/order`: ranks rows by (source priority, row id); of each cluster, the row of lowest rank is kept.

Documents have ranks too. A positive has the rank of its row. Given negatives come after all rows, in the order of their
rows' ranks and of their positions in the row.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from curation.dedup.exact import rank_bits
from curation.dedup.settings import DedupSettings
from curation.dedup.step.shards import Corpus
from open_ml_embed.core.array_types import I64, U32, U64
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.store import Store, flat
from open_ml_embed.core.task import Outputs, Task

ORDER_SCHEMA = pa.schema(
    [
        pa.field("rank", pa.uint32(), nullable=False),
        pa.field("row", pa.uint32(), nullable=False),
        pa.field("number", pa.int64(), nullable=False),
    ]
)
"""`rank[row]` and its inverse `row[rank]`; `number[rank]` is the cluster number of a kept row: 63 bits of its row id,
so that it does not change when other sources are added or removed. A second table has the same columns for given
negatives: `rank[negative]`, `row[rank - rows]` and `number[rank - rows]`, where `row` is a document's number and
`number` is 63 bits of the text's hash."""
ORDER = "dedup/order/all.order.arrow"
NEGATIVES = "dedup/order/all.negatives.arrow"


class Order:
    """Operation, one task: compute the ranks of all rows and given negatives."""

    name: ClassVar[str] = "dedup/order"
    version: ClassVar[int] = 2

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Rank all rows; `task.payload` is a `Corpus`.

        Raises:
            StageError: rows and given negatives together are 2³² or more.

        """
        corpus: Corpus = task.payload
        if corpus.rows + corpus.negatives >= 2**32:
            raise StageError(
                f"{corpus.rows:,} rows and {corpus.negatives:,} given negatives are more than 32 bits can number",
                remedy="build in two profiles",
            )
        high, low = _row_ids(store, corpus)
        rank, row = ranked(high, low, np.repeat([s.priority for s in corpus.shards], [s.rows for s in corpus.shards]))
        number = (high[row] >> np.uint64(1)).astype(np.int64)
        table = pa.table([rank, row, number], schema=ORDER_SCHEMA)
        out.table("order", table.to_batches(), ORDER_SCHEMA, compressed=False)
        del high, low, number, table
        negatives = _negatives(store, corpus, rank, row)
        out.table("negatives", negatives.to_batches(), ORDER_SCHEMA, compressed=False)
        return {"rows": corpus.rows, "negatives": corpus.negatives}


def ranks_of(store: Store, field: str) -> U32:
    """Return the rank of every text of a field, uint32, indexed by the text's number."""
    (ranks,) = flat(store, ORDER, "rank")
    return np.concatenate([ranks, *flat(store, NEGATIVES, "rank")]) if field == "document" else ranks


def rows_of(store: Store, field: str) -> U32:
    """Return the number of every text of a field, uint32, indexed by the text's rank."""
    (rows,) = flat(store, ORDER, "row")
    return np.concatenate([rows, *flat(store, NEGATIVES, "row")]) if field == "document" else rows


def numbers_of(store: Store, field: str) -> I64:
    """Return the cluster number of every text of a field, int64, indexed by the text's rank."""
    (numbers,) = flat(store, ORDER, "number")
    return np.concatenate([numbers, *flat(store, NEGATIVES, "number")]) if field == "document" else numbers


def ranked(high: U64, low: U64, priority: I64) -> tuple[U32, U32]:
    """Rank rows by (priority, row id, row number).

    Args:
        high: uint64[n], the high 64 bits of the row ids.
        low: uint64[n], the low 64 bits of the row ids.
        priority: int64[n], of the rows' sources; lower numbers come first.

    Returns:
        (uint32[n], uint32[n]): the rank of each row, and the row of each rank.

    """
    bits = np.uint64(rank_bits(len(high)))
    mask = np.uint64((1 << int(bits)) - 1)
    parts = [np.zeros(0, np.uint32)]
    for level in np.unique(priority):
        rows = np.flatnonzero(priority == level).astype(np.uint64)
        packed = (high[rows] >> bits << bits) | rows
        packed.sort()
        packed &= mask
        row = packed.astype(np.uint32)
        _settle(row, high, low)
        parts.append(row)
    row = np.concatenate(parts)
    rank = np.empty_like(row)
    rank[row] = np.arange(len(row), dtype=np.uint32)
    return rank, row


@njit
def _settle(row: U32, high: U64, low: U64) -> None:
    """Finish the sort by full ids of rows that are sorted by the ids' high bits: insertion sort, nearly linear here."""
    for i in range(1, len(row)):
        held = row[i]
        j = i
        while j > 0 and (
            high[row[j - 1]] > high[held] or (high[row[j - 1]] == high[held] and low[row[j - 1]] > low[held])
        ):
            row[j] = row[j - 1]
            j -= 1
        row[j] = held


def _negatives(store: Store, corpus: Corpus, rank: U32, row: U32) -> pa.Table:
    """Return ranks, document numbers and cluster numbers of the given negatives, with `ORDER_SCHEMA`."""
    if not corpus.negatives:
        return ORDER_SCHEMA.empty_table()
    counts = corpus.column(store, ["negatives"], np.int32)["negatives"].astype(np.int64)
    before = np.cumsum(counts[row]) - counts[row]  # by rank: number of negatives of the rows with a lower rank
    starts = np.cumsum(counts) - counts
    position = np.arange(corpus.negatives) - np.repeat(starts, counts)
    order = np.repeat(before[rank], counts) + position
    exact = corpus.column(store, ["document_exact"], np.uint64, negatives=True)["document_exact"][corpus.rows :]
    document = np.empty(corpus.negatives, np.uint32)
    document[order] = np.arange(corpus.rows, corpus.rows + corpus.negatives, dtype=np.uint32)
    number = (exact[document - np.uint32(corpus.rows)] >> np.uint64(1)).astype(np.int64)
    return pa.table([(order + corpus.rows).astype(np.uint32), document, number], schema=ORDER_SCHEMA)


def _row_ids(store: Store, corpus: Corpus) -> tuple[U64, U64]:
    high, low = np.empty(corpus.rows, np.uint64), np.empty(corpus.rows, np.uint64)
    at = 0
    for shard in corpus.shards:
        for chunk in store.read_table(f"rows/{shard.path}.rows.arrow", ["row_id"])["row_id"].chunks:
            words = np.frombuffer(chunk.buffers()[1], ">u8").reshape(-1, 2)[chunk.offset : chunk.offset + len(chunk)]
            high[at : at + len(chunk)], low[at : at + len(chunk)] = words[:, 0], words[:, 1]
            at += len(chunk)
    return high, low
