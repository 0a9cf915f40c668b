"""Exact BM25 over hashed tokens, one pool at a time (Robertson and Zaragoza 2009; the idf of Lucene).

Scores are summed in a fixed order, rarest term first, so the result is the same on every machine. Documents that cannot
reach the top k are pruned (MaxScore; Turtle and Flood 1995, section 4.2): once the remaining terms can add less than
the current k-th best score, no new document is added, and documents that can no longer reach that score are dropped.
Pruning does not change the score of a document that stays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from curation.mining.masks import Masks, masked_by
from curation.mining.topk.heap import push
from open_ml_embed.core.array_types import F32, I32, I64, U64, Integers
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.text.tokens import Tokens

_ROUNDED_UP = 1.00001
"""Safety factor, larger than the relative rounding error of a float32 sum over the terms of a query."""
_POSTINGS_A_LOOKUP = 16
"""Postings that are scanned in about the time of one binary search."""


class Index(NamedTuple):
    """Postings of n documents over v terms.

    Attributes:
        terms: uint64[v], sorted token hashes.
        starts: int64[v + 1], offset of each term's postings.
        documents: int32[postings], document numbers, ascending within a term.
        impacts: float32[postings], what the term adds to the score of that document; above 0.
        peaks: float32[v], the largest impact of each term.
        size: n.

    """

    terms: U64
    starts: I64
    documents: I32
    impacts: F32
    peaks: F32
    size: int


def build_index(tokens: Tokens, *, k1: float, b: float) -> Index:
    """Build the inverted index of n documents.

    Args:
        tokens: tokens of the documents, from `tokenize(…, for_search=True)`.
        k1: term-frequency saturation.
        b: length normalization, 0 to 1.

    """
    n = len(tokens)
    lengths = np.diff(tokens.offsets)
    terms, term_of = np.unique(tokens.hashes, return_inverse=True)
    document_of = np.repeat(np.arange(n), lengths)
    cells, frequency = np.unique(term_of.astype(np.int64) * max(n, 1) + document_of, return_counts=True)
    term, document = cells // max(n, 1), cells % max(n, 1)
    holding = np.bincount(term, minlength=len(terms))
    idf = np.log1p((n - holding + 0.5) / (holding + 0.5))
    norm = k1 * (1 - b + b * lengths / max(lengths.mean(), 1e-9)) if n else np.zeros(0)
    impacts = (idf[term] * frequency * (k1 + 1) / (frequency + norm[document])).astype(np.float32)
    starts = offsets_of(holding)
    peaks = np.maximum.reduceat(impacts, starts[:-1]) if len(terms) else np.zeros(0, np.float32)
    return Index(terms, starts, document.astype(np.int32), impacts, peaks, n)


def query_terms(index: Index, tokens: Tokens) -> tuple[I64, I64]:
    """Look the tokens of n queries up in the index.

    Returns:
        int64 term numbers of all queries, each once per query, rarest term first; and int64[n + 1] offsets of the
        queries. Tokens that no document has are left out.

    """
    position = np.searchsorted(index.terms, tokens.hashes)
    in_index = np.zeros(len(position), bool)
    inside = position < len(index.terms)
    in_index[inside] = index.terms[position[inside]] == tokens.hashes[inside]
    query_of = np.repeat(np.arange(len(tokens)), np.diff(tokens.offsets))
    row_size = np.int64(len(index.terms) + 1)
    cells = np.unique(query_of[in_index] * row_size + position[in_index])
    query, term = cells // row_size, cells % row_size
    counts = np.bincount(query, minlength=len(tokens))
    order = np.lexsort((term, np.diff(index.starts)[term], query))
    return term[order], offsets_of(counts)


def take_tokens(tokens: Tokens, texts: Integers) -> Tokens:
    """Return the tokens of the texts with these numbers, in this order."""
    lengths = np.diff(tokens.offsets)[texts]
    offsets = offsets_of(lengths)
    position = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return Tokens(tokens.hashes[np.repeat(tokens.offsets[texts], lengths) + position], offsets, tokens.exact[texts])


@njit(nogil=True)
def score_best(
    terms: I64,
    index: Index,
    scores: F32,
    touched: I32,
    masks: Masks,
    query: int,
    numbers: I32,
    heap: tuple[F32, I32],
) -> int:
    """Compute the scores of all documents that may be in a query's top k, and of masked documents that score as high.

    Args:
        terms: int64, the query's terms, from `query_terms`.
        index: postings of n documents.
        scores: float32[n], all zero on entry; on return the scores of those documents, zero for all others.
        touched: int32[n], filled with the numbers of those documents.
        masks: see `curation.mining.masks.Masks`.
        query: the query's number in `masks`.
        numbers: int32[n], the documents' numbers in `masks`.
        heap: float32[k] and int32[k], work space; overwritten.

    Returns:
        How many documents were scored: the used length of `touched`.

    """
    remaining = np.zeros(len(terms) + 1)
    for j in range(len(terms) - 1, -1, -1):
        remaining[j] = remaining[j + 1] + index.peaks[terms[j]]
    count, no_new, capacity = 0, False, len(heap[0])
    for j in range(len(terms)):
        first, last = index.starts[terms[j]], index.starts[terms[j] + 1]
        if count >= capacity and (no_new or 2 * (last - first) > count):
            threshold = _kth_best_score(touched[:count], scores, masks, query, numbers, heap)
            no_new = no_new or remaining[j] * _ROUNDED_UP < threshold
            if no_new:
                count = _drop(touched, count, scores, remaining[j], threshold)
        if no_new:
            _add_to_touched(index, first, last, scores, touched[:count])
        else:
            count = _add_to_all(index, first, last, scores, touched, count)
    return count


@njit(nogil=True)
def _add_to_all(index: Index, first: int, last: int, scores: F32, touched: I32, count: int) -> int:
    for i in range(first, last):
        document = index.documents[i]
        if scores[document] == 0.0:
            touched[count] = document
            count += 1
        scores[document] += index.impacts[i]
    return count


@njit(nogil=True)
def _add_to_touched(index: Index, first: int, last: int, scores: F32, touched: I32) -> None:
    """Add a term's impacts to the touched documents: scan the postings, or binary-search each document if cheaper."""
    if last - first < _POSTINGS_A_LOOKUP * len(touched):
        for i in range(first, last):
            if scores[index.documents[i]] != 0.0:
                scores[index.documents[i]] += index.impacts[i]
        return
    for document in touched:
        i = first + np.searchsorted(index.documents[first:last], document)
        if i < last and index.documents[i] == document:
            scores[document] += index.impacts[i]


