"""Negatives of the retrieval family: BM25 candidates of the same pool and language, masked, then thresholded.

Where query and document share a language (or one is code) the query searches the documents. In bitext no word is
shared, so the query searches the other queries, and what it finds are their translations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from curation.mining.bm25 import F32, I32, Index, build_index, push, query_terms, score_one
from curation.settings import MiningSettings
from curation.text.tokens import I64, U64, Tokens, mix64

ORIGINS = ("bm25", "random", "class")


@dataclass(frozen=True)
class Pool:
    """The rows of one pool, as arrays of n.

    Attributes:
        searched: tokens of the text that a row is found by (its document, or its query in bitext).
        asked: tokens of the text that a row searches with.
        unit: int32, rows with an equal `searched` text share a unit; units are numbered by first row.
        query_exact, document_exact: uint64 hashes of the texts.
        query_cluster, document_cluster: int64, from dedup.
        language: int32, the declared language of the document.
        row_key: uint64, from the row id, for draws that do not depend on order.

    """

    searched: Tokens
    asked: Tokens
    unit: I32
    query_exact: U64
    document_exact: U64
    query_cluster: I64
    document_cluster: I64
    language: I32
    row_key: U64


@dataclass(frozen=True)
class Negatives:
    """What was found for n rows: `rows[offsets[i]:offsets[i + 1]]` are the pool rows whose documents are negatives.

    `scores` float32 and `origins` int8 (into `ORIGINS`) go with `rows`; `positive_score` float32[n];
    `positive_rank` int32[n], documents that score above the positive, -1 where it was not found.
    """

    rows: I32
    offsets: I64
    scores: F32
    origins: npt.NDArray[np.int8]
    positive_score: F32
    positive_rank: I32


def mine_retrieval(pool: Pool, settings: MiningSettings) -> Negatives:
    """Mine one pool; exact, single-threaded, the same for any pool order of equal scores by row number."""
    n = len(pool.unit)
    _, first_row = np.unique(pool.unit, return_index=True)
    index: Index = build_index(take_tokens(pool.searched, first_row), k1=settings.k1, b=settings.b)
    terms, term_offsets = query_terms(index, pool.asked)
    sibling, sibling_offsets, sibling_of = _siblings(pool.query_cluster, pool.document_cluster)
    width = settings.keep
    rows = np.full((n, width), -1, np.int32)
    scores = np.zeros((n, width), np.float32)
    origins = np.zeros((n, width), np.int8)
    positive_score, positive_rank = np.zeros(n, np.float32), np.full(n, -1, np.int32)
    _mine(
        terms, term_offsets, index.starts, index.documents, index.impacts, first_row.astype(np.int32), pool.unit,
        pool.query_exact, pool.document_exact, pool.document_cluster, pool.language, pool.row_key, sibling,
        sibling_offsets, sibling_of, settings.retrieved, settings.skip_top, np.float32(settings.below_positive),
        settings.shortage == "fill", np.uint64(settings.seed), rows, scores, origins, positive_score, positive_rank,
    )  # fmt: skip
    found = rows >= 0
    offsets = np.concatenate([[0], np.cumsum(found.sum(1))])
    return Negatives(rows[found], offsets, scores[found], origins[found], positive_score, positive_rank)


def take_tokens(tokens: Tokens, rows: npt.NDArray[np.integer]) -> Tokens:
    """Return the tokens of some rows, in the order given."""
    lengths = np.diff(tokens.offsets)[rows]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    position = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return Tokens(tokens.hashes[np.repeat(tokens.offsets[rows], lengths) + position], offsets, tokens.exact[rows])


def _siblings(query_cluster: I64, document_cluster: I64) -> tuple[I64, I64, I64]:
    """Group document clusters by query cluster: all positives of a query, and of its near-duplicates.

    Returns (document clusters, sorted within each group; offsets; group of each row).
    """
    _, group = np.unique(query_cluster, return_inverse=True)
    order = np.lexsort((document_cluster, group))
    pairs = np.stack([group[order], document_cluster[order]], 1)
    new = np.ones(len(pairs), bool)
    new[1:] = (pairs[1:] != pairs[:-1]).any(1)
    pairs = pairs[new]
    counts = np.bincount(pairs[:, 0], minlength=group.max() + 1 if len(group) else 0)
    return pairs[:, 1].copy(), np.concatenate([[0], np.cumsum(counts)]), group


@nb.njit(cache=True)
def _is_positive(cluster, clusters, first, last):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    while first < last:
        middle = (first + last) // 2
        if clusters[middle] == cluster:
            return True
        if clusters[middle] < cluster:
            first = middle + 1
        else:
            last = middle
    return False


@nb.njit(cache=True)
def _mine(  # type: ignore[no-untyped-def]  # noqa: ANN202
    terms, term_offsets, starts, documents, impacts, first_row, unit, query_exact, document_exact,  # noqa: ANN001
    document_cluster, language, row_key, sibling, sibling_offsets, sibling_of, retrieved, skip_top,  # noqa: ANN001
    below, fill, seed, rows, found_scores, origins, positive_score, positive_rank,  # noqa: ANN001
):  # fmt: skip
    n, width = rows.shape
    size = len(first_row)
    scores = np.zeros(size, np.float32)
    touched = np.empty(size, np.int32)
    most = retrieved + skip_top
    heap_scores, heap_units = np.empty(most, np.float32), np.empty(most, np.int32)
    for row in range(n):
        used = score_one(terms[term_offsets[row] : term_offsets[row + 1]], starts, documents, impacts, scores, touched)
        own = scores[unit[row]]
        limit = own * below if own > 0 else np.float32(np.inf)
        first, last = sibling_offsets[sibling_of[row]], sibling_offsets[sibling_of[row] + 1]
        above = 0
        held = 0
        for t in range(used):
            candidate = touched[t]
            score = scores[candidate]
            scores[candidate] = 0.0
            above += score > own
            if score >= limit or (held == most and score < heap_scores[0]):
                continue
            at = first_row[candidate]
            if (
                language[at] == language[row]
                and document_exact[at] != query_exact[row]
                and not _is_positive(document_cluster[at], sibling, first, last)
            ):
                held = push(heap_scores, heap_units, held, most, score, candidate)
        positive_score[row] = own
        if own > 0:
            positive_rank[row] = above
        order = _ordered(heap_scores, heap_units, held)
        taken = 0
        for place in range(skip_top, held):
            at = first_row[heap_units[order[place]]]
            if taken < width and not _has_cluster(rows[row], taken, document_cluster, document_cluster[at]):
                rows[row, taken] = at
                found_scores[row, taken] = heap_scores[order[place]]
                taken += 1
        if fill:
            draw = mix64(row_key[row] ^ mix64(seed))
            for _ in range(4 * (width - taken)):
                if taken == width:
                    break
                draw = mix64(draw + np.uint64(0x9E3779B97F4A7C15))
                at = nb.int64(draw % np.uint64(n))
                if (
                    language[at] == language[row]
                    and document_exact[at] != query_exact[row]
                    and not _is_positive(document_cluster[at], sibling, first, last)
                    and not _has_cluster(rows[row], taken, document_cluster, document_cluster[at])
                ):
                    rows[row, taken] = at
                    origins[row, taken] = 1
                    taken += 1


@nb.njit(cache=True)
def _has_cluster(chosen, taken, document_cluster, cluster):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(taken):  # noqa: SIM110 (numba compiles no generator)
        if document_cluster[chosen[i]] == cluster:
            return True
    return False


@nb.njit(cache=True)
def _ordered(scores, units, held):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return places of the heap from best to worst: higher score, then lower unit."""
    by_unit = np.argsort(units[:held], kind="mergesort")
    by_score = np.argsort(-scores[:held][by_unit], kind="mergesort")
    return by_unit[by_score]
