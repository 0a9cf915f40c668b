"""Exact BM25 over hashed tokens, one pool at a time (Robertson and Zaragoza 2009; the idf of Lucene).

Scores are accumulated in a fixed order, rarest term first, so the result is one and the same on every machine. What
cannot be among the best is left out on the way (MaxScore, Turtle and Flood 1995, section 4.2): once the terms still to
come add less than the worst of the k best has already, no new document is let in, and those that cannot catch up are
dropped. That changes no score of a document that stays.
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
"""More than float32 sums of so few terms can be off by."""
_POSTINGS_A_LOOKUP = 16


class Index(NamedTuple):
    """Postings of n documents over v terms.

    Attributes:
        terms: uint64[v], sorted token hashes.
        starts: int64[v + 1], where each term's postings begin.
        documents: int32, document numbers, ascending within a term.
        impacts: float32, what the term adds to that document's score; above 0.
        peaks: float32[v], the largest of each term.
        size: n.

    """

    terms: U64
    starts: I64
    documents: I32
    impacts: F32
    peaks: F32
    size: int


def build_index(tokens: Tokens, *, k1: float, b: float) -> Index:
    """Index documents.

    Args:
        tokens: of n documents, from `tokenize(…, for_search=True)`.
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
    """Return the index's term numbers of each query, each once, those of the fewest documents first, and offsets."""
    place = np.searchsorted(index.terms, tokens.hashes)
    known = np.zeros(len(place), bool)
    inside = place < len(index.terms)
    known[inside] = index.terms[place[inside]] == tokens.hashes[inside]
    query_of = np.repeat(np.arange(len(tokens)), np.diff(tokens.offsets))
    many = np.int64(len(index.terms) + 1)
    cells = np.unique(query_of[known] * many + place[known])
    query, term = cells // many, cells % many
    counts = np.bincount(query, minlength=len(tokens))
    order = np.lexsort((term, np.diff(index.starts)[term], query))
    return term[order], offsets_of(counts)


def take_tokens(tokens: Tokens, texts: Integers) -> Tokens:
    """Return the tokens of some texts, in the order given."""
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
    """Add up the scores of all documents that may be among a query's best, or score as much and are masked.

    Args:
        terms: of the query, from `query_terms`.
        index: an `Index`.
        scores: float32[n], zero before; the scores of those documents after, and zero for all others.
        touched: int32[n], filled with their numbers.
        masks: see `curation.mining.masks.Masks`.
        query: its number there.
        numbers: int32[n], of the documents there.
        heap: float32[k] and int32[k] for k best; overwritten.

    Returns:
        How many documents those are.

    """
    to_come = np.zeros(len(terms) + 1)
    for j in range(len(terms) - 1, -1, -1):
        to_come[j] = to_come[j + 1] + index.peaks[terms[j]]
    used, closed, most = 0, False, len(heap[0])
    for j in range(len(terms)):
        first, last = index.starts[terms[j]], index.starts[terms[j] + 1]
        if used >= most and (closed or 2 * (last - first) > used):
            least = _worst_of_best(touched[:used], scores, masks, query, numbers, heap)
            closed = closed or to_come[j] * _ROUNDED_UP < least
            if closed:
                used = _drop(touched, used, scores, to_come[j], least)
        if closed:
            _add_to_those(index, first, last, scores, touched[:used])
        else:
            used = _add_to_all(index, first, last, scores, touched, used)
    return used


@njit(nogil=True)
def _add_to_all(index: Index, first: int, last: int, scores: F32, touched: I32, used: int) -> int:
    for i in range(first, last):
        document = index.documents[i]
        if scores[document] == 0.0:
            touched[used] = document
            used += 1
        scores[document] += index.impacts[i]
    return used


@njit(nogil=True)
def _add_to_those(index: Index, first: int, last: int, scores: F32, touched: I32) -> None:
    """Go through the term's postings, or look each document up in them, whichever is less."""
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
    """Return the score of one document, float32: added up in the order in which `score_best` does it."""
    score = np.float32(0.0)
    for term in terms:
        first, last = index.starts[term], index.starts[term + 1]
        i = first + np.searchsorted(index.documents[first:last], document)
        if i < last and index.documents[i] == document:
            score += index.impacts[i]
    return score


@njit(nogil=True)
def _worst_of_best(
    touched: I32, scores: F32, masks: Masks, query: int, numbers: I32, heap: tuple[F32, I32]
) -> np.float32:
    """Return what the last of the k best that no mask keeps out has so far; -1 where there are not so many."""
    held = 0
    for document in touched:
        if held == len(heap[0]) and scores[document] <= heap[0][0]:
            continue
        if not masked_by(masks, query, numbers[document]):
            held = push(heap[0], heap[1], held, scores[document], document)
    return heap[0][0] if held == len(heap[0]) else np.float32(-1.0)


@njit(nogil=True)
def _drop(touched: I32, used: int, scores: F32, to_come: np.float64, least: np.float32) -> int:
    """Forget the documents that cannot catch up; return how many are left."""
    left = 0
    for t in range(used):
        document = touched[t]
        if (scores[document] + to_come) * _ROUNDED_UP < least:
            scores[document] = 0.0
        else:
            touched[left] = document
            left += 1
    return left
