"""Rank of each query's positive in a pool of documents, and retrieval metrics of it; one relevant document per query.

Copies count as hits: the best-scoring document of the positive's near-duplicate cluster stands for all of them. Other
known answers to the query or to a near-duplicate of it are removed from its ranking.
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
    """The queries and documents of an evaluation.

    Attributes:
        queries: int64, rows of the validation samples, ascending.
        documents: int64, rows of the documents, ascending.
        positive: int64, for each query the index of its positive in `documents`.
        known: for each query the indices in `documents` of all known answers to it or to a near-duplicate of it, copies
            included.

    """

    queries: I64
    documents: I64
    positive: I64
    known: tuple[I64, ...]


def make_pool(store: Store, *, queries: int, documents: int | None, distractors: int, seed: int) -> Pool:
    """Choose held-out queries of the retrieval family and the documents that they are searched in.

    Args:
        store: the tokenized mix.
        queries: maximum number of queries, drawn at random.
        documents: cap on the pool without distractors: first the positives of the chosen queries, then positives of
            other validation rows at random. None: all of these.
        distractors: number of further documents, drawn at random.
        seed: seed of the draws.

    """
    held_out = store.validation
    eligible = _eligible(store)
    chosen = np.sort(eligible[_some(len(eligible), queries, seed, 0)])
    positives = np.unique(held_out.positive[chosen])
    others = np.setdiff1d(held_out.positive[eligible], positives)
    room = len(others) if documents is None else max(0, documents - len(positives))
    others = others[_some(len(others), room, seed, 1)]
    rest = _distractors(store, distractors, seed)
    pool = np.sort(np.concatenate([positives, others, rest]))
    known = tuple(np.flatnonzero(row) for row in _known(store, chosen, store.cluster[pool]))
    return Pool(chosen, pool, np.searchsorted(pool, held_out.positive[chosen]), known)


def _some(n: int, wanted: int, seed: int, use: int) -> I64:
    """Return at most `wanted` positions below `n`, drawn at random without replacement."""
    return shuffled(Draw.POOL, max(n, 1), np.arange(min(n, wanted)), seed, use)


def _eligible(store: Store) -> I64:
    """Return the held-out rows of the retrieval family, ascending."""
    codes = [code for code, dataset in enumerate(store.datasets) if dataset.family == "retrieval"]
    datasets = [store.validation.dataset.of(code) for code in codes]
    return np.sort(np.concatenate([np.empty(0, np.int64), *(rows[np.arange(len(rows))] for rows in datasets)]))


def _distractors(store: Store, wanted: int, seed: int) -> I64:
    """Draw documents that are the positive of no held-out row; all of them if there are fewer."""
    n, positive = len(store.documents), np.unique(store.validation.positive[np.arange(len(store.validation.positive))])
    selected = np.empty(0, np.int64)
    first = 0
    while len(selected) < wanted and first < n:
        at = np.arange(first, min(n, first + 2 * wanted))
        drawn = shuffled(Draw.POOL, n, at, seed, 2)
        selected = np.concatenate([selected, drawn[~np.isin(drawn, positive)]])
        first += len(at)
    return selected[:wanted]


def _known(store: Store, chosen: I64, pool_clusters: I64) -> Iterator[Mask]:
    """Yield for each query a mask over the pool of documents that are known to answer it, from both splits."""
    clusters = store.validation.query_cluster[chosen]
    query_clusters, answer_clusters = _answers(store, np.unique(clusters))
    order = np.argsort(query_clusters, kind="stable")
    query_clusters, answer_clusters = query_clusters[order], answer_clusters[order]
    firsts, lasts = (
        np.searchsorted(query_clusters, clusters, "left"),
        np.searchsorted(query_clusters, clusters, "right"),
    )
    for first, last in zip(firsts, lasts, strict=True):
        yield np.isin(pool_clusters, answer_clusters[first:last])


def _answers(store: Store, clusters: I64) -> tuple[I64, I64]:
    """Return (query cluster, positive's cluster) of every sample with a query cluster in `clusters` (sorted)."""
    query_clusters, answer_clusters = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for samples in (store.train, store.validation):
        for first, values in samples.query_cluster.parts():
            at = np.minimum(np.searchsorted(clusters, values), len(clusters) - 1)
            rows = np.flatnonzero(clusters[at] == values)
            query_clusters.append(values[rows].astype(np.int64))
            answer_clusters.append(store.cluster[samples.positive[first + rows]])
    return np.concatenate(query_clusters), np.concatenate(answer_clusters)


def ranks(queries_QH: Tensor, documents_NH: Tensor, pool: Pool, clusters: I64, dims: Sequence[int]) -> I64:
    """Return the rank of every query's positive at every prefix dimension.

    Args:
        queries_QH: states of one layer, in the order of the pool's queries.
        documents_NH: states of one layer, in the order of the pool's documents.
        pool: queries, documents and known answers.
        clusters: int64 (N), near-duplicate cluster of each document of the pool.
        dims: prefix dimensions, ascending.

    Returns:
        int64, dims × queries; 1 is the best rank. Ties are broken by the order of the pool, so that a model that gives
        all texts the same vector does not get a good rank.

    """
    result = np.empty((len(dims), len(pool.queries)), np.int64)
    for at, dim in enumerate(dims):
        left, right = (torch.nn.functional.normalize(t[:, :dim], dim=1) for t in (queries_QH, documents_NH))
        for first in range(0, len(left), BLOCK_QUERIES):
            block = slice(first, first + BLOCK_QUERIES)
            scores_QN = (left[block] @ right.T).cpu().numpy()
            result[at, block] = _rank(scores_QN, pool.positive[block], pool.known[block], clusters)
    return result


def _rank(scores_QN: F32, positive_Q: I64, known: Sequence[I64], clusters: I64) -> I64:
    copies = [
        answers[clusters[answers] == clusters[positive]] for answers, positive in zip(known, positive_Q, strict=True)
    ]
    best_Q = np.array([c[np.argmax(row[c])] for c, row in zip(copies, scores_QN, strict=True)], np.int64)
    best_score_Q1 = np.take_along_axis(scores_QN, best_Q[:, None], axis=1)
    ahead_QN = scores_QN > best_score_Q1
    ahead_QN |= (scores_QN == best_score_Q1) & (np.arange(scores_QN.shape[1]) < best_Q[:, None])
    known_ahead_Q = np.array([row[answers].sum() for row, answers in zip(ahead_QN, known, strict=True)], np.int64)
    ranks_Q: I64 = 1 + ahead_QN.sum(axis=1) - known_ahead_Q
    return ranks_Q


def metrics(ranks: I64) -> dict[str, float]:
    """Return the mean metrics over queries, rounded to six digits; `ranks` is int64 (Q), 1 being best.

    >>> metrics(np.array([1, 2, 11]))
    {'ndcg@10': 0.543643, 'mrr@10': 0.5, 'accuracy@1': 0.333333}

    """
    within = ranks <= CUTOFF
    values = {
        "ndcg@10": np.where(within, 1 / np.log2(ranks + 1.0), 0.0),
        "mrr@10": np.where(within, 1.0 / ranks, 0.0),
        "accuracy@1": (ranks == 1).astype(float),
    }
    return {name: round(float(value.mean()), 6) if len(ranks) else 0.0 for name, value in values.items()}
