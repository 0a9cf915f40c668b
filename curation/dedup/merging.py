"""Operation `merges`: what a kept row takes over from its duplicates. Nothing that a source said is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.dedup.candidates import folded
from curation.dedup.clustering import kept
from curation.dedup.minhash import U32
from curation.dedup.ordering import ORDER
from curation.dedup.shards import Corpus, flat
from curation.engine import Outputs, Task
from curation.settings import DedupSettings
from curation.store import Store
from curation.text.tokens import I64

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
`positive` is null where an exact duplicate only repeats it: from the kept row, or from a near-duplicate in the same
list. In the class families a sample is its text and its label, so that exact duplicates may have other positives.
`negatives` are those that its source gave."""
COLUMNS = ["row_id", "source", "subset", "positive", "negatives"]
_PLAIN = pa.schema(list(MERGED))
_WIDE = pa.schema(
    [
        pa.field(
            f.name, {"row_id": f.type, "negatives": pa.large_list(pa.large_string())}.get(f.name, pa.large_string())
        )
        for f in MERGED
    ]
)
GATHERED_BYTES = 1 << 29
"""Dropped rows are in memory for as many kept shards at once as they fill so many bytes of shard files, or for one."""
BATCH_BYTES = 1 << 30
"""Text in a record batch: 32-bit offsets reach twice as far."""


class Merge:
    """Operation, one task: dropped rows to the rows that were kept for them."""

    name: ClassVar[str] = "merges"
    version: ClassVar[int] = 2

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Write the tables; `task.payload` is a `Corpus`."""
        corpus: Corpus = task.payload
        dropped = _dropped(store, corpus)
        starts = corpus.starts
        home, origin = (np.searchsorted(starts, rows, "right") - 1 for rows in (dropped.kept, dropped.rows))
        sources = np.array([shard.path.split("/", 1)[0] for shard in corpus.shards])
        sizes = np.bincount(home, _bytes_a_row(store, corpus)[origin], len(corpus.shards))
        for group in _groups(sizes):
            here = slice(*np.searchsorted(home, [group.start, group.stop]))
            found = _gathered(store, corpus, dropped, here)
            for number in group:
                rows = np.arange(starts[number], starts[number + 1] + 1)
                batches = _batches(np.searchsorted(dropped.kept[here], rows), found)
                out.table("merges", batches, MERGE_SCHEMA, at=corpus.shards[number].path)
        return {"merged": len(home), "across_sources": int((sources[home] != sources[origin]).sum())}


@dataclass(frozen=True)
class _Dropped:
    """Dropped rows, by number of the kept row and then by rank.

    Attributes:
        rows: their own numbers.
        kept: of the rows that were kept for them, ascending.
        near: whether they are near-duplicates.
        repeated: whether they are exact duplicates that have the document too of the row they equal.

    """

    rows: I64
    kept: I64
    near: npt.NDArray[np.bool_]
    repeated: npt.NDArray[np.bool_]


def _dropped(store: Store, corpus: Corpus) -> _Dropped:
    ranks, row_of = flat(store, ORDER, "rank", "row")
    keeper, leaders = kept(store, "sample", "keeper")
    found = [np.zeros(0, np.int64)]
    for start, stop in pairwise(corpus.starts.tolist()):
        here = ranks[start:stop]
        found.append(np.flatnonzero(keeper[here] != here) + start)
    rows = np.concatenate(found)
    rank: U32 = ranks[rows]
    home = row_of[keeper[rank]].astype(np.int64)
    order = np.lexsort((rank, home))
    rank, leader = rank[order], leaders[rank[order]]
    documents = folded(store, "document")
    repeated = (leader != rank) & (documents[leader] == documents[rank])
    return _Dropped(rows[order], home[order], leader == rank, repeated)


def _bytes_a_row(store: Store, corpus: Corpus) -> npt.NDArray[np.float64]:
    files = (f"rows/{shard.path}.rows.arrow" for shard in corpus.shards)
    sizes = [store.fs.size(store.full(file)) for file in files]
    return np.array(sizes, np.float64) / [max(shard.rows, 1) for shard in corpus.shards]


def _groups(sizes: npt.NDArray[Any]) -> Iterator[range]:
    """Cut shards into runs of at most `GATHERED_BYTES`, or of one."""
    first, held = 0, 0.0
    for number, size in enumerate(sizes.tolist()):
        if number > first and held + size > GATHERED_BYTES:
            yield range(first, number)
            first, held = number, 0.0
        held += size
    if first < len(sizes):
        yield range(first, len(sizes))


@dataclass(frozen=True)
class _Gathered:
    """Dropped rows as items of lists.

    Attributes:
        items: by row number.
        place: where each is in `items`, by kept row and rank.
        ends: int64[n + 1], bytes of text before each in that order.

    """

    items: pa.Table
    place: I64
    ends: I64


def _gathered(store: Store, corpus: Corpus, dropped: _Dropped, here: slice) -> _Gathered:
    """Read some of the dropped rows, every shard once at most."""
    order = np.argsort(dropped.rows[here])
    rows = dropped.rows[here][order]
    near, repeated = (values[here][order] for values in (dropped.near, dropped.repeated))
    starts = corpus.starts
    parts = [_WIDE.empty_table()]
    for shard, start, bounds in zip(corpus.shards, starts[:-1], pairwise(np.searchsorted(rows, starts)), strict=True):
        cut = slice(*bounds)
        if len(rows[cut]):
            table = store.read_rows(f"rows/{shard.path}.rows.arrow", rows[cut] - start, COLUMNS)
            parts.append(_told(table, near[cut], repeated[cut]))
    items = pa.concat_tables(parts).combine_chunks()
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return _Gathered(items, place, _ends(_text_bytes(items)[place]))


def _told(table: pa.Table, near: npt.NDArray[np.bool_], repeated: npt.NDArray[np.bool_]) -> pa.Table:
    """Return one shard's rows as items of lists, in `_WIDE`: those of all shards may not fit 32-bit offsets."""
    reason = pc.if_else(pa.array(near), "near-duplicate", "exact-duplicate")
    positive = pc.if_else(pa.array(repeated), pa.scalar(None, pa.string()), table["positive"])
    columns = [table["row_id"], table["source"], table["subset"], reason, positive, table["negatives"]]
    return pa.table(columns, names=_WIDE.names).cast(_WIDE)


