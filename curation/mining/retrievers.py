"""The retriever protocol, and the dense retriever (inner products). BM25 is in `curation.mining.lexical`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import starmap
from typing import TYPE_CHECKING, Protocol

import numpy as np

from curation.mining.masks import Masks, Ragged, by_language
from curation.mining.negatives import Negatives
from curation.mining.rerank import PairScores, reranked
from curation.mining.rules import Pool, Scored, choose
from curation.mining.settings import MiningSettings
from curation.mining.topk.exact import TopK, read_rows, search
from curation.mining.vectors import Vectors, score_pairs
from open_ml_embed.core.array_types import F32, I32, I64

if TYPE_CHECKING:
    from curation.mining.topk.faiss_backend import ApproximateSearch

MASKED = 32
"""Masked candidates that are reported for each query, at most: the best ones."""
PAIRS_AT_ONCE = 512
"""Pairs of query and positive that are scored at once."""


class Retriever(Protocol):
    """Finds candidates and scores positives."""

    @property
    def bounded(self) -> bool:
        """Tell whether scores are bounded, as cosines are; only then does `settings.max_score` apply."""

    @property
    def recall(self) -> float:
        """Recall of the searches so far, compared with an exact search; 1 for an exact one."""

    def blocks(self, pool: Pool, settings: MiningSettings, rows: I64 | None = None) -> Iterator[Scored]:
        """Yield scored candidates, one block of queries at a time, in any order; each query occurs once.

        Args:
            pool: masks and given negatives of all queries.
            settings: the rules; `range_max` is the number of candidates for each query.
            rows: int64, ascending, the queries to search for; null: all.

        """


def mine_blocks(
    retriever: Retriever,
    pool: Pool,
    settings: MiningSettings,
    pair_scores: PairScores | None,
    rows: I64 | None = None,
) -> Iterator[tuple[I64, Negatives]]:
    """Yield (int64 query numbers, their negatives), one block at a time.

    A block's candidates are freed before the next block is searched.

    Args:
        retriever: finds and scores candidates.
        pool: masks, given negatives and keys of all queries.
        settings: the rules.
        pair_scores: reranks the candidates; null: the retriever's scores count.
        rows: int64, ascending, the queries to mine for; null: all.

    """
    bounded = retriever.bounded or pair_scores is not None

    def decide(block: Scored) -> tuple[I64, Negatives]:
        scored = reranked(block, pool, pair_scores) if pair_scores else block
        return scored.rows, choose(scored, pool, settings, bounded=bounded)

    return map(decide, retriever.blocks(pool, settings, rows))


@dataclass
class DenseRetriever:
    """Inner products of vectors; exact, or approximate above `settings.approximate_above` documents.

    Attributes:
        queries: n vectors.
        documents: m vectors of the same dimension.
        device, query_block, document_block, threads: see `curation.mining.topk.exact.exact_topk`.
        bounded, recall: see `Retriever`.

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
        """Yield every query once, a block at a time; language by language if languages must agree."""
        for language, queries, documents in by_language(pool.masks, rows):
            results: Iterator[tuple[I64, TopK]]
            if len(documents) > settings.approximate_above:
                index = self._index(language, documents, pool.masks, settings)
                results = index.search(self.queries, settings.range_max, masks=pool.masks, masked=MASKED, rows=queries)
            else:
                results = search(
                    self.queries,
                    self.documents,
                    settings.range_max,
                    masks=pool.masks,
                    masked=MASKED,
                    rows=queries,
                    among=documents,
                    device=self.device,
                    query_block=self.query_block,
                    document_block=self.document_block,
                    threads=self.threads,
                )
            yield from starmap(partial(self._scored, pool), results)

    def _scored(self, pool: Pool, rows: I64, candidates: TopK) -> Scored:
        return Scored(rows, candidates, self._pairs(rows, pool.masks.positives), self._pairs(rows, pool.given))

    def _index(self, language: int, among: I32, masks: Masks, settings: MiningSettings) -> ApproximateSearch:
        """Return the index of a language's documents; built, and its recall measured, once."""
        if language not in self._indexes:
            from curation.mining.topk.faiss_backend import ApproximateSearch

            index = self._indexes[language] = ApproximateSearch(self.documents, among)
            rows = (
                np.flatnonzero(masks.query_language == language) if masks.language == 1 else np.arange(len(masks.group))
            )
            self.recall = min(self.recall, index.recall(self.queries, settings.range_max, masks=masks, rows=rows))
        return self._indexes[language]

    def _pairs(self, rows: I64, lists: Ragged) -> F32:
        """Score these queries with each document of their lists, float32[total]."""
        query_of, document_of = np.repeat(rows, lists.counts(rows)), lists.take(rows).values
        result = np.empty(len(query_of), np.float32)
        for start in range(0, len(query_of), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            distinct, inverse = np.unique(query_of[part], return_inverse=True)
            left = read_rows(self.queries, distinct)[inverse]
            result[part] = score_pairs(left, self.documents.take(document_of[part]))
        return result
