"""Exact search by BM25: MaxScore over blocks of postings, for many queries over one range of documents after another.

All queries search a range while its postings are in the cache, and the scores lie in the first-level cache. The terms
of a query are added rarest first (Turtle and Flood 1995, section 4.2) until what is left, the sum of the blocks'
largest impacts, cannot lift a document without any of the terms so far to the threshold. From then on only documents
that can still reach it are followed. The threshold is the k-th best score of all ranges so far, or one that the caller
knows (`curation.mining.bm25_threshold`), and blocks have peaks of their own (Ding and Suel 2011), so much less is added
than with one peak for a whole term. Blocks with many postings are rows: they are added to all scores of a range at
once, and read at any document without a search. Pruning does not change the score of a document that stays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from curation.mining.bm25 import RANGE, ROW, Index, impact_in
from curation.mining.masks import Masks, masked_by
from curation.mining.topk.heap import Heaps, push
from open_ml_embed.core.array_types import F32, F64, I32, I64, U8, U16, U64
from open_ml_embed.core.compiled import int64, njit
from open_ml_embed.core.text.tokens import count_ones

_ROUNDING = 2.0**-23
"""Twice the relative rounding error of a float32 addition; so many terms add at most so many times this."""
_FEW = RANGE // 16
"""With fewer postings than this, their documents are listed one by one; otherwise all scores of the range are read."""
_PASS = RANGE // 32
"""Postings that are added in the time of one pass over the scores of a range."""
_POSTINGS_A_LOOKUP = 40
"""Postings that are scanned in about the time of one binary search."""
_POSTINGS_A_ROW_LOOKUP = 16
"""Postings that are scanned in about the time of reading one impact of a row that is not in the first-level cache."""
_HALVINGS = 10
"""Steps of a search for a score that few documents have."""
_MANY = -1
"""Returned instead of a count: the scores of the range are complete, and many documents reach the threshold."""


class _Blocks(NamedTuple):
    """Blocks of one query's terms in one range, rarest term first; room for the longest query.

    Attributes:
        first, last: int64, where the postings begin and end.
        row: int64, number of the row; -1 for a list.
        remaining: float64, the most that the blocks from each one on can add; one more than blocks.

    """

    first: I64
    last: I64
    row: I64
    remaining: F64


class _Space(NamedTuple):
    """Work space of a search.

    Attributes:
        scores: float32[RANGE]; zero between queries.
        marks: uint8[RANGE], 1 for the documents that were selected last.
        words: uint64[RANGE / 8], the same memory as `marks`.
        slots: int32[RANGE], 1 + place in `found`; zero between uses.
        found: int32[RANGE + 1], documents of the range that are followed.
        kept: float32[RANGE + 1], their scores.

    """

    scores: F32
    marks: U8
    words: U64
    slots: I32
    found: I32
    kept: F32


@njit(nogil=True)
def search(
    rows: I64,
    terms: I64,
    starts: I64,
    index: Index,
    first_range: int,
    last_range: int,
    numbers: I32,
    masks: Masks,
    thresholds: F32,
    best: Heaps,
    kept_out: Heaps,
) -> None:
    """Find the k best documents of some ranges that are not masked, for each of n queries.

    Args:
        rows: int64[n], the queries' numbers in `masks`.
        terms: int64, the terms of all queries, from `query_terms`.
        starts: int64[n + 1], offset of each query's terms.
        index: postings of m documents.
        first_range: the first range to search.
        last_range: the range after the last one to search.
        numbers: int32[m], the documents' numbers in `masks`.
        masks: see `curation.mining.masks.Masks`.
        thresholds: float32[n]; documents that score below it may be left out. Raised to the k-th best score.
        best: n heaps of k documents; filled with numbers as in `masks`.
        kept_out: n heaps; filled with the best masked documents. All that reach the k-th best score are offered, and
            some that do not.

    """
    distinct, place = _distinct(terms)
    blocks, peaks = np.empty(len(distinct), np.int64), np.empty(len(distinct), np.float32)
    most = 0
    for i in range(len(rows)):
        most = max(most, starts[i + 1] - starts[i])
    query = _Blocks(np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most + 1))
    marks = np.zeros(RANGE, np.uint8)
    space = _Space(
        np.zeros(RANGE, np.float32), marks, marks.view(np.uint64), np.zeros(RANGE, np.int32),
        np.empty(RANGE + 1, np.int32), np.empty(RANGE + 1, np.float32),
    )  # fmt: skip
    wanted = best.scores.shape[1] + kept_out.scores.shape[1]
    for number in range(first_range, last_range):
        _find_blocks(index, number, distinct, blocks, peaks)
        own = numbers[number * RANGE : (number + 1) * RANGE]
        for i in range(len(rows)):
            threshold = np.float64(thresholds[i]) * (1.0 - _ROUNDING * (starts[i + 1] - starts[i] + 2))
            most_possible = 0.0
            for j in range(starts[i], starts[i + 1]):
                most_possible += np.float64(peaks[place[j]])
            if most_possible < threshold or most_possible == 0.0:
                continue
            held = _blocks_of_query(index, blocks, peaks, place[starts[i] : starts[i + 1]], query)
            count = _candidates(index, query, held, threshold, 2 * wanted, space)
            if count == _MANY:
                thresholds[i] = _offer_many(rows[i], i, own, masks, thresholds[i], wanted, space, best, kept_out)
            elif count:
                found, kept = space.found[:count], space.kept[:count]
                thresholds[i] = _offer(rows[i], i, own, masks, thresholds[i], found, kept, best, kept_out)


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
def _find_blocks(index: Index, number: int, terms: I64, blocks: I64, peaks: F32) -> None:
    """Find the blocks of ascending terms in a range, and their peaks; -1 and 0 for a term without one."""
    block, stop = index.starts[number], index.starts[number + 1]
    for i in range(len(terms)):
        while block < stop and index.block_terms[block] < terms[i]:
            block += 1
        if block < stop and index.block_terms[block] == terms[i]:
            blocks[i], peaks[i] = block, index.peaks[block]
        else:
            blocks[i], peaks[i] = -1, 0.0


@njit(nogil=True)
def _blocks_of_query(index: Index, blocks: I64, peaks: F32, place: I64, query: _Blocks) -> int:
    """Fill `query` with the blocks of one query's terms, and return how many there are.

    Args:
        index: postings.
        blocks: int64, the block of each distinct term; -1: none.
        peaks: float32, their peaks.
        place: int64, the place of each of the query's terms among the distinct terms.
        query: filled.

    """
    held = 0
    for i in place:
        block = blocks[i]
        if block >= 0:
            query.first[held], query.last[held] = index.block_starts[block], index.block_starts[block + 1]
            query.row[held], query.remaining[held] = index.block_rows[block], peaks[i]
            held += 1
    query.remaining[held] = 0.0
    for term in range(held - 1, -1, -1):
        query.remaining[term] += query.remaining[term + 1]
    return held


@njit(nogil=True)
def _candidates(  # noqa: PLR0912 (each part for lists and for rows)
    index: Index, query: _Blocks, held: int, threshold: np.float64, many: int, space: _Space
) -> int:
    """Score the documents of a range that may reach a threshold.

    Args:
        index: postings.
        query: the blocks of a query.
        held: how many there are.
        threshold: a score, less the rounding error of scores.
        many: see below.
        space: `found` and `kept` are filled; `scores` are zero on entry and on return.

    Returns:
        How many documents there are. If they are more than `many`, it may be `_MANY` instead: then the scores of all
        documents that reach the threshold are in `space.scores`, and nothing is in `found` and `kept`.

    """
    first, last, row, remaining = query.first, query.last, query.row, query.remaining
    scores, found, kept = space.scores, space.found, space.kept
    term, added, only_lists = 0, 0, True
    while term < held and remaining[term] >= threshold:
        if row[term] >= 0:
            only_lists = False
            _add_row(index.rows[row[term]], scores)
        else:
            added += last[term] - first[term]
            _add_list(index.documents, index.impacts, first[term], last[term], scores)
        term += 1
    if only_lists and added < _FEW:
        lowest = _bound(threshold - remaining[term])
        count = _listed(index.documents, first[:term], last[:term], lowest, scores, found, kept)
    else:
        while True:
            count = _mark(scores, _bound(threshold - remaining[term]), space.marks, space.words)
            if term == held or _is_cheaper_to_follow(first[term], last[term], row[term], count):
                break
            added = 0
            while term < held and added < _PASS:
                if row[term] >= 0:
                    added += ROW
                    _add_row(index.rows[row[term]], scores)
                else:
                    added += last[term] - first[term]
                    _add_list(index.documents, index.impacts, first[term], last[term], scores)
                term += 1
        if term == held and count > many:
            return _MANY
        _gather(scores, space.marks, space.words, found, kept)
        _zero(scores)
    while term < held and count:
        if row[term] >= 0:
            _look_up_in_row(index.rows[row[term]], found, kept, count)
        elif last[term] - first[term] < _POSTINGS_A_LOOKUP * count:
            _scan(index.documents, index.impacts, first[term], last[term], found, kept, count, space.slots)
        else:
            _look_up(index.documents, index.impacts, first[term], last[term], found, kept, count)
        term += 1
        count = _still_possible(_bound(threshold - remaining[term]), found, kept, count)
    return count


@njit(nogil=True)
def _is_cheaper_to_follow(first: int, last: int, row: int, count: int) -> bool:
    """Tell whether looking documents up in a block takes less time than adding the block and reading all scores."""
    if row >= 0:
        return count * _POSTINGS_A_ROW_LOOKUP < ROW + _PASS
    return count * _POSTINGS_A_LOOKUP < last - first + _PASS


@njit(nogil=True)
def _bound(lowest: np.float64) -> np.float32:
    """Return a float32 that is not above `lowest`, but above 0."""
    return np.float32(max(lowest * (1 - _ROUNDING), 1e-30))


@njit(nogil=True)
def _add_row(row: F32, scores: F32) -> None:
    for i in range(RANGE):
        scores[i] += row[i]


@njit(nogil=True)
def _add_list(documents: U16, impacts: F32, first: int, last: int, scores: F32) -> None:
    for i in range(first, last):
        scores[documents[i]] += impacts[i]


@njit(nogil=True)
def _zero(scores: F32) -> None:
    for i in range(RANGE):
        scores[i] = 0.0


@njit(nogil=True)
def _listed(documents: U16, first: I64, last: I64, lowest: np.float32, scores: F32, found: I32, kept: F32) -> int:
    """List the documents of these lists that score at least `lowest`, and zero all scores; return how many."""
    count = 0
    for term in range(len(first)):
        for i in range(first[term], last[term]):
            document = documents[i]
            score = scores[document]
            scores[document] = 0.0  # listed once
            found[count], kept[count] = document, score
            count += score >= lowest
    return count


@njit(nogil=True)
def _mark(scores: F32, lowest: np.float32, marks: U8, words: U64) -> int:
    """Mark the documents of a range that score at least `lowest`, and return how many there are.

    Args:
        scores: float32[RANGE].
        lowest: a score.
        marks: uint8[RANGE], filled with 1 for these documents and 0 for the others.
        words: uint64[RANGE / 8], the same memory as `marks`.

    """
    for i in range(RANGE):
        marks[i] = scores[i] >= lowest
    count = np.uint64(0)
    for word in range(RANGE // 8):
        count += count_ones(words[word])
    return int64(count)


@njit(nogil=True)
def _gather(scores: F32, marks: U8, words: U64, found: I32, kept: F32) -> int:
    """List the marked documents and their scores, and return how many there are."""
    count = 0
    for word in range(RANGE // 8):
        if words[word]:
            for i in range(8 * word, 8 * word + 8):  # without a branch that a processor would guess wrong
                found[count], kept[count] = i, scores[i]
                count += int64(marks[i])
    return count


@njit(nogil=True)
def _look_up_in_row(row: F32, found: I32, kept: F32, count: int) -> None:
    for t in range(count):
        kept[t] += row[found[t]]


@njit(nogil=True)
def _look_up(documents: U16, impacts: F32, first: int, last: int, found: I32, kept: F32, count: int) -> None:
    """Add a list to the documents in `found`, by a binary search for each."""
    for t in range(count):
        kept[t] += impact_in(documents, impacts, first, last, np.uint16(found[t]))


@njit(nogil=True)
def _scan(documents: U16, impacts: F32, first: int, last: int, found: I32, kept: F32, count: int, slots: I32) -> None:
    """Add a list to the documents in `found`, by reading all its postings; `slots` is zero on entry and on return."""
    for t in range(count):
        slots[found[t]] = t + 1
    for i in range(first, last):
        slot = slots[documents[i]]
        if slot:
            kept[slot - 1] += impacts[i]
    for t in range(count):
        slots[found[t]] = 0


@njit(nogil=True)
def _still_possible(lowest: np.float32, found: I32, kept: F32, count: int) -> int:
    """Drop the documents that score below `lowest`; return how many are left."""
    left = 0
    for t in range(count):
        document, score = found[t], kept[t]
        found[left], kept[left] = document, score
        left += score >= lowest
    return left


@njit(nogil=True)
def _offer(
    query: int,
    row: int,
    numbers: I32,
    masks: Masks,
    threshold: np.float32,
    found: I32,
    kept: F32,
    best: Heaps,
    kept_out: Heaps,
) -> np.float32:
    """Offer documents to the heaps of a query, and return the threshold after that.

    Args:
        query: its number in `masks`.
        row: its heap.
        numbers: int32[RANGE], the numbers in `masks` of the documents of the range.
        masks: see `curation.mining.masks.Masks`.
        threshold: a score; documents below it are left out.
        found: int32, documents of the range.
        kept: float32, their scores.
        best: heaps of documents that are not masked.
        kept_out: heaps of masked documents.

    """
    best_scores, best_ids, held = best.scores[row], best.ids[row], best.held[row]
    for t in range(len(found)):
        score = kept[t]
        if score < threshold:
            continue
        whole = numbers[found[t]]
        if masked_by(masks, query, whole):
            kept_out.held[row] = push(kept_out.scores[row], kept_out.ids[row], kept_out.held[row], score, whole)
        else:
            held = push(best_scores, best_ids, held, score, whole)
            if held == len(best_scores):
                threshold = max(threshold, best_scores[0])
    best.held[row] = held
    return threshold


@njit(nogil=True)
def _offer_many(
    query: int,
    row: int,
    numbers: I32,
    masks: Masks,
    threshold: np.float32,
    wanted: int,
    space: _Space,
    best: Heaps,
    kept_out: Heaps,
) -> np.float32:
    """Offer documents by complete scores of a range, the best ones first: then most others need no place in a heap."""
    scores, found, kept = space.scores, space.found, space.kept
    cut = _high_score(scores, wanted)
    _mark(scores, cut, space.marks, space.words)
    count = _gather(scores, space.marks, space.words, found, kept)
    threshold = _offer(query, row, numbers, masks, threshold, found[:count], kept[:count], best, kept_out)
    if threshold < cut:
        for document in found[:count]:
            scores[document] = 0.0
        _mark(scores, _bound(np.float64(threshold)), space.marks, space.words)
        count = _gather(scores, space.marks, space.words, found, kept)
        threshold = _offer(query, row, numbers, masks, threshold, found[:count], kept[:count], best, kept_out)
    _zero(scores)
    return threshold


@njit(nogil=True)
def _high_score(scores: F32, wanted: int) -> np.float32:
    """Return a score above 0 that at least `wanted` documents of a range have, and not many more.

    At least `wanted` documents must score above 0.
    """
    low, high = np.float32(1e-30), np.float32(0.0)
    for score in scores:
        high = max(high, score)
    for _ in range(_HALVINGS):
        middle = (low + high) / np.float32(2)
        if _count(scores, middle) >= wanted:
            low = middle
        else:
            high = middle
    return low


@njit(nogil=True)
def _count(scores: F32, lowest: np.float32) -> int:
    """Count the documents of a range that score at least `lowest`."""
    count = np.int32(0)
    for i in range(RANGE):
        count = np.int32(count + np.int32(scores[i] >= lowest))
    return int64(count)
