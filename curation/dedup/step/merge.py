"""Operation `merges`: what a kept row takes over from its duplicates. Nothing that a source said is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.dedup.settings import DedupSettings
from curation.dedup.step.candidates import folded
from curation.dedup.step.ranks import ORDER
from curation.dedup.step.sample_pairs import kept_samples
from curation.dedup.step.shards import Corpus, ShardRef
from open_ml_embed.core.array_types import F64, I64, U32, Array, Mask
from open_ml_embed.core.engine import Outputs, Task
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.store import Store, flat
from open_ml_embed.core.text.arrays import list_starts, one_array

GIVEN = pa.struct(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("exact", pa.uint64(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
    ]
)
"""A negative that a source gave: its text, its exact hash, and its document cluster."""
MERGED = pa.struct(
    [
        pa.field("row_id", pa.binary(16), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("subset", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("query", pa.string()),
        pa.field("positive", pa.string()),
        pa.field("document_cluster", pa.int64(), nullable=False),
        pa.field("negatives", pa.list_(pa.field("item", GIVEN, nullable=False)), nullable=False),
    ]
)
MERGE_SCHEMA = pa.schema([pa.field("merged", pa.list_(pa.field("item", MERGED, nullable=False)), nullable=False)])
"""Row-aligned with the rows shard: the duplicates that a kept row stands for, in order of (source priority, row id).
`query` and `positive` are null where they only repeat, but for case and white space, what the kept row or a
near-duplicate in the same list has. In the class families a sample is its text and its label, so that exact duplicates
may have other positives. `document_cluster` is the positive's; `negatives` are those that its source gave."""
COLUMNS = ["row_id", "source", "subset", "query", "positive", "negatives"]
_PLAIN = pa.schema(list(MERGED))
_WIDE_GIVEN = pa.struct([f.with_type(pa.large_string()) if f.name == "text" else f for f in GIVEN])
_WIDE = pa.schema(
    [
        f.with_type(
            {
                "row_id": f.type,
                "document_cluster": f.type,
                "negatives": pa.large_list(pa.field("item", _WIDE_GIVEN, nullable=False)),
            }.get(f.name, pa.large_string())
        )
        for f in MERGED
    ]
)
GATHERED_BYTES = 1 << 29
"""Dropped rows are in memory for as many kept shards at once as they fill so many bytes of shard files, or for one."""
BATCH_BYTES = 1 << 30
"""Text in a record batch: 32-bit offsets reach twice as far."""
GIVEN_BYTES = 16
"""Of a given negative beside its text."""


