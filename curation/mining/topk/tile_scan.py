"""Looks through tiles of a matrix product for what may be among the best, and scores only that. Compiled."""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from curation.mining.masks import Masks, masked_by
from curation.mining.topk.heap import F32, I32, Heaps, push
from curation.mining.topk.score_kernel import dot
from curation.mining.vectors import F64, I64

CHUNK = 64
U8 = npt.NDArray[np.uint8]


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
def scan(tile, product, reached):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
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


@nb.njit(cache=True, nogil=True)
def offer_listed(tile, rows, columns, products):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
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


@nb.njit(cache=True, nogil=True)
def _any_reaches(values, least):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compare a whole chunk: of fixed length, without a branch and in integers, so that it compiles to vectors."""
    found = np.uint32(0)
    for i in range(CHUNK):
        found |= np.uint32(values[i] >= least)
    return found != 0


@nb.njit(cache=True, nogil=True)
def _least(scores, held, most, slack):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return np.float32(scores[0] - slack) if held == most else np.float32(-np.inf)


@nb.njit(cache=True, nogil=True)
def _keep_out(heaps, row, at_most, query, document, number):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Remember a document that a mask keeps out and that scores `at_most` so much, if it is among the best of those."""
    most, held = heaps.scores.shape[1], heaps.held[row]
    if most and (held < most or at_most >= heaps.scores[row, 0]):
        heaps.held[row] = push(heaps.scores[row], heaps.ids[row], held, dot(query, document), number)
