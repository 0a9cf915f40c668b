"""Tile scan: score only the documents in a tile of a matrix product that can enter the top k. Compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from curation.mining.masks import Masks, masked_by
from curation.mining.topk.heap import Heaps, push
from curation.mining.topk.score_kernel import dot
from open_ml_embed.core.array_types import F32, F64, I32, I64, U8
from open_ml_embed.core.compiled import njit

CHUNK = 64
"""Columns that are compared at once."""


class Tile(NamedTuple):
    """A block of queries, a block of documents, and the heaps of the queries.

    Attributes:
        queries: float32[rows, width], from `padded`.
        documents: float32[columns, width], from `padded`.
        slack: float64[rows], upper bound on the error of a product.
        rows: int64[rows], query numbers in `masks`.
        ids: int32[columns], ascending document numbers.
        masks: of all queries over all documents.
        best: heaps of the candidates, one for each row.
        kept_out: heaps of the masked documents, one for each row.

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
        """Return a tile with some of the queries; it shares their heaps."""
        best, kept_out = (Heaps(h.scores[rows], h.ids[rows], h.held[rows]) for h in (self.best, self.kept_out))
        return self._replace(
            queries=self.queries[rows], slack=self.slack[rows], rows=self.rows[rows], best=best, kept_out=kept_out
        )

    def least(self) -> F32:
        """Return the product below which a document cannot enter, float32[rows]; -inf while a heap is not full."""
        full = self.best.held == self.best.scores.shape[1]
        return np.where(full, self.best.scores[:, 0] - self.slack, -np.inf).astype(np.float32)


@njit(nogil=True)
def scan(tile: Tile, product: F32, reached: U8) -> None:
    """Score every document that may enter the top k, and push it onto the heap of its query.

    Args:
        tile: queries, documents and heaps.
        product: float32[rows, columns], approximate products of the tile.
        reached: uint8[rows, chunks of 64 columns], 0 where no document of a chunk can enter; empty: compare here.

    """
    has_flags = reached.size > 0
    columns, capacity = product.shape[1], tile.best.scores.shape[1]
    documents, ids, masks = tile.documents, tile.ids, tile.masks
    for row in range(len(tile.rows)):
        # local variables: passing a tuple of many arrays in the inner loop is slow
        query, number, slack, row_products = tile.queries[row], tile.rows[row], tile.slack[row], product[row]
        scores, held_ids, held = tile.best.scores[row], tile.best.ids[row], tile.best.held[row]
        least = _least(scores, held, capacity, slack)
        for start in range(0, columns, CHUNK):
            stop = min(start + CHUNK, columns)
            if has_flags:
                if not reached[row, start // CHUNK]:
                    continue
            elif stop - start == CHUNK and not _any_reaches(row_products[start:stop], least):
                continue
            for column in range(start, stop):
                if row_products[column] < least:
                    continue
                if masked_by(masks, number, ids[column]):
                    _keep_out(tile.kept_out, row, row_products[column] + slack, query, documents[column], ids[column])
                    continue
                held = push(scores, held_ids, held, dot(query, documents[column]), ids[column])
                least = _least(scores, held, capacity, slack)
        tile.best.held[row] = held


@njit(nogil=True)
def offer_listed(tile: Tile, rows: I64, columns: I64, products: F32) -> None:
    """Score single documents that may enter the top k, and push them onto the heaps.

    Args:
        tile: queries, documents and heaps.
        rows: int64[pairs], rows of the tile.
        columns: int64[pairs], columns of the tile.
        products: float32[pairs], approximate products.

    """
    capacity = tile.best.scores.shape[1]
    for i in range(len(rows)):
        row, column = rows[i], columns[i]
        scores, held_ids, held = tile.best.scores[row], tile.best.ids[row], tile.best.held[row]
        if products[i] < _least(scores, held, capacity, tile.slack[row]):
            continue
        query, document, number = tile.queries[row], tile.documents[column], tile.ids[column]
        if masked_by(tile.masks, tile.rows[row], number):
            _keep_out(tile.kept_out, row, products[i] + tile.slack[row], query, document, number)
        else:
            tile.best.held[row] = push(scores, held_ids, held, dot(query, document), number)


@njit(nogil=True)
def _any_reaches(values: F32, least: np.float32) -> bool:
    """Compare a chunk. Fixed length, integers and no branch let the compiler vectorize it."""
    any_reached = np.uint32(0)
    for i in range(CHUNK):
        any_reached |= np.uint32(values[i] >= least)
    return bool(any_reached != 0)


@njit(nogil=True)
def _least(scores: F32, held: int, capacity: int, slack: np.float64) -> np.float32:
    return np.float32(scores[0] - slack) if held == capacity else np.float32(-np.inf)


@njit(nogil=True)
def _keep_out(heaps: Heaps, row: int, upper_bound: np.float64, query: F32, document: F32, number: int) -> None:
    """Push a masked document onto the heap of masked ones; `upper_bound` is a bound on its score."""
    capacity, held = heaps.scores.shape[1], heaps.held[row]
    if capacity and (held < capacity or upper_bound >= heaps.scores[row, 0]):
        heaps.held[row] = push(heaps.scores[row], heaps.ids[row], held, dot(query, document), number)
