"""Where each query's positive stands in the pool, and what that is worth; one relevant text a query.

Copies are no mistakes: the best of the documents in the positive's near-duplicate cluster stands for all of them, and
other known answers to the same (near-duplicate) query are taken out of that query's ranking.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from open_ml_embed.core.array_types import F32, I64, Mask
from train.data.plan import Draw, shuffled
from train.data.token_store import Store

CUTOFF = 10
BLOCK_QUERIES = 256


@dataclass(frozen=True)
class Pool:
    """What is searched for, and where.

    Attributes:
        queries: rows of the validation samples, ascending.
        documents: rows of the documents, ascending.
        positive: for each query, which of `documents` answers it.
        known: for each query, which of `documents` answer it or a near-duplicate of it, copies included.

    """

    queries: I64
    documents: I64
    positive: I64
    known: tuple[I64, ...]


def make_pool(store: Store, *, queries: int, documents: int | None, distractors: int, seed: int) -> Pool:
    """Choose held-out queries of the retrieval family and the documents they are searched in.

    Args:
        store: the tokenized mix.
        queries: at most so many, drawn at random.
        documents: cap on the pool without distractors: the positives of the chosen queries first, then those of
            the other validation rows at random. None: all of them.
        distractors: further documents, drawn at random.
        seed: of the draws.

    """
    held_out = store.validation
    eligible = _eligible(store)
    chosen = np.sort(eligible[_some(len(eligible), queries, seed, 0)])
    own = np.unique(held_out.positive[chosen])
    others = np.setdiff1d(held_out.positive[eligible], own)
    room = len(others) if documents is None else max(0, documents - len(own))
    others = others[_some(len(others), room, seed, 1)]
    rest = _distractors(store, distractors, seed)
    pool = np.sort(np.concatenate([own, others, rest]))
    known = tuple(np.flatnonzero(row) for row in _known(store, chosen, store.cluster[pool]))
    return Pool(chosen, pool, np.searchsorted(pool, held_out.positive[chosen]), known)


def _some(n: int, wanted: int, seed: int, use: int) -> I64:
    """Return positions below `n`, at most `wanted` of them, drawn at random."""
    return shuffled(Draw.POOL, max(n, 1), np.arange(min(n, wanted)), seed, use)


def _eligible(store: Store) -> I64:
    """Return the held-out rows of the retrieval family, ascending."""
    codes = [code for code, dataset in enumerate(store.datasets) if dataset.family == "retrieval"]
    rows = [store.validation.dataset.of(code) for code in codes]
    return np.sort(np.concatenate([np.empty(0, np.int64), *(own[np.arange(len(own))] for own in rows)]))


def _distractors(store: Store, wanted: int, seed: int) -> I64:
    """Draw documents that no held-out row has as its positive; all of them where there are no more."""
    n, positive = len(store.documents), np.unique(store.validation.positive[np.arange(len(store.validation.positive))])
    found = np.empty(0, np.int64)
    first = 0
    while len(found) < wanted and first < n:
        at = np.arange(first, min(n, first + 2 * wanted))
        drawn = shuffled(Draw.POOL, n, at, seed, 2)
        found = np.concatenate([found, drawn[~np.isin(drawn, positive)]])
        first += len(at)
    return found[:wanted]


def _known(store: Store, chosen: I64, pool_clusters: I64) -> Iterator[Mask]:
    """Yield for each query which of the pool's documents are known to answer it, from both splits."""
    clusters = store.validation.query_cluster[chosen]
    asked, answered = _answers(store, np.unique(clusters))
    order = np.argsort(asked, kind="stable")
    asked, answered = asked[order], answered[order]
    firsts, lasts = np.searchsorted(asked, clusters, "left"), np.searchsorted(asked, clusters, "right")
    for first, last in zip(firsts, lasts, strict=True):
        yield np.isin(pool_clusters, answered[first:last])


def _answers(store: Store, clusters: I64) -> tuple[I64, I64]:
    """Return query cluster and positive's cluster of every sample whose query cluster is one of `clusters`, sorted."""
    asked, answered = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for samples in (store.train, store.validation):
        for first, values in samples.query_cluster.parts():
            at = np.minimum(np.searchsorted(clusters, values), len(clusters) - 1)
            rows = np.flatnonzero(clusters[at] == values)
            asked.append(values[rows].astype(np.int64))
            answered.append(store.cluster[samples.positive[first + rows]])
    return np.concatenate(asked), np.concatenate(answered)


def ranks(queries_QH: Tensor, documents_NH: Tensor, pool: Pool, clusters: I64, dims: Sequence[int]) -> I64:
    """Rank every query's positive at every prefix dimension.

    Args:
        queries_QH: states of one layer, in the pool's order.
        documents_NH: likewise.
        pool: who answers whom.
        clusters: near-duplicate cluster of each document of the pool.
        dims: prefix dimensions, ascending.

    Returns:
        int64, dims × queries, 1 being best. Among equal scores the document that stands first in the pool wins, so a
        model that gives every text the same vector is not taken for a good one.

    """
    found = np.empty((len(dims), len(pool.queries)), np.int64)
    for at, dim in enumerate(dims):
        left, right = (torch.nn.functional.normalize(t[:, :dim], dim=1) for t in (queries_QH, documents_NH))
        for first in range(0, len(left), BLOCK_QUERIES):
            block = slice(first, first + BLOCK_QUERIES)
            scores_QN = (left[block] @ right.T).cpu().numpy()
            found[at, block] = _rank(scores_QN, pool.positive[block], pool.known[block], clusters)
    return found


def _rank(scores_QN: F32, positive_Q: I64, known: Sequence[I64], clusters: I64) -> I64:
    copies = [own[clusters[own] == clusters[positive]] for own, positive in zip(known, positive_Q, strict=True)]
    best_Q = np.array([c[np.argmax(row[c])] for c, row in zip(copies, scores_QN, strict=True)], np.int64)
    own_Q1 = np.take_along_axis(scores_QN, best_Q[:, None], axis=1)
    ahead_QN = scores_QN > own_Q1
    ahead_QN |= (scores_QN == own_Q1) & (np.arange(scores_QN.shape[1]) < best_Q[:, None])
    spared_Q = np.array([row[own].sum() for row, own in zip(ahead_QN, known, strict=True)], np.int64)
    ranks_Q: I64 = 1 + ahead_QN.sum(axis=1) - spared_Q
    return ranks_Q


def metrics(ranks: I64) -> dict[str, float]:
    """Return the means over queries of what a rank is worth, rounded to six digits.

    >>> metrics(np.array([1, 2, 11]))
    {'ndcg@10': 0.54364, 'mrr@10': 0.5, 'accuracy@1': 0.333333}

    """
    within = ranks <= CUTOFF
    values = {
        "ndcg@10": np.where(within, 1 / np.log2(ranks + 1.0), 0.0),
        "mrr@10": np.where(within, 1.0 / ranks, 0.0),
        "accuracy@1": (ranks == 1).astype(float),
    }
    return {name: round(float(value.mean()), 6) if len(ranks) else 0.0 for name, value in values.items()}
