"""Approximate search with faiss, for pools that are too large for an exact search.

The index is an inverted file (IVF) of float16 vectors. Candidates are scored and masked as in the exact search, and
ties have the same order, but some are missed. `recall` compares with an exact search for a thousand of the queries.
Which candidates are missed may differ between machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from curation.mining.masks import Masks
from curation.mining.topk.exact import TopK, read_rows, search, to_topk
from curation.mining.topk.heap import empty_heaps
from curation.mining.topk.tile_scan import Tile, offer_listed
from curation.mining.vectors import Vectors, padded
from open_ml_embed.core.array_types import I32, I64
from open_ml_embed.core.optional import require

MEASURED = 1000
"""Queries that the recall is measured on."""
TRAINED_PER_LIST = 64
"""Training vectors for each inverted list."""
ROWS_AT_ONCE = 64
"""Queries searched at once."""


class ApproximateSearch:
    """An index of some of the documents."""

    def __init__(self, documents: Vectors, among: I32, *, probed: int = 32, block: int = 65_536) -> None:
        """Build the index.

        Args:
            documents: m vectors.
            among: int32, ascending, which of them to index.
            probed: number of inverted lists that a query searches, of about 4·√m in all (`nprobe` in faiss).
            block: documents in memory at once, as float32.

        Raises:
            MissingPackageError: faiss is not installed.

        """
        faiss = require(
            "faiss",
            what=f"an approximate search of {len(among):,} documents",
            where="mining.approximate_above",
            instead="raise the number: an exact search only takes longer",
        )
        self._documents, self._among = documents, among
        lists = max(1, int(4 * np.sqrt(len(among))))
        dim = documents.dim
        quantizer = faiss.IndexFlatIP(dim)
        self._index: Any = faiss.IndexIVFScalarQuantizer(
            quantizer, dim, lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        self._index.nprobe = min(probed, lists)
        sample = among[:: max(1, len(among) // (TRAINED_PER_LIST * lists))]
        self._index.train(read_rows(documents, sample).astype(np.float32))
        for start in range(0, len(among), block):
            self._index.add(read_rows(documents, among[start : start + block]).astype(np.float32))

    def search(
        self, queries: Vectors, k: int, *, masks: Masks, masked: int = 0, rows: I64
    ) -> Iterator[tuple[I64, TopK]]:
        """Yield (int64 query numbers, their candidates), as `curation.mining.topk.exact.search` does.

        The index returns twice as many candidates as needed, because masks apply only afterwards.

        Args:
            queries: n vectors.
            k: number of candidates for each query.
            masks: of all queries over all documents.
            masked: number of masked documents to report for each query.
            rows: int64, the queries to search for.

        """
        for start in range(0, max(len(rows), 1), ROWS_AT_ONCE):
            block = rows[start : start + ROWS_AT_ONCE]
            block_queries = read_rows(queries, block).astype(np.float32)
            _, positions = self._index.search(block_queries, min(2 * k + masked, len(self._among)))
            row, column = np.nonzero(positions >= 0)
            ids, tile_column = np.unique(self._among[positions[row, column]], return_inverse=True)
            best, kept_out = empty_heaps(len(block), k), empty_heaps(len(block), masked)
            left, right = (
                padded(block_queries, start, "queries")[0],
                padded(read_rows(self._documents, ids), 0, "documents")[0],
            )
            tile = Tile(left, right, np.zeros(len(block)), block, ids, masks, best, kept_out)
            offer_listed(tile, row, tile_column, np.full(len(row), np.inf, np.float32))
            yield block, to_topk(best, kept_out)

    def recall(self, queries: Vectors, k: int, *, masks: Masks, rows: I64) -> float:
        """Return the share of the exact top k that the index finds, over `MEASURED` evenly spaced queries of `rows`."""
        sample = rows[np.unique(np.linspace(0, len(rows) - 1, min(MEASURED, len(rows)), dtype=np.int64))]
        exact = self._ids(search(queries, self._documents, k, masks=masks, rows=sample, among=self._among))
        approximate = self._ids(self.search(queries, k, masks=masks, rows=sample))
        hits = sum(len(np.intersect1d(a[a >= 0], b)) for a, b in zip(exact, approximate, strict=True))
        return float(hits / max(int((exact >= 0).sum()), 1))

    @staticmethod
    def _ids(parts: Iterator[tuple[I64, TopK]]) -> I32:
        return np.concatenate([topk.ids for _, topk in parts])