@njit(nogil=True)
def score_of(terms: I64, index: Index, document: int) -> np.float32:
    """Return the score of one document, float32, summed in the same order as in `score_best`."""
    score = np.float32(0.0)
    for term in terms:
        first, last = index.starts[term], index.starts[term + 1]
        i = first + np.searchsorted(index.documents[first:last], document)
        if i < last and index.documents[i] == document:
            score += index.impacts[i]
    return score


@njit(nogil=True)
def _kth_best_score(
    touched: I32, scores: F32, masks: Masks, query: int, numbers: I32, heap: tuple[F32, I32]
) -> np.float32:
    """Return the k-th best partial score among documents that are not masked; -1 if there are fewer than k."""
    held = 0
    for document in touched:
        if held == len(heap[0]) and scores[document] <= heap[0][0]:
            continue
        if not masked_by(masks, query, numbers[document]):
            held = push(heap[0], heap[1], held, scores[document], document)
    return heap[0][0] if held == len(heap[0]) else np.float32(-1.0)


@njit(nogil=True)
def _drop(touched: I32, count: int, scores: F32, remaining: np.float64, threshold: np.float32) -> int:
    """Drop the documents that cannot reach the threshold any more; return how many are left."""
    kept = 0
    for t in range(count):
        document = touched[t]
        if (scores[document] + remaining) * _ROUNDED_UP < threshold:
            scores[document] = 0.0
        else:
            touched[kept] = document
            kept += 1
    return kept
