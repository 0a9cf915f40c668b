"""Operation `clusters`: hashes of all shards to verified clusters of samples, queries and documents.

No shuffle: one band's column of all shards at a time is sorted, runs of equal values are candidates, candidates are
verified by the true Jaccard index of their shingles, and scipy joins the rest. Exact duplicates are folded first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curation.dedup.minhash import jaccard
from curation.dedup.signing import FIELDS, field_tokens
from curation.engine import Outputs, Task
from curation.settings import DedupSettings
from curation.store import Store
from curation.text.tokens import I64, U64, Tokens

CLUSTER_SCHEMA = pa.schema(
    [
        pa.field("keep", pa.bool_(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("sample_cluster", pa.int64(), nullable=False),
        pa.field("query_cluster", pa.int64(), nullable=False),
        pa.field("document_cluster", pa.int64(), nullable=False),
    ]
)
"""Row-aligned with the rows shard. A cluster's number is drawn from the row id of its first row in (source
priority, row id) order, so it does not change when other sources come or go."""


@dataclass(frozen=True)
class ShardRef:
    """A rows shard as the global step sees it."""

    path: str
    rows: int
    family: str
    priority: int


class Cluster:
    """Operation, one task: all shards to a row-aligned clusters table each."""

    name: ClassVar[str] = "clusters"
    version: ClassVar[int] = 1

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Cluster everything; `task.payload` is a list of `ShardRef` in global row order."""
        shards: list[ShardRef] = task.payload
        order = _Order(store, shards)
        columns: dict[str, npt.NDArray[Any]] = {}
        stats: dict[str, Any] = {}
        for field in FIELDS:
            leader, exact_of = _leaders(store, shards, field, order, self.settings, stats)
            columns[f"{field}_cluster"] = order.number[leader]
            if field == "sample":
                rows = np.arange(len(leader))
                columns["keep"] = leader == rows
                columns["reason"] = np.full(len(leader), "near-duplicate", object)
                columns["reason"][exact_of != rows] = "exact-duplicate"
                columns["reason"][columns["keep"]] = None
        start = 0
        for shard in shards:
            cut = slice(start, start + shard.rows)
            arrays = [pa.array(columns[name][cut], CLUSTER_SCHEMA.field(name).type) for name in CLUSTER_SCHEMA.names]
            table = pa.table(arrays, schema=CLUSTER_SCHEMA)
            out.table("clusters", table.to_batches(), CLUSTER_SCHEMA, at=shard.path)
            start += shard.rows
        return stats


class _Order:
    """Who stays of a cluster: rank by (source priority, row id, place), and each row's cluster number."""

    def __init__(self, store: Store, shards: list[ShardRef]) -> None:
        ids = [_id_words(store, shard) for shard in shards]
        high, low = (np.concatenate([words[i] for words in ids]) if ids else np.zeros(0, np.uint64) for i in (0, 1))
        priority = np.repeat([s.priority for s in shards], [s.rows for s in shards])
        by_rank = np.lexsort((low, high, priority))
        self.rank: I64 = np.empty(len(by_rank), np.int64)
        self.rank[by_rank] = np.arange(len(by_rank))
        self.number = (high >> np.uint64(1)).astype(np.int64)


def _id_words(store: Store, shard: ShardRef) -> tuple[U64, U64]:
    ids = store.read_table(f"rows/{shard.path}.rows.arrow", ["row_id"])["row_id"].combine_chunks()
    raw = b"".join(ids.to_pylist()) if isinstance(ids, pa.ChunkedArray) else _bytes_of(ids)
    words = np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, 2)
    return words[:, 0], words[:, 1]


def _bytes_of(ids: pa.Array) -> bytes:
    return bytes(ids.buffers()[1])[ids.offset * 16 : (ids.offset + len(ids)) * 16]


