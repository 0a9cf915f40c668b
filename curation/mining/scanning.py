"""Looks through tiles of a matrix product for what may be among the best, and scores only that. Compiled."""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np

from curation.mining.dots import dot
from curation.mining.heaps import F32, I32, Heaps, push
from curation.mining.masks import Masks, masked_by
from curation.mining.vectors import F64, I64

_CHUNK = 64


class Tile(NamedTuple):
    """Some queries and one block of documents.

    Attributes:
        queries: float32[rows, width], from `padded`.
        documents: float32[columns, width].
        slack: float64[rows], by how much a product in float32 may be off.
        rows: int64[rows], numbers of the queries, as the masks count them.
        ids: int32[columns], ascending numbers of the documents.
        masks: of all queries over all documents.
        best: heaps of the candidates, one a row.
        kept_out: heaps of those that a mask kept out.

    """

    queries: F32
    documents: F32
    slack: F64
    rows: I64
    ids: I32
    masks: Masks
    best: Heaps
    kept_out: Heaps

    def part(self, rows: slice) -> Tile:
        """Return some of the queries, sharing the heaps."""
        best, kept_out = (Heaps(h.scores[rows], h.ids[rows], h.held[rows]) for h in (self.best, self.kept_out))
        return self._replace(
            queries=self.queries[rows], slack=self.slack[rows], rows=self.rows[rows], best=best, kept_out=kept_out
        )

    def least(self) -> F32:
        """Return the product below which a document cannot enter, float32[rows]; -inf while a heap has room."""
        full = self.best.held == self.best.scores.shape[1]
        return np.where(full, self.best.scores[:, 0] - self.slack, -np.inf).astype(np.float32)


@nb.njit(cache=True, nogil=True)
def scan(tile, product):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Offer every document that may enter; `product` is float32[rows, columns]."""
    columns = product.shape[1]
    for row in range(len(tile.rows)):
        least = _least(tile, row)
        for start in range(0, columns, _CHUNK):
            stop = min(start + _CHUNK, columns)
            if stop - start == _CHUNK and not _any_reaches(product[row, start:stop], least):
                continue
            for column in range(start, stop):
                if product[row, column] >= least:
                    _offer(tile, row, column, product[row, column])
                    least = _least(tile, row)


@nb.njit(cache=True, nogil=True)
def offer_listed(tile, rows, columns, products):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Offer single documents: int64 places in the tile, and their products, float32."""
    for i in range(len(rows)):
        if products[i] >= _least(tile, rows[i]):
            _offer(tile, rows[i], columns[i], products[i])


@nb.njit(cache=True, nogil=True)
def _any_reaches(values, least):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compare a whole chunk, of fixed length and without a branch: that compiles to vector instructions."""
    found = False
    for i in range(_CHUNK):
        found |= values[i] >= least
    return found


@nb.njit(cache=True, nogil=True)
def _least(tile, row):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if tile.best.held[row] < tile.best.scores.shape[1]:
        return np.float32(-np.inf)
    return np.float32(tile.best.scores[row, 0] - tile.slack[row])


@nb.njit(cache=True, nogil=True)
def _offer(tile, row, column, product):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    number = tile.ids[column]
    heaps = tile.kept_out if masked_by(tile.masks, tile.rows[row], number) else tile.best
    most = heaps.scores.shape[1]
    if most == 0 or (heaps.held[row] == most and product < heaps.scores[row, 0] - tile.slack[row]):
        return
    score = dot(tile.queries[row], tile.documents[column])
    heaps.held[row] = push(heaps.scores[row], heaps.ids[row], heaps.held[row], score, number)
