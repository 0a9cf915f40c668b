"""BM25 retriever with the interface and masks of the dense one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from curation.mining.bm25 import Index, query_terms, score_of
from curation.mining.bm25_build import build_index
from curation.mining.bm25_threshold import sample_first, top_k
from curation.mining.masks import Ragged, by_language
from curation.mining.retrievers import MASKED
from curation.mining.rules import Pool, Scored
from curation.mining.settings import MiningSettings
from curation.mining.topk.exact import to_topk
from open_ml_embed.core.array_types import F32, I32, I64, Integers
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.text.tokens import Tokens

ROWS_AT_ONCE = 1024
"""Queries that a thread searches for at once."""
QUERIES_AT_ONCE, DOCUMENTS_AT_ONCE = 32_768, 16_384
"""Texts whose tokens are in memory at once."""
TokensOf = Callable[[Integers], Tokens]
"""Returns the tokens of the texts with these numbers, in their order, from `tokenize(…, for_search=True)`."""


class _Part(NamedTuple):
    """The index that the queries of one language search.

    Attributes:
        postings: index of the documents in that language, and of the positives and given negatives of these queries.
        sample: how many ranges of the index hold a sample of its documents, from the first on.
        documents: int32[n], numbers of the indexed documents in the pool, in the order of the index.
        ascending, places: int32[n], the same numbers in ascending order, and the place of each in the index.

    """

    postings: Index
    sample: int
    documents: I32
    ascending: I32
    places: I32


class LexicalRetriever:
    """BM25 over the tokens of texts. If negatives must be in the positive's language, each language has its own index.

    The indexed texts need not be those of the documents. In bitext, query and document share no words, so a document
    is indexed by the words of the queries that it answers.
    """

    bounded = False
    recall = 1.0

    def __init__(self, queries: TokensOf, documents: TokensOf, *, k1: float, b: float, threads: int = 0) -> None:
        """Keep the functions; an index is built at the first search that needs it.

        Args:
            queries: returns tokens of queries.
            documents: returns tokens of documents, or of the texts by which they are found.
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
                for start in range(0, len(queries), QUERIES_AT_ONCE):
                    several = queries[start : start + QUERIES_AT_ONCE]
                    terms, starts = query_terms(part.postings, self._queries(several))
                    yield from threads.map(
                        lambda first, several=several, terms=terms, starts=starts, part=part: _block(
                            several[first : first + ROWS_AT_ONCE], terms, starts[first : first + ROWS_AT_ONCE + 1],
                            part, pool, settings.range_max,
                        ),
                        range(0, len(several), ROWS_AT_ONCE),
                    )  # fmt: skip

    def _part(self, language: int, pool: Pool, language_documents: I32) -> _Part:
        """Return the index of a language, built once; it does not depend on which queries are searched."""
        if language not in self._parts:
            masks, n = pool.masks, len(pool.masks.group)
            queries = np.flatnonzero(masks.query_language == language) if masks.language == 1 else np.arange(n)
            linked = [lists.take(queries).values for lists in (masks.positives, pool.given)]
            ascending = np.unique(np.concatenate([language_documents, *linked]))
            order, sample = sample_first(len(ascending))
            documents, places = ascending[order], np.empty(len(order), np.int32)
            places[order] = np.arange(len(order), dtype=np.int32)
            starts = range(0, len(documents), DOCUMENTS_AT_ONCE)
            chunks = (self._documents(documents[start : start + DOCUMENTS_AT_ONCE]) for start in starts)
            postings = build_index(chunks, k1=self._k1, b=self._b)
            self._parts[language] = _Part(postings, sample, documents, ascending, places)
        return self._parts[language]


def _block(rows: I64, terms: I64, starts: I64, part: _Part, pool: Pool, k: int) -> Scored:
    terms, starts = terms[starts[0] : starts[-1]], starts - starts[0]
    best, kept_out = top_k(rows, terms, starts, part.postings, part.sample, part.documents, pool.masks, k, MASKED)
    linked = (pool.masks.positives, pool.given)
    positives, given = (_scores(terms, starts, part.postings, _within(lists.take(rows), part)) for lists in linked)
    positives[positives == 0] = np.nan
    return Scored(rows, to_topk(best, kept_out), positives, given)


def _within(lists: Ragged, part: _Part) -> Ragged:
    """Convert document numbers of the pool to those of the part's index."""
    return Ragged(lists.offsets, part.places[np.searchsorted(part.ascending, lists.values)])


@njit(nogil=True)
def _scores(terms: I64, starts: I64, index: Index, lists: Ragged) -> F32:
    """Score each query with the documents of its list."""
    scores = np.zeros(len(lists.values), np.float32)
    for i in range(len(starts) - 1):
        for j in range(lists.offsets[i], lists.offsets[i + 1]):
            scores[j] = score_of(terms[starts[i] : starts[i + 1]], index, lists.values[j])
    return scores
