"""Vectors as the search reads them: a block at a time, from memory or from a disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np

from curation.mining.topk.score_kernel import LANES, dots
from open_ml_embed.core.array_types import F32, F64, Array
from open_ml_embed.core.errors import StageError


class Vectors(Protocol):
    """n vectors of one length, float16 or float32, wherever they lie."""

    def __len__(self) -> int:
        """Return n."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def block(self, start: int, stop: int) -> Array:
        """Return vectors start … stop - 1, float16 or float32[stop - start, dim]."""

    def take(self, ids: Array) -> Array:
        """Return the vectors of some rows, float16 or float32[len(ids), dim]."""


class ArrayVectors:
    """An array, memory-mapped or not."""

    def __init__(self, array: Array) -> None:
        if array.ndim != 2 or array.dtype not in (np.float16, np.float32):
            raise StageError(f"vectors are {array.dtype}{list(array.shape)}", remedy="give float16 or float32[n, dim]")
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._array.shape[1])

    def block(self, start: int, stop: int) -> Array:
        """Return vectors start … stop - 1, without a copy."""
        return np.asarray(self._array[start:stop])

    def take(self, ids: Array) -> Array:
        """Return the vectors of some rows."""
        return np.asarray(self._array[ids])


class NpyVectors:
    """A `.npy` file, read block by block: unlike a memory map it never fills this process's memory."""

    def __init__(self, path: Path) -> None:
        try:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, FileNotFoundError) as error:
            raise StageError(f"no vectors: {error}", where=str(path), remedy="float16 or float32[n, dim]") from None
        ArrayVectors(mapped)  # for its checks
        if not mapped.flags.c_contiguous:
            raise StageError("the array is in Fortran's order", where=str(path), remedy="save it C-contiguous")
        self._path, self._dtype, self._shape, self._offset = path, mapped.dtype, mapped.shape, int(mapped.offset)

    def __len__(self) -> int:
        return int(self._shape[0])

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._shape[1])

    def block(self, start: int, stop: int) -> Array:
        """Read vectors start … stop - 1."""
        stop = min(stop, len(self))
        offset = self._offset + start * self.dim * self._dtype.itemsize
        read = np.fromfile(self._path, self._dtype, (stop - start) * self.dim, offset=offset)
        return read.reshape(-1, self.dim)

    def take(self, ids: Array) -> Array:
        """Read the vectors of some rows, one by one: a map would bring the pages around each into memory as well."""
        result = np.empty((len(ids), self.dim), self._dtype)
        width = self.dim * self._dtype.itemsize
        with self._path.open("rb") as source:
            for row, number in zip(result, ids.tolist(), strict=True):
                os.preadv(source.fileno(), [row], self._offset + number * width)
        return result


def as_vectors(given: Vectors | Array) -> Vectors:
    """Return arrays as `Vectors`, and anything else as it is."""
    return ArrayVectors(given) if isinstance(given, np.ndarray) else given


def padded(block: Array, first: int, what: str) -> tuple[F32, F64]:
    """Return a block as float32[n, dim rounded up to `LANES`] and its norms, float64[n].

    Args:
        block: float16 or float32[n, dim].
        first: number of its first vector, for the message.
        what: queries or documents, likewise.

    Raises:
        StageError: a vector is not finite, or so long that a product would not be.

    """
    dim = block.shape[1]
    width = -(-dim // LANES) * LANES
    if width == dim:
        result = np.ascontiguousarray(block, np.float32)
    else:
        result = np.zeros((len(block), width), np.float32)
        result[:, :dim] = block
    norms = np.sqrt(np.einsum("ij,ij->i", result, result, dtype=np.float64))
    bad = np.flatnonzero(~(norms < 1e18))
    if len(bad):
        raise StageError(
            f"vector {first + int(bad[0]):,} of the {what} is not finite, or longer than 1e18",
            remedy="embed that text again",
        )
    return result, norms


def score_pairs(queries: Array, documents: Array) -> F32:
    """Return the score of query i and document i, float32[n], for two arrays of float16 or float32[n, dim]."""
    result = np.empty(len(queries), np.float32)
    dots(padded(queries, 0, "queries")[0], padded(documents, 0, "documents")[0], result)
    return result