def _leaders(
    store: Store, shards: list[ShardRef], field: str, order: _Order, settings: DedupSettings, stats: dict[str, Any]
) -> tuple[I64, I64]:
    """Return, for every row, the first row of its cluster and the first row with exactly its text."""
    exact = _column(store, shards, f"{field}_exact")
    exact_of = _first_equal(exact, order.rank)
    folded = exact_of == np.arange(len(exact))
    pairs = np.zeros(0, np.uint64)
    for band in range(settings.bands):
        found = _run_pairs(_column(store, shards, f"{field}_band_{band:02d}"), folded, order.rank)
        pairs = np.union1d(pairs, found)
    n = np.uint64(max(len(exact), 1))
    left, right = (pairs // n).astype(np.int64), (pairs % n).astype(np.int64)
    verified = _verify(store, shards, field, left, right, settings)
    left, right = left[verified], right[verified]
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), (len(exact), len(exact)))
    _, component = connected_components(graph, directed=False)
    leader = _first_equal(component.astype(np.uint64), order.rank)[exact_of]
    rows = np.arange(len(exact))
    stats[field] = {
        "rows": len(exact),
        "clusters": int((leader == rows).sum()),
        "exact_duplicates": int((~folded).sum()),
        "near_duplicates": int((folded & (leader != rows)).sum()),
        "candidate_pairs": len(pairs),
        "verified_pairs": len(left),
    }
    return leader, exact_of


def _column(store: Store, shards: list[ShardRef], name: str) -> U64:
    parts = [store.read_table(f"signatures/{shard.path}.signatures.arrow", [name])[name].to_numpy() for shard in shards]
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def _first_equal(values: U64, rank: I64) -> I64:
    """Return, for every row, the row of lowest rank that has the same value."""
    by_value = np.lexsort((rank, values))
    starts = np.ones(len(values), bool)
    starts[1:] = values[by_value][1:] != values[by_value][:-1]
    first = by_value[np.maximum.accumulate(np.where(starts, np.arange(len(values)), 0))]
    result = np.empty(len(values), np.int64)
    result[by_value] = first
    return result


def _run_pairs(band: U64, folded: npt.NDArray[np.bool_], rank: I64) -> U64:
    """Return candidate pairs of one band, packed as `left · n + right`, left of lower rank.

    In a run of equal values every row meets the run's first row and its own neighbour: linear in the run, where
    all pairs would be quadratic.
    """
    rows = np.flatnonzero(folded & (band != 0))
    rows = rows[np.lexsort((rank[rows], band[rows]))]
    values = band[rows]
    same = values[1:] == values[:-1]
    starts = np.concatenate([[True], ~same]) if len(rows) else np.zeros(0, bool)
    first = rows[np.maximum.accumulate(np.where(starts, np.arange(len(rows)), 0))] if len(rows) else rows
    left = np.concatenate([first[1:][same], rows[:-1][same]]).astype(np.uint64)
    right = np.concatenate([rows[1:][same], rows[1:][same]]).astype(np.uint64)
    return np.unique(left * np.uint64(len(band)) + right)


def _verify(
    store: Store, shards: list[ShardRef], field: str, left: I64, right: I64, settings: DedupSettings
) -> npt.NDArray[np.bool_]:
    """Tell which pairs of rows have a true Jaccard index of at least the threshold."""
    needed = np.unique(np.concatenate([left, right]))
    tokens = _tokens_of_rows(store, shards, field, needed)
    similarity = jaccard(tokens, np.searchsorted(needed, left), np.searchsorted(needed, right), settings.shingle)
    return np.asarray(similarity >= settings.threshold)


def _tokens_of_rows(store: Store, shards: list[ShardRef], field: str, rows: I64) -> Tokens:
    hashes, lengths, start = [np.zeros(0, np.uint64)], [np.zeros(1, np.int64)], 0
    for shard in shards:
        here = rows[(rows >= start) & (rows < start + shard.rows)] - start
        start += shard.rows
        if len(here):
            table = store.read_table(f"rows/{shard.path}.rows.arrow", ["query", "positive", "label"]).take(here)
            tokens = field_tokens(table, shard.family, field)
            hashes.append(tokens.hashes)
            lengths.append(np.diff(tokens.offsets))
    return Tokens(np.concatenate(hashes), np.cumsum(np.concatenate(lengths)), np.zeros(len(rows), np.uint64))
