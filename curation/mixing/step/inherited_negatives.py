"""Negatives that a sample inherits from its merged duplicates.

Negatives inherited from merged duplicates were never checked for false negatives, because they were not candidates in
the pool of the sample. They are checked here, with the clusters of step `dedup`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.mining.masks import Masks, Ragged, build_masks, masked_by
from curation.mixing.step.pool import MixPool
from curation.mixing.step.provenance import InheritedTexts
from curation.tables.cross_pool import ANSWER_SCHEMA, answers_of
from open_ml_embed.core.array_types import I64, U64, Mask
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.store import Store
from open_ml_embed.core.text.arrays import list_starts


@dataclass(frozen=True)
class Answers:
    """Pairs of a query cluster and the cluster of a document that answers it, as the samples of a pool know them.

    They come from rows of the pool, from duplicates merged into its samples, and from rows of other pools.

    Attributes:
        query_cluster, document_cluster: int64[pairs] each; sorted by `query_cluster`.

    """

    query_cluster: I64
    document_cluster: I64

    def of(self, clusters: I64) -> tuple[I64, I64]:
        """Return the pairs with these query clusters (int64, ascending): two int64 arrays."""
        first = np.searchsorted(self.query_cluster, clusters)
        counts = np.searchsorted(self.query_cluster, clusters, side="right") - first
        starts = offsets_of(counts)
        at = np.arange(starts[-1]) + np.repeat(first - starts[:-1], counts)
        return self.query_cluster[at], self.document_cluster[at]


def answers_in(store: Store, pool: MixPool, merged_rows: I64, mined: str | None) -> Answers:
    """Collect the answers that the samples of a pool know.

    Args:
        store: of the build.
        pool: of the samples.
        merged_rows: int64, row numbers of the samples into which duplicates were merged, ascending.
        mined: name of the pool in step `mine`; null if no other pool can have answers.

    """
    query_cluster = pool.column(store, "clusters", "query_cluster")
    elsewhere = answers_of(store, mined) if mined else ANSWER_SCHEMA.empty_table()
    queries = [query_cluster, elsewhere["query_cluster"].to_numpy()]
    documents = [pool.column(store, "clusters", "document_cluster"), elsewhere["document_cluster"].to_numpy()]
    for rows in pool.blocks(merged_rows):
        merged = pool.read(store, "merges", rows, ["merged"])["merged"]
        queries.append(np.repeat(query_cluster[rows], np.diff(list_starts(merged))))
        documents.append(pc.struct_field(pc.list_flatten(merged), "document_cluster").to_numpy())
    query, document = np.concatenate(queries), np.concatenate(documents)
    order = np.lexsort((document, query))
    return Answers(query[order], document[order])


def admitted_negatives(
    negatives: InheritedTexts, exact: U64, query_cluster: I64, query_exact: U64, answers: Answers
) -> InheritedTexts:
    """Return the inherited negatives of n samples that are not masked.

    Masked are texts equal to the sample's query, and near-duplicates of a document that answers the query or a
    near-duplicate of it, in this pool or another.

    Args:
        negatives: of the n samples.
        exact: uint64[total], exact hashes of the negatives.
        query_cluster: int64[n], query clusters of the samples.
        query_exact: uint64[n], exact hashes of their queries.
        answers: of the pool.

    """
    total = len(negatives.cluster)
    if not total:
        return negatives
    rows = np.flatnonzero(np.diff(negatives.offsets))
    masks = build_masks(
        Ragged.empty(len(query_cluster)),
        negatives.cluster,
        query_cluster=query_cluster,
        elsewhere=answers.of(np.unique(query_cluster[rows])),
        texts=(query_exact, exact),
    )
    kept = np.zeros(total, bool)
    _admit(masks, rows, negatives.offsets, kept)
    kept_before = offsets_of(kept)
    return InheritedTexts(
        kept_before[negatives.offsets], negatives.text.filter(pa.array(kept)), negatives.cluster[kept]
    )


@njit
def _admit(masks: Masks, rows: I64, offsets: I64, kept: Mask) -> None:
    for row in rows:
        for i in range(offsets[row], offsets[row + 1]):
            kept[i] = masked_by(masks, row, i) == 0
