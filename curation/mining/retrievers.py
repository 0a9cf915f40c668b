"""Who finds candidates: the protocol, and vectors by their inner products. BM25 is in `curation.mining.lexical`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import starmap
from typing import TYPE_CHECKING, Protocol

import numpy as np

from curation.mining.masks import Masks, Ragged, by_language
from curation.mining.negatives import Negatives
from curation.mining.rerank import Opinion, reconsidered
from curation.mining.rules import Pool, Scored, choose
from curation.mining.settings import MiningSettings
from curation.mining.topk.exact import Found, read_rows, search
from curation.mining.vectors import Vectors, score_pairs
from open_ml_embed.core.array_types import F32, I32, I64

if TYPE_CHECKING:
    from curation.mining.topk.faiss_backend import ApproximateSearch

MASKED = 32
"""Masked candidates that are reported for each query, at most: the best."""
PAIRS_AT_ONCE = 512


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


def decided(
    retriever: Retriever, pool: Pool, settings: MiningSettings, opinion: Opinion | None, rows: I64 | None = None
) -> Iterator[tuple[I64, Negatives]]:
    """Yield queries and their negatives, a block at a time; nothing of a block is held while the next is searched."""
    bounded = retriever.bounded or opinion is not None

    def decide(block: Scored) -> tuple[I64, Negatives]:
        scored = reconsidered(block, pool, opinion) if opinion else block
        return scored.rows, choose(scored, pool, settings, bounded=bounded)

    return map(decide, retriever.blocks(pool, settings, rows))


@dataclass
class DenseRetriever:
    """Inner products of vectors; exact, or approximate above `settings.approximate_above` documents.

    Attributes:
        queries: n vectors.
        documents: m vectors of the same length.
        device, query_block, document_block, threads: see `curation.mining.topk.exact.exact_topk`.

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
        for language, asking, among in by_language(pool.masks, rows):
            found: Iterator[tuple[I64, Found]]
            if len(among) > settings.approximate_above:
                index = self._index(language, among, pool.masks, settings)
                found = index.search(self.queries, settings.range_max, masks=pool.masks, masked=MASKED, rows=asking)
            else:
                found = search(
                    self.queries,
                    self.documents,
                    settings.range_max,
                    masks=pool.masks,
                    masked=MASKED,
                    rows=asking,
                    among=among,
                    device=self.device,
                    query_block=self.query_block,
                    document_block=self.document_block,
                    threads=self.threads,
                )
            yield from starmap(partial(self._scored, pool), found)

    def _scored(self, pool: Pool, rows: I64, found: Found) -> Scored:
        return Scored(rows, found, self._pairs(rows, pool.masks.positives), self._pairs(rows, pool.given))

    def _index(self, language: int, among: I32, masks: Masks, settings: MiningSettings) -> ApproximateSearch:
        """Return the index of a language's documents, made and measured once."""
        if language not in self._indexes:
            from curation.mining.topk.faiss_backend import ApproximateSearch

            index = self._indexes[language] = ApproximateSearch(self.documents, among)
            rows = (
                np.flatnonzero(masks.query_language == language) if masks.language == 1 else np.arange(len(masks.group))
            )
            self.recall = min(self.recall, index.recall(self.queries, settings.range_max, masks=masks, rows=rows))
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