def _batches(bounds: I64, found: _Gathered) -> Iterator[pa.RecordBatch]:
    """Yield a shard's lists, row i's of items `bounds[i]` to `bounds[i + 1]`: in one batch, unless that is large."""
    ends = found.ends[bounds]
    first, rows = 0, len(bounds) - 1
    while True:
        stop = max(int(np.searchsorted(ends, ends[first] + BATCH_BYTES, "right")) - 1, min(first + 1, rows))
        cut = bounds[first : stop + 1]
        yield _aligned(cut - cut[0], found.items.take(pa.array(found.place[cut[0] : cut[-1]])).cast(_PLAIN))
        first = stop
        if first == rows:
            return


def _text_bytes(items: pa.Table) -> I64:
    texts = _ends(_lengths(pc.binary_length(pc.list_flatten(items["negatives"]))))
    negatives = np.diff(texts[_ends(_lengths(pc.list_value_length(items["negatives"])))])
    return sum((_lengths(pc.binary_length(items[name])) for name in ("source", "subset", "positive")), negatives)


def _lengths(lengths: pa.ChunkedArray) -> I64:
    return np.asarray(pc.fill_null(lengths, 0).to_numpy(), np.int64)


def _ends(lengths: I64) -> I64:
    return np.concatenate([[0], np.cumsum(lengths)])


def _aligned(bounds: I64, items: pa.Table) -> pa.RecordBatch:
    arrays = [
        pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type) for column in items.columns
    ]
    structs = pa.StructArray.from_arrays(arrays, fields=list(MERGED))
    lists = pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), structs, type=MERGE_SCHEMA.field(0).type)
    return pa.record_batch([lists], schema=MERGE_SCHEMA)
