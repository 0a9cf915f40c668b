"""Operation `merges`: copies the data of duplicates to the row that is kept for them, so that no data is lost."""

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
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.store import Store, flat
from open_ml_embed.core.task import Outputs, Task
from open_ml_embed.core.text.arrays import list_starts, one_array

GIVEN = pa.struct(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("exact", pa.uint64(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
    ]
)
"""A given negative: its text, its exact hash and its document cluster."""
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
"""Row-aligned with the rows shard: the duplicates of each kept row, in order of (source priority, row id). `query` and
`positive` are null where they differ only in case and white space from the text of the kept row or of a near-duplicate
in the same list. In the class families a sample is defined by its text and its label, so exact duplicates may have
different positives. `document_cluster` is the cluster of the positive; `negatives` are the row's given negatives."""
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
"""Bytes of shard files whose dropped rows are in memory at once: those of as many kept shards as fit, at least one."""
BATCH_BYTES = 1 << 30
"""Bytes of text in a record batch, half of what 32-bit offsets can address."""
GIVEN_BYTES = 16
"""Bytes of a given negative in addition to its text."""


class Merge:
    """Operation, one task: attach dropped rows to the rows that were kept for them."""

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
            gathered = _gathered(store, corpus, dropped, here)
            for number in group:
                rows = np.arange(starts[number], starts[number + 1] + 1)
                batches = _batches(np.searchsorted(dropped.kept[here], rows), gathered)
                out.table("merges", batches, MERGE_SCHEMA, at=corpus.shards[number].path)
        return {"merged": len(home), "across_sources": int((sources[home] != sources[origin]).sum())}


@dataclass(frozen=True)
class _Dropped:
    """Dropped rows, sorted by number of the kept row and then by rank.

    Attributes:
        rows: int64[d], numbers of the dropped rows.
        kept: int64[d], numbers of the rows that were kept for them, ascending.
        near: bool[d], whether the row is a near-duplicate.
        same_query, same_document: bool[d], whether the text equals that of the kept row (for a near-duplicate) or that
            of the row with an equal sample (for an exact duplicate).

    """

    rows: I64
    kept: I64
    near: Mask
    same_query: Mask
    same_document: Mask


def _dropped(store: Store, corpus: Corpus) -> _Dropped:
    ranks, row_of = flat(store, ORDER, "rank", "row")
    keeper, leaders = kept_samples(store)
    row_parts = [np.zeros(0, np.int64)]
    for start, stop in pairwise(corpus.starts.tolist()):
        here = ranks[start:stop]
        row_parts.append(np.flatnonzero(keeper[here] != here) + start)
    rows = np.concatenate(row_parts)
    rank: U32 = ranks[rows]
    home = row_of[keeper[rank]].astype(np.int64)
    order = np.lexsort((rank, home))
    rank, leader = rank[order], leaders[rank[order]]
    near = leader == rank
    reference = np.where(near, keeper[rank], leader)
    same = [folded(store, field) for field in ("query", "document")]
    return _Dropped(rows[order], home[order], near, *(of[reference] == of[rank] for of in same))


def _bytes_a_row(store: Store, corpus: Corpus) -> F64:
    files = [f"rows/{shard.path}.rows.arrow" for shard in corpus.shards]
    sizes = store.sizes(files)
    return np.array([sizes[file] for file in files], np.float64) / [max(shard.rows, 1) for shard in corpus.shards]


def _groups(sizes: Array) -> Iterator[range]:
    """Cut the shards into runs of at most `GATHERED_BYTES` each, at least one shard."""
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
    """Dropped rows, ready to be written as list items.

    Attributes:
        items: one line for each dropped row, by row number.
        place: int64[n], indices into `items` in the order of kept row and rank.
        ends: int64[n + 1], bytes of text before each item in that order.

    """

    items: pa.Table
    place: I64
    ends: I64


def _gathered(store: Store, corpus: Corpus, dropped: _Dropped, here: slice) -> _Gathered:
    """Read the dropped rows of a slice; each shard is read at most once."""
    order = np.argsort(dropped.rows[here])
    rows = dropped.rows[here][order]
    flags = [values[here][order] for values in (dropped.near, dropped.same_query, dropped.same_document)]
    starts = corpus.starts
    parts = [_WIDE.empty_table()]
    for shard, start, bounds in zip(corpus.shards, starts[:-1], pairwise(np.searchsorted(rows, starts)), strict=True):
        cut = slice(*bounds)
        if len(rows[cut]):
            parts.append(_items(store, shard, rows[cut] - start, *(values[cut] for values in flags)))
    items = pa.concat_tables(parts).combine_chunks()
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return _Gathered(items, place, _ends(_text_bytes(items)[place]))


def _items(store: Store, shard: ShardRef, rows: I64, near: Mask, same_query: Mask, same_document: Mask) -> pa.Table:
    """Return rows of a shard as list items with schema `_WIDE`, since all shards together may exceed 32-bit offsets."""
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
    """Return the given negatives of rows of a shard, with hashes and clusters, as lists with schema `_WIDE`."""
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


def _batches(bounds: I64, gathered: _Gathered) -> Iterator[pa.RecordBatch]:
    """Yield a shard's lists in batches of at most `BATCH_BYTES`; row i has the items `bounds[i]` to `bounds[i + 1]`."""
    ends = gathered.ends[bounds]
    first, rows = 0, len(bounds) - 1
    while True:
        stop = max(int(np.searchsorted(ends, ends[first] + BATCH_BYTES, "right")) - 1, min(first + 1, rows))
        cut = bounds[first : stop + 1]
        yield _aligned(cut - cut[0], gathered.items.take(pa.array(gathered.place[cut[0] : cut[-1]])).cast(_PLAIN))
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
