"""Matrix products on a torch device. Only documents that can enter the top k are copied back; the CPU scores them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import numpy as np

from curation.mining.topk.tile_scan import Tile, offer_listed, scan
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.optional import require

if TYPE_CHECKING:
    import torch

TILE_ROWS = 1024
"""Queries that are multiplied at once, for each thread."""


class TorchMultiplier:
    """The device multiplies and compares, the CPU scores. Several tiles are in flight, so neither waits for the other.

    Raises:
        SettingsError: the device does not exist.
        MissingPackageError: torch is not installed.

    """

    query_block = 65_536
    document_block = 32_768

    def __init__(self, device: str, threads: int) -> None:
        require("torch", what=f"device {device}", where="device", instead="say cpu")
        import torch

        try:
            self._device = torch.device(device)
            torch.empty(1, device=self._device)
        except (RuntimeError, AssertionError) as error:
            message = str(error).splitlines()[0]
            raise SettingsError(
                f"no such device: {message}", where=f"device {device}", remedy="cpu, or cuda:0"
            ) from None
        self._threads = threads or len(os.sched_getaffinity(0))

    def __enter__(self) -> Self:
        import torch

        self._pool = ThreadPoolExecutor(self._threads)
        # TF32 and similar formats round the inputs, which the error bound of the search does not cover
        self._precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        return self

    def __exit__(self, *_: object) -> None:
        import torch

        self._pool.shutdown()
        torch.set_float32_matmul_precision(self._precision)

    def scan(self, tile: Tile) -> None:
        """Multiply a tile of any height and offer its documents to the heaps."""
        import torch

        documents = torch.from_numpy(tile.documents).to(self._device)
        rows = range(0, len(tile.rows), TILE_ROWS)
        parts = (tile.part(slice(start, start + TILE_ROWS)) for start in rows)
        for _ in self._pool.map(lambda part: self._part(part, documents), parts):
            pass

    def _part(self, tile: Tile, documents: torch.Tensor) -> None:
        import torch

        product = torch.from_numpy(tile.queries).to(self._device) @ documents.T
        least = tile.least()
        if np.isneginf(least).any():
            scan(tile, product.cpu().numpy(), np.zeros((0, 0), np.uint8))
            return
        rows, columns = (product >= torch.from_numpy(least).to(self._device)[:, None]).nonzero(as_tuple=True)
        offer_listed(tile, rows.cpu().numpy(), columns.cpu().numpy(), product[rows, columns].cpu().numpy())
