"""Which negatives of its duplicates a sample may take over.

Its own negatives were chosen by the miner. Those of merged duplicates were never candidates of its pool, so they are
checked for false negatives here, by the clusters that dedup gave every text.
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


class Offered(NamedTuple):
    """Negatives that sources gave to the duplicates of n samples; a text stands once for each sample.

    Attributes:
        offsets: int64[n + 1].
        text: large_string, all texts one after the other.
        exact, cluster: uint64 and int64, exact hash and document cluster of each text.

    """

    offsets: I64
    text: pa.Array
    exact: U64
    cluster: I64


class Asked(NamedTuple):
    """Samples of a pool, and what is known to answer them.

    Attributes:
        pool: their source and subset.
        mined: name of the miner's pool; null where no other pool can hold answers.
        query_cluster: int64, of all rows of `pool`.
        chosen: int64[n], which of them are the samples.
        query_exact: uint64[n], exact hashes of their queries.
        others: document clusters of the positives of each sample's duplicates.

    """

    pool: PoolState
    mined: str | None
    query_cluster: I64
    chosen: I64
    query_exact: U64
    others: tuple[I64, I64]
    """Offsets int64[n + 1], and clusters int64."""


def admitted(store: Store, asked: Asked, offered: Offered) -> Offered:
    """Return what may stay of the negatives that are offered.

    Left out are a sample's own query, and whatever resembles an answer to it or to a near-duplicate of it, in this pool
    or another.
    """
    if not len(offered.text):
        return offered
    n = len(asked.chosen)
    own_cluster = asked.query_cluster[asked.chosen]
    rows = np.flatnonzero(np.diff(offered.offsets))
    asking, answering = _answers(store, asked, np.unique(own_cluster[rows]))
    numbers = np.arange(len(offered.text), dtype=np.int64)
    masks = build_masks(
        Ragged.empty(n),
        offered.cluster,
        query_cluster=own_cluster,
        elsewhere=(asking, answering),
        texts=(asked.query_exact, offered.exact),
    )
    kept = np.zeros(len(numbers), bool)
    _admit(masks, rows, offered.offsets, kept)
    before = offsets_of(kept)
    return Offered(
        before[offered.offsets], offered.text.filter(pa.array(kept)), offered.exact[kept], offered.cluster[kept]
    )


def _answers(store: Store, asked: Asked, clusters: I64) -> tuple[I64, I64]:
    """Return (query clusters, clusters of documents that answer them), of some query clusters: by rows of the pool,
    by what was merged into its samples, by rows of other pools.
    """
    here = np.flatnonzero(np.isin(asked.query_cluster, clusters))
    offsets, merged = asked.others
    by_merged = np.repeat(asked.query_cluster[asked.chosen], np.diff(offsets))
    found = answers_of(store, asked.mined) if asked.mined else ANSWER_SCHEMA.empty_table()
    elsewhere = [found[name].to_numpy() for name in ANSWER_SCHEMA.names]
    asking = np.concatenate([asked.query_cluster[here], by_merged, elsewhere[0]])
    answering = np.concatenate([asked.pool.document_cluster[here], merged, elsewhere[1]])
    inside = np.isin(asking, clusters)
    return asking[inside], answering[inside]


@njit
def _admit(masks: Masks, rows: I64, offsets: I64, kept: Mask) -> None:
    for row in rows:
        for i in range(offsets[row], offsets[row + 1]):
            kept[i] = masked_by(masks, row, i) == 0
