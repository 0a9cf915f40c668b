"""Approximate search for pools that an exact one takes too long for: faiss finds, we score, mask and measure.

An inverted file (IVF) with vectors in float16. Scores, masks and ties are those of the exact search; what it misses,
it misses: `recall` says how much, against exact answers to a thousand of the queries. Two machines may differ in what
they miss.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from curation.mining.masks import Masks
from curation.mining.topk.exact import Found, finished, read_rows, search
from curation.mining.topk.heap import empty_heaps
from curation.mining.topk.tile_scan import Tile, offer_listed
from curation.mining.vectors import Vectors, padded
from open_ml_embed.core.array_types import I32, I64
from open_ml_embed.core.optional import require

MEASURED = 1000
TRAINED_PER_LIST = 64
ROWS_AT_ONCE = 64


class ApproximateSearch:
    """An index of some of the documents."""

    def __init__(self, documents: Vectors, among: I32, *, probed: int = 32, block: int = 65_536) -> None:
        """Build the index.

        Args:
            documents: m vectors.
            among: int32, ascending, which of them to index.
            probed: of about 4·√m lists, how many a query looks into.
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
    ) -> Iterator[tuple[I64, Found]]:
        """Yield (query numbers, what was found), as `curation.mining.topk.exact.search` does.

        Twice as many candidates are asked for as are wanted: masks take theirs only afterwards.
        """
        for start in range(0, max(len(rows), 1), ROWS_AT_ONCE):
            here = rows[start : start + ROWS_AT_ONCE]
            asked = read_rows(queries, here).astype(np.float32)
            _, places = self._index.search(asked, min(2 * k + masked, len(self._among)))
            row, column = np.nonzero(places >= 0)
            ids, of = np.unique(self._among[places[row, column]], return_inverse=True)
            best, kept_out = empty_heaps(len(here), k), empty_heaps(len(here), masked)
            left, right = padded(asked, start, "queries")[0], padded(read_rows(self._documents, ids), 0, "documents")[0]
            tile = Tile(left, right, np.zeros(len(here)), here, ids, masks, best, kept_out)
            offer_listed(tile, row, of, np.full(len(row), np.inf, np.float32))
            yield here, finished(best, kept_out)

    def recall(self, queries: Vectors, k: int, *, masks: Masks, rows: I64) -> float:
        """Return the share of the k best that is found, over a thousand queries spread evenly."""
        probe = rows[np.unique(np.linspace(0, len(rows) - 1, min(MEASURED, len(rows)), dtype=np.int64))]
        exact = self._ids(search(queries, self._documents, k, masks=masks, rows=probe, among=self._among))
        found = self._ids(self.search(queries, k, masks=masks, rows=probe))
        hits = sum(len(np.intersect1d(a[a >= 0], b)) for a, b in zip(exact, found, strict=True))
        return float(hits / max(int((exact >= 0).sum()), 1))

    @staticmethod
    def _ids(parts: Iterator[tuple[I64, Found]]) -> I32:
        return np.concatenate([found.ids for _, found in parts])
