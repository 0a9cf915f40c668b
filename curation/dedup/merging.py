"""Operation `merges`: what a kept row takes over from its duplicates. Nothing that a source said is lost."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.dedup.clustering import kept
from curation.dedup.ordering import ORDER
from curation.dedup.shards import Corpus, flat
from curation.engine import Outputs, Task
from curation.settings import DedupSettings
from curation.store import Store

MERGED = pa.struct(
    [
        pa.field("row_id", pa.binary(16), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("subset", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("positive", pa.string()),
        pa.field("negatives", pa.list_(pa.string()), nullable=False),
    ]
)
MERGE_SCHEMA = pa.schema([pa.field("merged", pa.list_(pa.field("item", MERGED, nullable=False)), nullable=False)])
"""Row-aligned with the rows shard: the duplicates that a kept row stands for, in order of (source priority, row id).
`positive` is null where the duplicate is exact; `negatives` are those that its source gave."""
COLUMNS = ["row_id", "source", "subset", "positive", "negatives"]


class Merge:
    """Operation, one task: dropped rows to the rows that were kept for them."""

    name: ClassVar[str] = "merges"
    version: ClassVar[int] = 1

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Write the tables; `task.payload` is a `Corpus`."""
        corpus: Corpus = task.payload
        ranks, row_of = flat(store, ORDER, "rank", "row")
        keeper, leaders = kept(store, "sample", "keeper")
        starts = corpus.starts
        parts, kept_rows, dropped_ranks = [], [np.zeros(0, np.uint32)], [np.zeros(0, np.uint32)]
        for shard, start in zip(corpus.shards, starts[:-1].tolist(), strict=True):
            here = ranks[start : start + shard.rows]
            dropped = np.flatnonzero(keeper[here] != here)
            if len(dropped):
                near = pa.array(leaders[here[dropped]] == here[dropped])
                parts.append(_taken(store, shard.path, dropped, near))
                kept_rows.append(row_of[keeper[here[dropped]]])
                dropped_ranks.append(here[dropped])
        at = np.concatenate(kept_rows)
        order = np.lexsort((np.concatenate(dropped_ranks), at))
        at = at[order]
        merged = pa.concat_tables(parts).take(order).combine_chunks() if parts else None
        across = 0
        for shard, start in zip(corpus.shards, starts[:-1].tolist(), strict=True):
            bounds = np.searchsorted(at, np.arange(start, start + shard.rows + 1))
            items = merged.slice(bounds[0], bounds[-1] - bounds[0]) if merged else None
            across += _across(items, shard.path)
            out.table("merges", [_aligned(bounds - bounds[0], items)], MERGE_SCHEMA, at=shard.path)
        return {"merged": len(at), "across_sources": across}


def _taken(store: Store, path: str, rows: Any, near: pa.Array) -> pa.Table:
    table = store.read_table(f"rows/{path}.rows.arrow", COLUMNS).take(rows)
    reason = pc.if_else(near, "near-duplicate", "exact-duplicate")
    positive = pc.if_else(near, table["positive"], pa.scalar(None, pa.string()))
    columns = [table["row_id"], table["source"], table["subset"], reason, positive, table["negatives"]]
    return pa.table(columns, schema=pa.schema(list(MERGED)))


def _across(items: pa.Table | None, path: str) -> int:
    """Count duplicates that came from another source than that of the shard."""
    own = path.split("/", 1)[0]
    return int(pc.sum(pc.not_equal(items["source"], own)).as_py() or 0) if items else 0


def _aligned(bounds: Any, items: pa.Table | None) -> pa.RecordBatch:
    schema = pa.schema(list(MERGED))
    table = items if items is not None else schema.empty_table()
    arrays = [column.combine_chunks() for column in table.columns]
    flat = [pa.concat_arrays(a.chunks) if isinstance(a, pa.ChunkedArray) else a for a in arrays]
    structs = pa.StructArray.from_arrays(flat, fields=list(MERGED))
    lists = pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), structs, type=MERGE_SCHEMA.field(0).type)
    return pa.record_batch([lists], schema=MERGE_SCHEMA)
