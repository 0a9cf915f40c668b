"""Who finds candidates: vectors by their inner products, or BM25. Both keep the same masks and say the same things."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numba as nb
import numpy as np

from curation.mining.bm25 import build_index, query_terms, score_one
from curation.mining.heaps import F32, I32, empty_heaps, push
from curation.mining.masks import Masks, Ragged, masked_by
from curation.mining.rules import Pool, Scored
from curation.mining.search import Found, finished, read_rows, search
from curation.mining.vectors import Vectors, score_pairs
from curation.settings import MiningSettings
from curation.text.tokens import I64, Tokens

if TYPE_CHECKING:
    from curation.mining.approximate import ApproximateSearch

MASKED = 32
"""Masked candidates that are reported for each query, at most: the best."""
PAIRS_AT_ONCE = 16_384
ROWS_AT_ONCE = 1024


class Retriever(Protocol):
    """Finds candidates and scores positives."""

    @property
    def bounded(self) -> bool:
        """Tell whether scores have a scale, so that an absolute ceiling means something."""

    @property
    def recall(self) -> float:
        """Of what was found so far, against an exact search; 1 for an exact one."""

    def blocks(self, pool: Pool, settings: MiningSettings, rows: I64 | None = None) -> Iterator[Scored]:
        """Yield every query once, or every one of `rows` (int64, ascending), a block at a time, in any order."""


@dataclass
class DenseRetriever:
    """Inner products of vectors; exact, or approximate above `settings.approximate_above` documents.

    Attributes:
        queries: n vectors.
        documents: m vectors of the same length.
        device, query_block, document_block, threads: see `curation.mining.search.exact_topk`.

    """

    queries: Vectors
    documents: Vectors
    device: str = "cpu"
    query_block: int | None = None
    document_block: int | None = None
    threads: int = 0
    bounded: bool = True
    recall: float = 1.0
    _indexes: dict[int, ApproximateSearch] = field(default_factory=dict)

    def blocks(self, pool: Pool, settings: MiningSettings, rows: I64 | None = None) -> Iterator[Scored]:
        """Yield every query once, a block at a time; one language after the other where languages must agree."""
        for language, asking, among in _by_language(pool.masks, rows):
            found: Iterator[tuple[I64, Found]]
            if len(among) > settings.approximate_above:
                index = self._index(language, among, pool.masks, settings)
                found = index.search(self.queries, settings.retrieved, masks=pool.masks, masked=MASKED, rows=asking)
            else:
                found = search(
                    self.queries, self.documents, settings.retrieved, masks=pool.masks, masked=MASKED, rows=asking,
                    among=among, device=self.device, query_block=self.query_block,
                    document_block=self.document_block, threads=self.threads,
                )  # fmt: skip
            for here, part in found:
                yield Scored(here, part, self._pairs(here, pool.masks.positives), self._pairs(here, pool.given))

    def _index(self, language: int, among: I32, masks: Masks, settings: MiningSettings) -> ApproximateSearch:
        """Return the index of a language's documents, made and measured once."""
        if language not in self._indexes:
            from curation.mining.approximate import ApproximateSearch

            index = self._indexes[language] = ApproximateSearch(self.documents, among)
            rows = (
                np.flatnonzero(masks.query_language == language) if masks.language == 1 else np.arange(len(masks.group))
            )
            self.recall = min(self.recall, index.recall(self.queries, settings.retrieved, masks=masks, rows=rows))
        return self._indexes[language]

    def _pairs(self, rows: I64, lists: Ragged) -> F32:
        """Score each of some queries with each document of its list."""
        asked, written = np.repeat(rows, lists.counts(rows)), lists.take(rows).values
        result = np.empty(len(asked), np.float32)
        for start in range(0, len(asked), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            distinct, back = np.unique(asked[part], return_inverse=True)
            left = read_rows(self.queries, distinct)[back]
            result[part] = score_pairs(left, self.documents.take(written[part]))
        return result


def _by_language(masks: Masks, rows: I64 | None) -> Iterator[tuple[int, I64, I32]]:
    """Yield (language, queries, documents to search): one language after the other where it must be the same."""
    rows = np.arange(len(masks.group)) if rows is None else rows
    if masks.language != 1:
        yield 0, rows, np.arange(len(masks.document_cluster), dtype=np.int32)
        return
    by_query = rows[np.argsort(masks.query_language[rows], kind="stable")]
    by_document = np.argsort(masks.document_language, kind="stable").astype(np.int32)
    asked, written = masks.query_language[by_query], masks.document_language[by_document]
    for language in np.unique(asked):
        first, last = np.searchsorted(asked, [language, language + 1])
        low, high = np.searchsorted(written, [language, language + 1])
        yield int(language), by_query[first:last], by_document[low:high]


class LexicalRetriever:
    """BM25 over the tokens of texts.

    What is searched need not be the documents themselves: in bitext no word is shared, so a query searches the other
    queries, and what it finds are their translations.
    """

    bounded = False
    recall = 1.0

    def __init__(self, asked: Tokens, searched: Tokens, *, k1: float, b: float, threads: int = 0) -> None:
        """Index documents.

        Args:
            asked: tokens of n queries, from `tokenise(…, for_search=True)`.
            searched: of m documents, or of what each is found by.
            k1: term-frequency saturation.
            b: length normalisation, 0 to 1.
            threads: 0: one per core.

        """
        self._index = build_index(searched, k1=k1, b=b)
        self._terms, self._starts = query_terms(self._index, asked)
        self._threads = threads or len(os.sched_getaffinity(0))

    def blocks(self, pool: Pool, settings: MiningSettings, rows: I64 | None = None) -> Iterator[Scored]:
        """Yield every query once, in order. A positive without a word in common has no score: NaN."""
        rows = np.arange(len(self._starts) - 1) if rows is None else rows
        parts = [rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)]
        with ThreadPoolExecutor(self._threads) as threads:
            yield from threads.map(lambda part: self._block(part, pool, settings.retrieved), parts)

    def _block(self, rows: I64, pool: Pool, k: int) -> Scored:
        best, kept_out = empty_heaps(len(rows), k), empty_heaps(len(rows), MASKED)
        positives, given = pool.masks.positives.take(rows), pool.given.take(rows)
        positive_scores, given_scores = (np.zeros(len(lists.values), np.float32) for lists in (positives, given))
        index = self._index
        _retrieve(
            rows, self._terms, self._starts, index.starts, index.documents, index.impacts, index.size, pool.masks,
            best, kept_out, positives, positive_scores, given, given_scores,
        )  # fmt: skip
        positive_scores[positive_scores == 0] = np.nan
        return Scored(rows, finished(best, kept_out), positive_scores, given_scores)


@nb.njit(cache=True, nogil=True)
def _retrieve(  # type: ignore[no-untyped-def]  # noqa: ANN202
    rows, terms, term_starts, starts, documents, impacts, size, masks, best, kept_out,  # noqa: ANN001
    positives, positive_scores, given, given_scores,  # noqa: ANN001
):  # fmt: skip
    scores = np.zeros(size, np.float32)
    touched = np.empty(size, np.int32)
    most = best.scores.shape[1]
    for i in range(len(rows)):
        row = rows[i]
        used = score_one(terms[term_starts[row] : term_starts[row + 1]], starts, documents, impacts, scores, touched)
        for j in range(positives.offsets[i], positives.offsets[i + 1]):
            positive_scores[j] = scores[positives.values[j]]
        for j in range(given.offsets[i], given.offsets[i + 1]):
            given_scores[j] = scores[given.values[j]]
        for t in range(used):
            document = touched[t]
            score = scores[document]
            scores[document] = 0.0
            if best.held[i] == most and score < best.scores[i, 0]:
                continue
            heaps = kept_out if masked_by(masks, row, document) else best
            heaps.held[i] = push(heaps.scores[i], heaps.ids[i], heaps.held[i], score, document)
