"""Operation `answers`: what other pools answer to a pool's queries. The same question often stands in several sources.

Queries that are near-duplicates of each other share a cluster, whatever their sources. A document that answers one of
them answers all, so a pool has to know the positives that it does not hold itself: its documents, given negatives
above all, may say the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from curation.engine import Outputs, Task
from curation.store import Store
from curation.text.tokens import I64

ANSWER_SCHEMA = pa.schema(
    [
        pa.field("query_cluster", pa.int64(), nullable=False),
        pa.field("document_cluster", pa.int64(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
    ]
)
"""One line a pair of clusters that a row of another pool links; `path` and `row` say where the positive stands."""
CLUSTERS = ["query_cluster", "document_cluster"]


class AnswerSettings(BaseModel):
    """None: clusters say it all."""


@dataclass(frozen=True)
class AnswersRef:
    """Names of pools, and the rows shards of each."""

    pools: tuple[tuple[str, tuple[str, ...]], ...]


class Answers:
    """Operation, one task: the clusters of all pools to the answers that each lacks."""

    name: ClassVar[str] = "answers"
    version: ClassVar[int] = 1
    settings: ClassVar[BaseModel] = AnswerSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Write a table a pool; `task.payload` is an `AnswersRef`."""
        ref: AnswersRef = task.payload
        asked = [_asked(store, paths) for _, paths in ref.pools]
        clusters, pools = np.unique(np.concatenate([np.zeros(0, np.int64), *asked]), return_counts=True)
        shared = clusters[pools > 1]
        found = [_answers(store, paths, shared) for _, paths in ref.pools]
        table = pa.concat_tables([ANSWER_SCHEMA.empty_table(), *found])
        owner = np.repeat(np.arange(len(found)), [len(one) for one in found])
        query, document = (table[name].to_numpy() for name in CLUSTERS)
        written = 0
        for number, ((name, _), own) in enumerate(zip(ref.pools, asked, strict=True)):
            others = np.flatnonzero((owner != number) & np.isin(query, own))
            first = np.unique(np.stack([query[others], document[others]], 1), axis=0, return_index=True)[1]
            taken = table.take(pa.array(np.sort(others[first])))
            out.table("answers", taken.to_batches(), ANSWER_SCHEMA, at=name)
            written += len(taken)
        return {"shared_queries": len(shared), "answers": written}


def answers_of(store: Store, pool: str) -> pa.Table:
    """Return what other pools answer to the queries of one, as `ANSWER_SCHEMA` has it."""
    return store.read_table(f"{Answers.name}/{pool}.answers.arrow")


def answer_texts(store: Store, answers: pa.Table) -> Iterator[pa.Array]:
    """Yield the positives that a table of answers names, in its order, as large_string."""
    path, row = answers["path"].to_numpy(zero_copy_only=False), answers["row"].to_numpy()
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, len(row)), bool), path[1:] != path[:-1]])).tolist()
    for first, last in pairwise([*starts, len(row)]):
        texts = store.read_rows(f"rows/{path[first]}.rows.arrow", row[first:last], ["positive"])["positive"]
        yield from (piece.cast(pa.large_string()) for piece in texts.chunks)


def _asked(store: Store, paths: tuple[str, ...]) -> I64:
    """Return the query clusters of some shards, each once, ascending."""
    parts = [np.unique(_clusters(store, path, "query_cluster")) for path in paths]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))


def _answers(store: Store, paths: tuple[str, ...], shared: I64) -> pa.Table:
    """Return the pairs of clusters, and where they stand first, for queries of `shared` clusters."""
    tables = [ANSWER_SCHEMA.empty_table()]
    for path in paths:
        query = _clusters(store, path, "query_cluster")
        rows = np.flatnonzero(np.isin(query, shared))
        pairs = np.stack([query[rows], _clusters(store, path, "document_cluster")[rows]], 1)
        first = np.unique(pairs, axis=0, return_index=True)[1]
        first.sort()
        columns = [*pairs[first].T, pa.array([path] * len(first), pa.string()), rows[first].astype(np.int32)]
        tables.append(pa.table([pa.array(column) for column in columns], schema=ANSWER_SCHEMA))
    return pa.concat_tables(tables)


def _clusters(store: Store, path: str, name: str) -> I64:
    return np.asarray(store.read_table(f"clusters/{path}.clusters.arrow", [name])[name].to_numpy())
