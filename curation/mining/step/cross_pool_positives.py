"""Operation `answers`: what other pools answer to a pool's queries. The same question often stands in several sources.

Queries that are near-duplicates of each other share a cluster, whatever their sources. A document that answers one of
them answers all, so a pool has to know the clusters of positives that it does not hold itself: its documents, given
negatives above all, may say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from curation.tables.cross_pool import ANSWER_SCHEMA, ANSWERS
from open_ml_embed.core.array_types import I64
from open_ml_embed.core.engine import Outputs, Task
from open_ml_embed.core.store import Store


class AnswerSettings(BaseModel):
    """None: clusters say it all."""


@dataclass(frozen=True)
class AnswersRef:
    """Names of pools, and the rows shards of each."""

    pools: tuple[tuple[str, tuple[str, ...]], ...]


class Answers:
    """Operation, one task: the clusters of all pools to the answers that each lacks."""

    name: ClassVar[str] = ANSWERS
    version: ClassVar[int] = 2
    settings: ClassVar[BaseModel] = AnswerSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Write a table a pool; `task.payload` is an `AnswersRef`."""
        ref: AnswersRef = task.payload
        asked = [_asked(store, paths) for _, paths in ref.pools]
        clusters, pools = np.unique(np.concatenate([np.zeros(0, np.int64), *asked]), return_counts=True)
        shared = clusters[pools > 1]
        found = [_answers(store, paths, shared) for _, paths in ref.pools]
        pairs = np.concatenate([np.zeros((0, 2), np.int64), *found])
        owner = np.repeat(np.arange(len(found)), [len(one) for one in found])
        written = 0
        for number, ((name, _), own) in enumerate(zip(ref.pools, asked, strict=True)):
            others = np.unique(pairs[(owner != number) & np.isin(pairs[:, 0], own)], axis=0)
            table = pa.table([pa.array(column) for column in others.T], schema=ANSWER_SCHEMA)
            out.table("answers", table.to_batches(), ANSWER_SCHEMA, at=name)
            written += len(table)
        return {"shared_queries": len(shared), "answers": written}


def _asked(store: Store, paths: tuple[str, ...]) -> I64:
    """Return the query clusters of some shards, each once, ascending."""
    parts = [np.unique(_clusters(store, path, "query_cluster")) for path in paths]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))


def _answers(store: Store, paths: tuple[str, ...], shared: I64) -> I64:
    """Return the pairs of clusters, int64[pairs, 2], each once, for queries of `shared` clusters."""
    found = [np.zeros((0, 2), np.int64)]
    for path in paths:
        query = _clusters(store, path, "query_cluster")
        rows = np.flatnonzero(np.isin(query, shared))
        found.append(np.unique(np.stack([query[rows], _clusters(store, path, "document_cluster")[rows]], 1), axis=0))
    return np.unique(np.concatenate(found), axis=0)


def _clusters(store: Store, path: str, name: str) -> I64:
    return np.asarray(store.read_table(f"clusters/{path}.clusters.arrow", [name])[name].to_numpy())
