"""Looks through tiles of a matrix product for what may be among the best, and scores only that. Compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from curation.mining.masks import Masks, masked_by
from curation.mining.topk.heap import Heaps, push
from curation.mining.topk.score_kernel import dot
from open_ml_embed.core.array_types import F32, F64, I32, I64, U8
from open_ml_embed.core.compiled import njit

CHUNK = 64


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


@njit(nogil=True)
def scan(tile: Tile, product: F32, reached: U8) -> None:
    """Offer every document that may enter.

    Args:
        tile: what was multiplied.
        product: float32[rows, columns].
        reached: uint8[rows, chunks of 64 columns], 0 where nothing of a chunk can enter; empty: not known yet.

    """
    known = reached.size > 0
    columns, most = product.shape[1], tile.best.scores.shape[1]
    documents, ids, masks = tile.documents, tile.ids, tile.masks
    for row in range(len(tile.rows)):
        # local names: a tuple of many arrays is dear to hand about in the inner loop
        query, number, slack, line = tile.queries[row], tile.rows[row], tile.slack[row], product[row]
        scores, held_ids, held = tile.best.scores[row], tile.best.ids[row], tile.best.held[row]
        least = _least(scores, held, most, slack)
        for start in range(0, columns, CHUNK):
            stop = min(start + CHUNK, columns)
            if known:
                if not reached[row, start // CHUNK]:
                    continue
            elif stop - start == CHUNK and not _any_reaches(line[start:stop], least):
                continue
            for column in range(start, stop):
                if line[column] < least:
                    continue
                if masked_by(masks, number, ids[column]):
                    _keep_out(tile.kept_out, row, line[column] + slack, query, documents[column], ids[column])
                    continue
                held = push(scores, held_ids, held, dot(query, documents[column]), ids[column])
                least = _least(scores, held, most, slack)
        tile.best.held[row] = held


@njit(nogil=True)
def offer_listed(tile: Tile, rows: I64, columns: I64, products: F32) -> None:
    """Offer single documents: int64 places in the tile, and their products, float32."""
    most = tile.best.scores.shape[1]
    for i in range(len(rows)):
        row, column = rows[i], columns[i]
        scores, held_ids, held = tile.best.scores[row], tile.best.ids[row], tile.best.held[row]
        if products[i] < _least(scores, held, most, tile.slack[row]):
            continue
        query, document, number = tile.queries[row], tile.documents[column], tile.ids[column]
        if masked_by(tile.masks, tile.rows[row], number):
            _keep_out(tile.kept_out, row, products[i] + tile.slack[row], query, document, number)
        else:
            tile.best.held[row] = push(scores, held_ids, held, dot(query, document), number)


@njit(nogil=True)
def _any_reaches(values: F32, least: np.float32) -> bool:
    """Compare a whole chunk: of fixed length, without a branch and in integers, so that it compiles to vectors."""
    found = np.uint32(0)
    for i in range(CHUNK):
        found |= np.uint32(values[i] >= least)
    return bool(found != 0)


@njit(nogil=True)
def _least(scores: F32, held: int, most: int, slack: np.float64) -> np.float32:
    return np.float32(scores[0] - slack) if held == most else np.float32(-np.inf)


@njit(nogil=True)
def _keep_out(heaps: Heaps, row: int, at_most: np.float64, query: F32, document: F32, number: int) -> None:
    """Remember a document that a mask keeps out and that scores `at_most` so much, if it is among the best of those."""
    most, held = heaps.scores.shape[1], heaps.held[row]
    if most and (held < most or at_most >= heaps.scores[row, 0]):
        heaps.held[row] = push(heaps.scores[row], heaps.ids[row], held, dot(query, document), number)
