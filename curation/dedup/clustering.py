"""Operations that end the search: verified clusters of one field, and the row-aligned tables of all."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from curation.dedup.candidates import Pairs, folded
from curation.dedup.joining import join
from curation.dedup.minhash import U32
from curation.dedup.ordering import ORDER
from curation.dedup.shards import Corpus, flat
from curation.dedup.shingling import sets_of
from curation.dedup.signing import FIELDS
from curation.engine import Outputs, Task
from curation.settings import DedupSettings
from curation.store import Store

JOINED_SCHEMA = pa.schema([pa.field(name, pa.uint32(), nullable=False) for name in ("rank", "keeper", "component")])
"""Rows that stand in a candidate pair, by rank (`joining.Joined`)."""

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
priority, row id) order. Every row of a sample cluster resembles the one that is kept; the clusters of queries and of
documents are whole components, so that no two rows that resemble each other are ever in different ones."""


class Join:
    """Operation, one task a field: candidate pairs to clusters."""

    name: ClassVar[str] = "dedup/joined"
    version: ClassVar[int] = 1

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Cluster one field; `task.payload` is a `Corpus`, the task's path the field."""
        pairs = store.read_table(f"{Pairs.name}/{task.path}.pairs.arrow")["pair"].to_numpy()
        found = join(pairs, sets_of(store, task.payload, task.path), self.settings.threshold)
        table = pa.table([found.ranks, found.keeper, found.component], schema=JOINED_SCHEMA)
        out.table("joined", table.to_batches(), JOINED_SCHEMA, compressed=False)
        return {
            "candidate_pairs": len(pairs),
            "verified_pairs": found.verified,
            "near_duplicates": int((found.keeper != found.ranks).sum()),
            "chains_cut": found.chains,
        }


def kept(store: Store, field: str, column: str) -> tuple[U32, U32]:
    """Return, by rank, the rank of the row that stays for each row, and that of its exact group's leader.

    Args:
        store: of the build.
        field: of `signing.FIELDS`.
        column: `keeper`, or `component` for the first row of the whole component.

    """
    leaders = folded(store, field)
    ranks, chosen = flat(store, f"{Join.name}/{field}.joined.arrow", "rank", column)
    keeper = np.arange(len(leaders), dtype=np.uint32)
    keeper[ranks] = chosen
    return keeper[leaders], leaders


class Cluster:
    """Operation, one task: the clusters of all fields, row-aligned, a table a shard."""

    name: ClassVar[str] = "clusters"
    version: ClassVar[int] = 2

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Write the tables; `task.payload` is a `Corpus`."""
        corpus: Corpus = task.payload
        ranks, number = flat(store, ORDER, "rank", "number")
        columns = {}
        for field in FIELDS:
            keeper, leaders = kept(store, field, "keeper" if field == "sample" else "component")
            columns[f"{field}_cluster"] = number[keeper][ranks]
            if field == "sample":
                own = np.arange(corpus.rows, dtype=np.uint32)
                verdict = np.where(keeper == own, 0, np.where(leaders == own, 2, 1)).astype(np.int8)[ranks]
        reasons = pa.array([None, "exact-duplicate", "near-duplicate"])
        for shard, start in zip(corpus.shards, corpus.starts[:-1].tolist(), strict=True):
            here = slice(start, start + shard.rows)
            reason = reasons.take(pa.array(verdict[here]))
            clusters = [pa.array(columns[f"{field}_cluster"][here]) for field in FIELDS]
            batch = pa.record_batch([pa.array(verdict[here] == 0), reason, *clusters], schema=CLUSTER_SCHEMA)
            out.table("clusters", [batch], CLUSTER_SCHEMA, at=shard.path)
        return {"kept": int((verdict == 0).sum())}
