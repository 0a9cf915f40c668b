"""BM25 retriever with the interface and masks of the dense one."""

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
from curation.mining.topk.exact import to_topk
from curation.mining.topk.heap import Heaps, empty_heaps, push
from open_ml_embed.core.array_types import F32, I32, I64
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.text.tokens import Tokens

ROWS_AT_ONCE = 1024


class _Part(NamedTuple):
    """The index that the queries of one language search.

    Attributes:
        lexicon: index of the documents in that language, and of the positives and given negatives of these queries.
        documents: int32, ascending numbers of the indexed documents in the pool.
        row_of: int64[queries of the pool], row of each query in `starts`; -1 for queries of other languages.
        terms, starts: int64, see `query_terms`.

    """

    lexicon: Index
    documents: I32
    row_of: I64
    terms: I64
    starts: I64


class LexicalRetriever:
    """BM25 over the tokens of texts. If negatives must be in the positive's language, each language has its own index.

    The indexed texts need not be those of the documents. In bitext, query and document share no words, so a document
    is indexed by the words of the queries that it answers.
    """

    bounded = False
    recall = 1.0

    def __init__(self, queries: Tokens, documents: Tokens, *, k1: float, b: float, threads: int = 0) -> None:
        """Keep the tokens; an index is built at the first search.

        Args:
            queries: tokens of n queries, from `tokenize(…, for_search=True)`.
            documents: tokens of m documents, or of the texts by which they are found.
            k1: term-frequency saturation.
            b: length normalization, 0 to 1.
            threads: 0: one per core.

        """
        self._queries, self._documents = queries, documents
        self._k1, self._b = k1, b
        self._threads = threads or len(os.sched_getaffinity(0))
        self._parts: dict[int, _Part] = {}

    def blocks(self, pool: Pool, settings: MiningSettings, rows: I64 | None = None) -> Iterator[Scored]:
        """Yield every query once, language by language. The score of a positive that shares no word is NaN."""
        with ThreadPoolExecutor(self._threads) as threads:
            for language, queries, documents in by_language(pool.masks, rows):
                part = self._part(language, pool, documents)
                blocks = [queries[start : start + ROWS_AT_ONCE] for start in range(0, len(queries), ROWS_AT_ONCE)]
                yield from threads.map(lambda rows, part=part: _block(rows, part, pool, settings.range_max), blocks)

    def _part(self, language: int, pool: Pool, language_documents: I32) -> _Part:
        """Return the index of a language, built once; it does not depend on which queries are searched."""
        if language not in self._parts:
            masks, n = pool.masks, len(pool.masks.group)
            queries = np.flatnonzero(masks.query_language == language) if masks.language == 1 else np.arange(n)
            linked = [lists.take(queries).values for lists in (masks.positives, pool.given)]
            documents = np.unique(np.concatenate([language_documents, *linked]))
            index = build_index(take_tokens(self._documents, documents), k1=self._k1, b=self._b)
            row_of = np.full(n, -1, np.int64)
            row_of[queries] = np.arange(len(queries))
            self._parts[language] = _Part(
                index, documents, row_of, *query_terms(index, take_tokens(self._queries, queries))
            )
        return self._parts[language]


def _block(rows: I64, part: _Part, pool: Pool, k: int) -> Scored:
    best, kept_out = empty_heaps(len(rows), k), empty_heaps(len(rows), MASKED)
    positives, given = pool.masks.positives.take(rows), pool.given.take(rows)
    positive_scores, given_scores = (np.zeros(len(lists.values), np.float32) for lists in (positives, given))
    _retrieve(
        rows, part.row_of[rows], part.documents, part.terms, part.starts, part.lexicon, pool.masks, best, kept_out,
        _within(positives, part), positive_scores, _within(given, part), given_scores,
    )  # fmt: skip
    positive_scores[positive_scores == 0] = np.nan
    return Scored(rows, to_topk(best, kept_out), positive_scores, given_scores)


def _within(lists: Ragged, part: _Part) -> Ragged:
    """Convert document numbers of the pool to those of the part's index."""
    return Ragged(lists.offsets, np.searchsorted(part.documents, lists.values).astype(np.int32))


@njit(nogil=True)
def _retrieve(
    rows: I64,
    term_rows: I64,
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
    capacity = best.scores.shape[1]
    heap = np.empty(capacity, np.float32), np.empty(capacity, np.int32)
    for i in range(len(rows)):
        query, term_row = rows[i], term_rows[i]
        terms_of_query = terms[term_starts[term_row] : term_starts[term_row + 1]]
        for j in range(positives.offsets[i], positives.offsets[i + 1]):
            positive_scores[j] = score_of(terms_of_query, index, positives.values[j])
        for j in range(given.offsets[i], given.offsets[i + 1]):
            given_scores[j] = score_of(terms_of_query, index, given.values[j])
        count = score_best(terms_of_query, index, scores, touched, masks, query, numbers, heap)
        for document in touched[:count]:
            score = scores[document]
            scores[document] = 0.0
            if best.held[i] == capacity and score < best.scores[i, 0]:
                continue
            number = numbers[document]
            target = kept_out if masked_by(masks, query, number) else best
            target.held[i] = push(target.scores[i], target.ids[i], target.held[i], score, number)
