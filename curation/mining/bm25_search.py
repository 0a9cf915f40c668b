"""Exact search by BM25: MaxScore over blocks of postings, for many queries over one range of documents after another.

All queries search a range while its postings are in the cache, and the scores lie in the first-level cache. The terms
of a query are added rarest first (Turtle and Flood 1995, section 4.2) until what is left, the sum of the blocks'
largest impacts, cannot lift a document without any of the terms so far into the top k. From then on only documents that
can still get there are followed. The k-th best score is that of complete documents, of all ranges so far, and blocks
have peaks of their own (Ding and Suel 2011), so much less is added than with one peak for a whole term. Pruning does
not change the score of a document that stays.
"""

from __future__ import annotations

import numpy as np

from curation.mining.bm25 import RANGE, Index, impact_in
from curation.mining.masks import Masks, masked_by
from curation.mining.topk.heap import Heaps, push
from open_ml_embed.core.array_types import F32, F64, I32, I64, U16
from open_ml_embed.core.compiled import int64, njit

_ROUNDING = 2.0**-23
"""Twice the relative rounding error of a float32 addition; so many terms add at most so many times this."""
_POSTINGS_A_LOOKUP = 64
"""Postings that are scanned in about the time of one binary search."""
_FEW = RANGE // 16
"""With fewer postings than this, their documents are listed one by one; otherwise all scores of the range are read."""
_BETWEEN_COUNTS = RANGE // 4
"""Postings that are added in the time in which a few passes over the scores of a range are made."""
_HALVINGS = 10
"""Steps of a search for a score that few documents have."""
_AT_ONCE = 64
"""Scores that are compared at once."""


@njit(nogil=True)
def search(
    rows: I64, terms: I64, starts: I64, index: Index, numbers: I32, masks: Masks, best: Heaps, kept_out: Heaps
) -> None:
    """Find the k best documents that are not masked, for each of n queries, and the masked ones that score as high.

    Args:
        rows: int64[n], the queries' numbers in `masks`.
        terms: int64, the terms of all queries, from `query_terms`.
        starts: int64[n + 1], offset of each query's terms.
        index: postings of m documents.
        numbers: int32[m], the documents' numbers in `masks`.
        masks: see `curation.mining.masks.Masks`.
        best: n heaps of k documents; filled with numbers as in `masks`.
        kept_out: n heaps; filled with the best masked documents. Some may score below the k-th best document.

    """
    documents, impacts = index.documents, index.impacts
    distinct, place = _distinct(terms)
    blocks = np.empty(len(distinct), np.int64)
    most = 0
    for i in range(len(rows)):
        most = max(most, starts[i + 1] - starts[i])
    first, last, remaining = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most + 1)
    scores, found, kept = np.zeros(RANGE, np.float32), np.empty(RANGE + 1, np.int32), np.empty(RANGE + 1, np.float32)
    for number in range(len(index.starts) - 1):
        _find_blocks(index, number, distinct, blocks)
        for i in range(len(rows)):
            held = 0
            for j in range(starts[i], starts[i + 1]):
                block = blocks[place[j]]
                if block >= 0:
                    first[held], last[held] = index.block_starts[block], index.block_starts[block + 1]
                    remaining[held] = index.peaks[block]
                    held += 1
            remaining[held] = 0.0
            for term in range(held - 1, -1, -1):
                remaining[term] += remaining[term + 1]
            threshold = np.float64(_threshold(best, i) * (1.0 - _ROUNDING * (held + 2)))
            if held == 0 or remaining[0] < threshold:
                continue
            count = _candidates(documents, impacts, first, last, held, remaining, threshold, scores, found, kept)
            _offer(rows[i], i, number, scores, found[:count], numbers, masks, best, kept_out)


@njit(nogil=True)
def _distinct(terms: I64) -> tuple[I64, I64]:
    """Return the distinct terms, ascending, and the place of each term among them."""
    order = np.argsort(terms)
    distinct, place = np.empty(len(terms), np.int64), np.empty(len(terms), np.int64)
    count = 0
    for i in order:
        if count == 0 or distinct[count - 1] != terms[i]:
            distinct[count] = terms[i]
            count += 1
        place[i] = count - 1
    return distinct[:count], place


@njit(nogil=True)
def _find_blocks(index: Index, number: int, terms: I64, blocks: I64) -> None:
    """Find the blocks of ascending terms in a range; -1 for a term without one."""
    block, stop = index.starts[number], index.starts[number + 1]
    for i in range(len(terms)):
        while block < stop and index.block_terms[block] < terms[i]:
            block += 1
        blocks[i] = block if block < stop and index.block_terms[block] == terms[i] else -1


@njit(nogil=True)
def _offer(
    query: int,
    row: int,
    number: int,
    scores: F32,
    found: I32,
    numbers: I32,
    masks: Masks,
    best: Heaps,
    kept_out: Heaps,
) -> None:
    """Offer the documents that were found in a range to the heaps of a query, and zero their scores.

    If there are many, the best are offered first: then most of the others need no place in a heap for a while.
    """
    best_scores, best_ids, held = best.scores[row], best.ids[row], best.held[row]
    capacity, cut = len(best_scores), np.float32(0.0)
    if len(found) > 2 * capacity:
        cut = _high_score(scores, capacity + kept_out.scores.shape[1])
    threshold = _threshold(best, row)
    for high in (True, False):
        for document in found:
            score = scores[document]
            if score == 0.0 or (score >= cut) != high:
                continue
            scores[document] = 0.0
            if score < threshold:
                continue
            whole = numbers[number * RANGE + document]
            if masked_by(masks, query, whole):
                kept_out.held[row] = push(kept_out.scores[row], kept_out.ids[row], kept_out.held[row], score, whole)
            else:
                held = push(best_scores, best_ids, held, score, whole)
                if held == capacity:
                    threshold = best_scores[0]
    best.held[row] = held


