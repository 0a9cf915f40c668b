"""Negatives that a sample inherits from its merged duplicates.

Negatives inherited from merged duplicates were never checked for false negatives, because they were not candidates in
the pool of the sample. They are checked here, with the clusters of step `dedup`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.mining.masks import Masks, Ragged, build_masks, masked_by
from curation.mixing.step.select import PoolState
from curation.tables.cross_pool import ANSWER_SCHEMA, answers_of
from open_ml_embed.core.array_types import I64, U64, Mask
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.store import Store


class GivenNegatives(NamedTuple):
    """Given negatives of the duplicates of n samples; each text occurs once for each sample.

    Attributes:
        offsets: int64[n + 1].
        text: large_string[total], the texts of all samples.
        exact, cluster: uint64[total] and int64[total], exact hash and document cluster of each text.

    """

    offsets: I64
    text: pa.Array
    exact: U64
    cluster: I64


class MixSamples(NamedTuple):
    """Samples of a mix from one pool, and documents that are known to answer them.

    Attributes:
        pool: source and subset of the samples.
        mined: name of the pool in step `mine`; null if no other pool can hold answers.
        query_cluster: int64[rows], query clusters of all rows of `pool`.
        chosen: int64[n], row numbers of the samples.
        query_exact: uint64[n], exact hashes of their queries.
        others: document clusters of the positives of each sample's duplicates.

    """

    pool: PoolState
    mined: str | None
    query_cluster: I64
    chosen: I64
    query_exact: U64
    others: tuple[I64, I64]
    """int64[n + 1] offsets, and int64[total] clusters."""


def admitted_negatives(store: Store, samples: MixSamples, negatives: GivenNegatives) -> GivenNegatives:
    """Return the negatives that are not masked.

    Masked are texts equal to the sample's query, and near-duplicates of a document that answers the query or a
    near-duplicate of it, in this pool or another.
    """
    if not len(negatives.text):
        return negatives
    n = len(samples.chosen)
    sample_cluster = samples.query_cluster[samples.chosen]
    rows = np.flatnonzero(np.diff(negatives.offsets))
    answered_queries, answer_documents = _answer_clusters(store, samples, np.unique(sample_cluster[rows]))
    numbers = np.arange(len(negatives.text), dtype=np.int64)
    masks = build_masks(
        Ragged.empty(n),
        negatives.cluster,
        query_cluster=sample_cluster,
        elsewhere=(answered_queries, answer_documents),
        texts=(samples.query_exact, negatives.exact),
    )
    kept = np.zeros(len(numbers), bool)
    _admit(masks, rows, negatives.offsets, kept)
    kept_before = offsets_of(kept)
    return GivenNegatives(
        kept_before[negatives.offsets],
        negatives.text.filter(pa.array(kept)),
        negatives.exact[kept],
        negatives.cluster[kept],
    )


def _answer_clusters(store: Store, samples: MixSamples, clusters: I64) -> tuple[I64, I64]:
    """Return pairs (query cluster, cluster of a document that answers it), int64[pairs] each, for these query clusters.

    The answers come from rows of the pool, from duplicates merged into its samples, and from rows of other pools.
    """
    rows = np.flatnonzero(np.isin(samples.query_cluster, clusters))
    offsets, merged = samples.others
    by_merged = np.repeat(samples.query_cluster[samples.chosen], np.diff(offsets))
    table = answers_of(store, samples.mined) if samples.mined else ANSWER_SCHEMA.empty_table()
    elsewhere = [table[name].to_numpy() for name in ANSWER_SCHEMA.names]
    query_clusters = np.concatenate([samples.query_cluster[rows], by_merged, elsewhere[0]])
    document_clusters = np.concatenate([samples.pool.document_cluster[rows], merged, elsewhere[1]])
    inside = np.isin(query_clusters, clusters)
    return query_clusters[inside], document_clusters[inside]


@njit
def _admit(masks: Masks, rows: I64, offsets: I64, kept: Mask) -> None:
    for row in rows:
        for i in range(offsets[row], offsets[row + 1]):
            kept[i] = masked_by(masks, row, i) == 0
