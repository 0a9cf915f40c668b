"""Operation `clusters`: every row's clusters and whether it is kept, in one row-aligned table for each shard."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from curation.dedup.settings import DedupSettings
from curation.dedup.step.components import component_of
from curation.dedup.step.ranks import numbers_of, ranks_of
from curation.dedup.step.sample_pairs import kept_samples
from curation.dedup.step.shards import Corpus
from curation.dedup.step.signatures import FIELDS
from open_ml_embed.core.array_types import I64, U32
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Outputs, Task

CLUSTER_SCHEMA = pa.schema(
    [
        pa.field("keep", pa.bool_(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("sample_cluster", pa.int64(), nullable=False),
        pa.field("query_cluster", pa.int64(), nullable=False),
        pa.field("document_cluster", pa.int64(), nullable=False),
        pa.field("negative_clusters", pa.list_(pa.field("item", pa.int64(), nullable=False)), nullable=False),
    ]
)
"""Row-aligned with the rows shard. A cluster's number comes from the row id of its first row in (source priority, row
id) order, or from the text's hash if none of its texts is a positive. Every row of a sample cluster resembles the kept
row on both sides. The clusters of queries and documents are whole connected components, so that two similar texts are
never in different clusters. `negative_clusters` are the document clusters of the given negatives."""
REASONS = (None, "exact-duplicate", "near-duplicate")


class Cluster:
    """Operation, one task: number the clusters of samples, queries and documents."""

    name: ClassVar[str] = "clusters"
    version: ClassVar[int] = 3

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Write the tables; `task.payload` is a `Corpus`."""
        corpus: Corpus = task.payload
        ranks = ranks_of(store, "query")
        keeper, leaders = kept_samples(store)
        identity = np.arange(corpus.rows, dtype=np.uint32)
        verdict = np.where(keeper == identity, 0, np.where(leaders == identity, 2, 1)).astype(np.int8)[ranks]
        columns = {"sample": numbers_of(store, "query")[keeper][ranks]}
        columns |= {field: _numbers(store, field) for field in FIELDS}
        counts = corpus.column(store, ["negatives"], np.int32)["negatives"]
        reasons = pa.array(REASONS)
        starts = zip(corpus.shards, corpus.starts[:-1].tolist(), corpus.negative_starts[:-1].tolist(), strict=True)
        of_source: dict[str, I64] = {}
        for shard, start, first in starts:
            here = slice(start, start + shard.rows)
            offsets = offsets_of(counts[here]).astype(np.int32)
            given = pa.array(columns["document"][first : first + shard.negatives])
            batch = pa.record_batch(
                [
                    pa.array(verdict[here] == 0),
                    reasons.take(pa.array(verdict[here])),
                    *(pa.array(columns[name][here]) for name in ("sample", *FIELDS)),
                    pa.ListArray.from_arrays(pa.array(offsets), given).cast(CLUSTER_SCHEMA.field(5).type),
                ],
                schema=CLUSTER_SCHEMA,
            )
            out.table("clusters", [batch], CLUSTER_SCHEMA, at=shard.path)
            counted = np.bincount(verdict[here], minlength=len(REASONS))
            of_source[shard.source] = of_source.get(shard.source, np.zeros(len(REASONS), np.int64)) + counted
        return {
            "kept": int((verdict == 0).sum()),
            "sources": {
                name: {
                    "rows": int(counted.sum()),
                    "exact_duplicates": int(counted[1]),
                    "near_duplicates": int(counted[2]),
                }
                for name, counted in sorted(of_source.items())
            },
        }


def _numbers(store: Store, field: str) -> I64:
    """Return the cluster number of every text of a field, indexed by the text's number."""
    component: U32 = component_of(store, field)
    return numbers_of(store, field)[component][ranks_of(store, field)]
