"""Matrix products on the CPU. A thread multiplies a part of the queries and scans the products while they are cached.

Products are bfloat16 where the processor supports it (AVX512-BF16), float32 otherwise. The result is the same.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Self

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # it has no types

from curation.mining.topk import bf16
from curation.mining.topk.tile_scan import CHUNK, Tile, scan
from open_ml_embed.core.array_types import F32, U8

TILE_ROWS = 252
"""Queries whose products with one block of documents are in memory at once, for each thread."""
assert TILE_ROWS % bf16.ROWS == 0
assert bf16.PANEL == CHUNK


class CpuMultiplier:
    """float32 products, by the BLAS library of numpy."""

    query_block = 4096
    document_block = 1024

    def __init__(self, threads: int) -> None:
        self._threads = threads or len(os.sched_getaffinity(0))
        self._free: SimpleQueue[F32] = SimpleQueue()

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(self._threads)
        self._limits = threadpool_limits(1, user_api="blas")
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._limits.restore_original_limits()

    def scan(self, tile: Tile) -> None:
        """Multiply a tile of any height and offer its documents to the heaps."""
        if self._free.empty():
            width = -(-len(tile.ids) // bf16.PANEL) * bf16.PANEL
            for _ in range(self._threads):
                self._free.put(np.empty((TILE_ROWS, width), np.float32))
        rows = range(0, len(tile.rows), TILE_ROWS)
        for _ in self._pool.map(lambda start: self._part(tile.part(slice(start, start + TILE_ROWS)), start), rows):
            pass

    def _part(self, tile: Tile, start: int) -> None:
        buffer = self._free.get()
        scan(tile, *self._multiply(tile, start, buffer))
        self._free.put(buffer)

    def _multiply(self, tile: Tile, start: int, buffer: F32) -> tuple[F32, U8]:
        """Return products (a view of the buffer) and the flags of chunks that can enter, both as `scan` reads them."""
        product = buffer[: len(tile.rows), : len(tile.ids)]
        np.matmul(tile.queries, tile.documents.T, out=product)
        return product, np.zeros((0, 0), np.uint8)


class Bf16Multiplier(CpuMultiplier):
    """bfloat16 products. Queries are packed once for all documents, a block of documents once for all queries."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self._queries: Callable[[], F32 | None] = lambda: None

    def scan(self, tile: Tile) -> None:
        """Multiply a tile of any height and offer its documents to the heaps."""
        if self._queries() is not tile.queries:
            self._queries = weakref.ref(tile.queries)
            self._rows = bf16.pack(tile.queries, panels=False, multiple=TILE_ROWS)
        _, norms, rounding = self._rows
        self._panels, document_norms, document_rounding = bf16.pack(tile.documents, panels=True, multiple=bf16.PANEL)
        slack = rounding * document_norms.max() + (norms + rounding) * document_rounding.max()
        super().scan(tile._replace(slack=tile.slack + slack))

    def _multiply(self, tile: Tile, start: int, buffer: F32) -> tuple[F32, U8]:
        out = buffer.reshape(-1)[: TILE_ROWS * len(self._panels) * bf16.PANEL].reshape(TILE_ROWS, -1)
        least = np.full(TILE_ROWS, np.inf, np.float32)
        least[: len(tile.rows)] = tile.least()
        reached = np.empty((TILE_ROWS, len(self._panels)), np.uint8)
        bf16.multiply(self._rows[0][start : start + TILE_ROWS], self._panels, out, least, reached)
        return out[: len(tile.rows), : len(tile.ids)], reached


def cpu_multiplier(threads: int) -> CpuMultiplier:
    """Return the fastest multiplier that this processor supports."""
    return Bf16Multiplier(threads) if bf16.supported() else CpuMultiplier(threads)