class Merge:
    """Operation, one task: dropped rows to the rows that were kept for them."""

    name: ClassVar[str] = "merges"
    version: ClassVar[int] = 3

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
        same_query, same_document: whether their text is that of the row they stand for or, of exact duplicates, of the
            row they equal.

    """

    rows: I64
    kept: I64
    near: Mask
    same_query: Mask
    same_document: Mask


def _dropped(store: Store, corpus: Corpus) -> _Dropped:
    ranks, row_of = flat(store, ORDER, "rank", "row")
    keeper, leaders = kept_samples(store)
    found = [np.zeros(0, np.int64)]
    for start, stop in pairwise(corpus.starts.tolist()):
        here = ranks[start:stop]
        found.append(np.flatnonzero(keeper[here] != here) + start)
    rows = np.concatenate(found)
    rank: U32 = ranks[rows]
    home = row_of[keeper[rank]].astype(np.int64)
    order = np.lexsort((rank, home))
    rank, leader = rank[order], leaders[rank[order]]
    near = leader == rank
    told_by = np.where(near, keeper[rank], leader)
    same = [folded(store, field) for field in ("query", "document")]
    return _Dropped(rows[order], home[order], near, *(of[told_by] == of[rank] for of in same))


def _bytes_a_row(store: Store, corpus: Corpus) -> F64:
    files = (f"rows/{shard.path}.rows.arrow" for shard in corpus.shards)
    sizes = [store.fs.size(store.full(file)) for file in files]
    return np.array(sizes, np.float64) / [max(shard.rows, 1) for shard in corpus.shards]


def _groups(sizes: Array) -> Iterator[range]:
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
    flags = [values[here][order] for values in (dropped.near, dropped.same_query, dropped.same_document)]
    starts = corpus.starts
    parts = [_WIDE.empty_table()]
    for shard, start, bounds in zip(corpus.shards, starts[:-1], pairwise(np.searchsorted(rows, starts)), strict=True):
        cut = slice(*bounds)
        if len(rows[cut]):
            parts.append(_told(store, shard, rows[cut] - start, *(values[cut] for values in flags)))
    items = pa.concat_tables(parts).combine_chunks()
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return _Gathered(items, place, _ends(_text_bytes(items)[place]))


def _told(store: Store, shard: ShardRef, rows: I64, near: Mask, same_query: Mask, same_document: Mask) -> pa.Table:
    """Return some rows of a shard as items of lists, in `_WIDE`: those of all shards may not fit 32-bit offsets."""
    table = store.read_rows(f"rows/{shard.path}.rows.arrow", rows, COLUMNS)
    clusters = store.read_rows(f"clusters/{shard.path}.clusters.arrow", rows, ["document_cluster", "negative_clusters"])
    none = pa.scalar(None, pa.string())
    columns = [
        table["row_id"],
        table["source"],
        table["subset"],
        pc.if_else(pa.array(near), "near-duplicate", "exact-duplicate"),
        pc.if_else(pa.array(same_query), none, table["query"]),
        pc.if_else(pa.array(same_document), none, table["positive"]),
        clusters["document_cluster"],
        _given(store, shard, rows, table["negatives"], clusters["negative_clusters"]),
    ]
    return pa.table(columns, names=_WIDE.names).cast(_WIDE)


def _given(store: Store, shard: ShardRef, rows: I64, texts: pa.ChunkedArray, clusters: pa.ChunkedArray) -> pa.Array:
    """Return the negatives of some rows of a shard with hashes and clusters, as lists in `_WIDE`."""
    starts = list_starts(texts)
    exact = np.zeros(0, np.uint64)
    if starts[-1]:
        counts = store.read_table(f"signatures/{shard.path}.signatures.arrow", ["negatives"])["negatives"].to_numpy()
        before = offsets_of(counts)
        lengths = np.diff(starts)
        numbers = np.repeat(before[rows] - starts[:-1], lengths) + np.arange(starts[-1])
        path = f"signatures/{shard.path}.negatives.arrow"
        exact = store.read_rows(path, numbers, ["document_exact"])["document_exact"].to_numpy()
    wide = pc.list_flatten(texts).cast(pa.large_string())
    arrays = [one_array(wide), pa.array(exact), pa.array(pc.list_flatten(clusters).to_numpy())]
    given = pa.StructArray.from_arrays(arrays, fields=list(_WIDE_GIVEN))
    return pa.LargeListArray.from_arrays(pa.array(starts), given, type=_WIDE.field("negatives").type)


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
    given = pc.struct_field(pc.list_flatten(items["negatives"]), "text")
    texts = _ends(_lengths(pc.binary_length(given)) + GIVEN_BYTES)
    negatives = np.diff(texts[_ends(_lengths(pc.list_value_length(items["negatives"])))])
    named = ("source", "subset", "query", "positive")
    return sum((_lengths(pc.binary_length(items[name])) for name in named), negatives)


def _lengths(lengths: pa.ChunkedArray) -> I64:
    return np.asarray(pc.fill_null(lengths, 0).to_numpy(), np.int64)


def _ends(lengths: I64) -> I64:
    return offsets_of(lengths)


def _aligned(bounds: I64, items: pa.Table) -> pa.RecordBatch:
    arrays = [
        pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type) for column in items.columns
    ]
    structs = pa.StructArray.from_arrays(arrays, fields=list(MERGED))
    lists = pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), structs, type=MERGE_SCHEMA.field(0).type)
    return pa.record_batch([lists], schema=MERGE_SCHEMA)
