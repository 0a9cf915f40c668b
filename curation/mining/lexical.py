"""BM25 as a retriever: the same masks as a dense one, the same things said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from curation.mining.bm25 import Index, build_index, query_terms, score_best, score_of, take_tokens
from curation.mining.masks import Masks, Ragged, by_language, masked_by
from curation.mining.retrievers import MASKED
from curation.mining.rules import Pool, Scored
from curation.mining.settings import MiningSettings
from curation.mining.topk.exact import finished
from curation.mining.topk.heap import Heaps, empty_heaps, push
from open_ml_embed.core.array_types import F32, I32, I64
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.text.tokens import Tokens

ROWS_AT_ONCE = 1024


class _Part(NamedTuple):
    """What the queries of one language search.

    Attributes:
        built: of the documents in that language, and of the positives and given negatives of these queries.
        documents: int32, ascending, their numbers in the pool.
        place: int64[queries of the pool], where each of these queries' terms are; -1 for the others.
        terms, starts: of `query_terms`.

    """

    built: Index
    documents: I32
    place: I64
    terms: I64
    starts: I64


class LexicalRetriever:
    """BM25 over the tokens of texts, one index a language where negatives must be in the positive's.

    What is searched need not be the documents themselves: in bitext no word is shared, so a query searches the other
    queries, and what it finds are their translations.
    """

    bounded = False
    recall = 1.0

    def __init__(self, asked: Tokens, searched: Tokens, *, k1: float, b: float, threads: int = 0) -> None:
        """Take what is to be indexed, at the first search.

        Args:
            asked: tokens of n queries, from `tokenize(…, for_search=True)`.
            searched: of m documents, or of what each is found by.
            k1: term-frequency saturation.
            b: length normalization, 0 to 1.
            threads: 0: one per core.

        """
        self._asked, self._searched = asked, searched
        self._k1, self._b = k1, b
        self._threads = threads or len(os.sched_getaffinity(0))
        self._parts: dict[int, _Part] = {}

    def blocks(self, pool: Pool, settings: MiningSettings, rows: I64 | None = None) -> Iterator[Scored]:
        """Yield every query once, language by language. A positive without a word in common has no score: NaN."""
        with ThreadPoolExecutor(self._threads) as threads:
            for language, asking, among in by_language(pool.masks, rows):
                part = self._part(language, pool, among)
                blocks = [asking[start : start + ROWS_AT_ONCE] for start in range(0, len(asking), ROWS_AT_ONCE)]
                yield from threads.map(lambda rows, part=part: _block(rows, part, pool, settings.range_max), blocks)

    def _part(self, language: int, pool: Pool, among: I32) -> _Part:
        """Return a language's index, made once; it does not depend on which of its queries are asked."""
        if language not in self._parts:
            masks, n = pool.masks, len(pool.masks.group)
            queries = np.flatnonzero(masks.query_language == language) if masks.language == 1 else np.arange(n)
            named = [lists.take(queries).values for lists in (masks.positives, pool.given)]
            documents = np.unique(np.concatenate([among, *named]))
            index = build_index(take_tokens(self._searched, documents), k1=self._k1, b=self._b)
            place = np.full(n, -1, np.int64)
            place[queries] = np.arange(len(queries))
            self._parts[language] = _Part(
                index, documents, place, *query_terms(index, take_tokens(self._asked, queries))
            )
        return self._parts[language]


def _block(rows: I64, part: _Part, pool: Pool, k: int) -> Scored:
    best, kept_out = empty_heaps(len(rows), k), empty_heaps(len(rows), MASKED)
    positives, given = pool.masks.positives.take(rows), pool.given.take(rows)
    positive_scores, given_scores = (np.zeros(len(lists.values), np.float32) for lists in (positives, given))
    _retrieve(
        rows, part.place[rows], part.documents, part.terms, part.starts, part.built, pool.masks, best, kept_out,
        _within(positives, part), positive_scores, _within(given, part), given_scores,
    )  # fmt: skip
    positive_scores[positive_scores == 0] = np.nan
    return Scored(rows, finished(best, kept_out), positive_scores, given_scores)


def _within(lists: Ragged, part: _Part) -> Ragged:
    return Ragged(lists.offsets, np.searchsorted(part.documents, lists.values).astype(np.int32))


@njit(nogil=True)
def _retrieve(
    rows: I64,
    places: I64,
    numbers: I32,
    terms: I64,
    term_starts: I64,
    index: Index,
    masks: Masks,
    best: Heaps,
    kept_out: Heaps,
    positives: Ragged,
    positive_scores: F32,
    given: Ragged,
    given_scores: F32,
) -> None:
    scores, touched = np.zeros(len(numbers), np.float32), np.empty(len(numbers), np.int32)
    most = best.scores.shape[1]
    heap = np.empty(most, np.float32), np.empty(most, np.int32)
    for i in range(len(rows)):
        row, place = rows[i], places[i]
        asked = terms[term_starts[place] : term_starts[place + 1]]
        for j in range(positives.offsets[i], positives.offsets[i + 1]):
            positive_scores[j] = score_of(asked, index, positives.values[j])
        for j in range(given.offsets[i], given.offsets[i + 1]):
            given_scores[j] = score_of(asked, index, given.values[j])
        used = score_best(asked, index, scores, touched, masks, row, numbers, heap)
        for document in touched[:used]:
            score = scores[document]
            scores[document] = 0.0
            if best.held[i] == most and score < best.scores[i, 0]:
                continue
            number = numbers[document]
            heaps = kept_out if masked_by(masks, row, number) else best
            heaps.held[i] = push(heaps.scores[i], heaps.ids[i], heaps.held[i], score, number)
