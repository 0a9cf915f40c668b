"""Operation `answers`: positives that other pools have for the queries of a pool.

The same question often occurs in several sources. Near-duplicate queries share a cluster across all sources, and a
document that answers one of them answers all. So a pool needs the document clusters of positives in other pools: its
own documents, given negatives in particular, may be near-duplicates of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from curation.tables.cross_pool import ANSWER_SCHEMA, ANSWERS
from open_ml_embed.core.array_types import I64
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import NoSettings, Outputs, Task


@dataclass(frozen=True)
class AnswersRef:
    """Payload of a task: the names of the pools, and the paths of the rows shards of each."""

    pools: tuple[tuple[str, tuple[str, ...]], ...]


class Answers:
    """Operation: from the clusters of all pools, in one task, the answers in other pools, one table for each pool."""

    name: ClassVar[str] = ANSWERS
    version: ClassVar[int] = 2
    settings: ClassVar[BaseModel] = NoSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Write a table for each pool; `task.payload` is an `AnswersRef`."""
        ref: AnswersRef = task.payload
        query_clusters = [_query_clusters(store, paths) for _, paths in ref.pools]
        clusters, pools = np.unique(np.concatenate([np.zeros(0, np.int64), *query_clusters]), return_counts=True)
        shared = clusters[pools > 1]
        pairs_of = [_answer_pairs(store, paths, shared) for _, paths in ref.pools]
        pairs = np.concatenate([np.zeros((0, 2), np.int64), *pairs_of])
        owner = np.repeat(np.arange(len(pairs_of)), [len(one) for one in pairs_of])
        written = 0
        for number, ((name, _), clusters_of_pool) in enumerate(zip(ref.pools, query_clusters, strict=True)):
            others = np.unique(pairs[(owner != number) & np.isin(pairs[:, 0], clusters_of_pool)], axis=0)
            table = pa.table([pa.array(column) for column in others.T], schema=ANSWER_SCHEMA)
            out.table("answers", table.to_batches(), ANSWER_SCHEMA, at=name)
            written += len(table)
        return {"shared_queries": len(shared), "answers": written}


def _query_clusters(store: Store, paths: tuple[str, ...]) -> I64:
    """Return the distinct query clusters of these shards, int64, ascending."""
    parts = [np.unique(_clusters(store, path, "query_cluster")) for path in paths]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))


def _answer_pairs(store: Store, paths: tuple[str, ...], shared: I64) -> I64:
    """Return the distinct pairs (query cluster, document cluster), int64[pairs, 2], of queries in `shared` clusters."""
    parts = [np.zeros((0, 2), np.int64)]
    for path in paths:
        query = _clusters(store, path, "query_cluster")
        rows = np.flatnonzero(np.isin(query, shared))
        parts.append(np.unique(np.stack([query[rows], _clusters(store, path, "document_cluster")[rows]], 1), axis=0))
    return np.unique(np.concatenate(parts), axis=0)


def _clusters(store: Store, path: str, name: str) -> I64:
    return np.asarray(store.read_table(f"clusters/{path}.clusters.arrow", [name])[name].to_numpy())