@njit(nogil=True)
def _high_score(scores: F32, wanted: int) -> np.float32:
    """Return a score that at least `wanted` documents of a range have, and not many more if it can be told fast."""
    low, high = np.float32(0.0), scores.max()
    for _ in range(_HALVINGS):
        middle = (low + high) / np.float32(2)
        if _count(scores, middle) >= wanted:
            low = middle
        else:
            high = middle
    return low


@njit(nogil=True)
def _threshold(best: Heaps, row: int) -> np.float32:
    """Return the score below which no document comes among the k best."""
    return best.scores[row, 0] if best.held[row] == best.scores.shape[1] else np.float32(0.0)


@njit(nogil=True)
def _candidates(
    documents: U16,
    impacts: F32,
    first: I64,
    last: I64,
    held: int,
    remaining: F64,
    threshold: np.float64,
    scores: F32,
    found: I32,
    kept: F32,
) -> int:
    """Score the documents of a range that may reach a threshold.

    Args:
        documents: uint16, see `Index`.
        impacts: float32, see `Index`.
        first: int64, where the postings of each term in the range begin; rarest term first.
        last: int64, where they end.
        held: number of terms.
        remaining: float64[held + 1], the most that the terms from each one on can add.
        threshold: a score, less the rounding error of scores.
        scores: float32[RANGE], zero on entry; on return the scores of those documents, zero elsewhere.
        found: int32[RANGE + 1], filled with those documents.
        kept: float32[RANGE + 1], work space.

    Returns:
        How many documents there are.

    """
    essential, added = 0, 0
    while essential < held and remaining[essential] >= threshold:
        _add(documents, impacts, first[essential], last[essential], scores)
        added += last[essential] - first[essential]
        essential += 1
    term = essential
    if added < _FEW:
        count = _listed(documents, first[:term], last[:term], threshold - remaining[term], scores, found)
    else:
        while term < held:
            size = last[term] - first[term]
            if added >= _BETWEEN_COUNTS:
                if _count(scores, threshold - remaining[term]) * _POSTINGS_A_LOOKUP < size:
                    break
                added = 0
            _add(documents, impacts, first[term], last[term], scores)
            added += size
            term += 1
        count = _selected(scores, threshold - remaining[term], found, kept)
    while term < held and count:
        _add_to_found(documents, impacts, first[term], last[term], scores, found[:count])
        term += 1
        count = _kept(scores, threshold - remaining[term], found, count)
    return count


@njit(nogil=True)
def _add(documents: U16, impacts: F32, first: int, last: int, scores: F32) -> None:
    for i in range(first, last):
        scores[documents[i]] += impacts[i]


@njit(nogil=True)
def _listed(documents: U16, first: I64, last: I64, lowest: np.float64, scores: F32, found: I32) -> int:
    """List the documents of these postings that score at least `lowest`; zero the scores of the others."""
    count = 0
    for term in range(len(first)):
        for i in range(first[term], last[term]):
            document = documents[i]
            score = scores[document]
            if score <= 0:
                continue  # listed before, or zeroed
            if score >= lowest:
                found[count] = document
                count += 1
                scores[document] = -score
            else:
                scores[document] = 0.0
    for document in found[:count]:
        scores[document] = -scores[document]
    return count


@njit(nogil=True)
def _count(scores: F32, lowest: np.float64) -> int:
    """Count the scores above 0 that are at least `lowest`."""
    bound, count = _bound(lowest), np.int32(0)
    for i in range(RANGE):
        count += np.int32(scores[i] >= bound)
    return int64(count)


@njit(nogil=True)
def _bound(lowest: np.float64) -> np.float32:
    """Return a float32 that is not above `lowest`, but above 0."""
    return np.float32(max(lowest * (1 - _ROUNDING), 1e-30))


@njit(nogil=True)
def _selected(scores: F32, lowest: np.float64, found: I32, kept: F32) -> int:
    """List the documents of a range that score at least `lowest`, and more than 0; zero the scores of the others."""
    bound, count = _bound(lowest), 0
    for start in range(0, RANGE, _AT_ONCE):
        passing = np.int32(0)
        for i in range(start, start + _AT_ONCE):
            passing += np.int32(scores[i] >= bound)
        if passing:
            for i in range(start, start + _AT_ONCE):  # without a branch that a processor would guess wrong
                found[count], kept[count] = i, scores[i]
                count += scores[i] >= bound
    for i in range(RANGE):
        scores[i] = 0.0
    for i in range(count):
        scores[found[i]] = kept[i]
    return count


@njit(nogil=True)
def _add_to_found(documents: U16, impacts: F32, first: int, last: int, scores: F32, found: I32) -> None:
    """Add a term's impacts to the documents that are followed: read all postings, or look each document up."""
    if last - first < _POSTINGS_A_LOOKUP * len(found):
        for i in range(first, last):
            score = scores[documents[i]]
            scores[documents[i]] = score + impacts[i] * np.float32(score != 0.0)
        return
    for document in found:
        scores[document] += impact_in(documents, impacts, first, last, np.uint16(document))


@njit(nogil=True)
def _kept(scores: F32, lowest: np.float64, found: I32, count: int) -> int:
    """Drop the documents that score below `lowest`; return how many are left."""
    bound, kept = _bound(lowest), 0
    for t in range(count):
        document = found[t]
        passes = scores[document] >= bound
        found[kept] = document
        kept += passes
        scores[document] *= np.float32(passes)
    return kept
