"""The vector protocol of the search, for vectors in memory and on disk, which are read block by block."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np

from curation.mining.topk.score_kernel import LANES, dots
from open_ml_embed.core.array_types import F32, F64, Array
from open_ml_embed.core.errors import StageError


class Vectors(Protocol):
    """n vectors of the same dimension, float16 or float32, in memory or on disk."""

    def __len__(self) -> int:
        """Return the number of vectors."""

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""

    def block(self, start: int, stop: int) -> Array:
        """Return vectors start … stop - 1, float16 or float32[stop - start, dim]."""

    def take(self, ids: Array) -> Array:
        """Return the vectors with these numbers, float16 or float32[len(ids), dim]."""


class ArrayVectors:
    """Vectors in an array, memory-mapped or not.

    Raises:
        StageError: the array is not float16 or float32[n, dim].

    """

    def __init__(self, array: Array) -> None:
        if array.ndim != 2 or array.dtype not in (np.float16, np.float32):
            raise StageError(f"vectors are {array.dtype}{list(array.shape)}", remedy="give float16 or float32[n, dim]")
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return int(self._array.shape[1])

    def block(self, start: int, stop: int) -> Array:
        """Return vectors start … stop - 1, without a copy."""
        return np.asarray(self._array[start:stop])

    def take(self, ids: Array) -> Array:
        """Return the vectors with these numbers."""
        return np.asarray(self._array[ids])


class NpyVectors:
    """Vectors in a `.npy` file, read block by block. Unlike with a memory map, read pages do not count as memory.

    Raises:
        StageError: the file is missing or unreadable, or the array is not C-contiguous float16 or float32[n, dim].

    """

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
        """Dimension of the vectors."""
        return int(self._shape[1])

    def block(self, start: int, stop: int) -> Array:
        """Read vectors start … stop - 1."""
        stop = min(stop, len(self))
        offset = self._offset + start * self.dim * self._dtype.itemsize
        values = np.fromfile(self._path, self._dtype, (stop - start) * self.dim, offset=offset)
        return values.reshape(-1, self.dim)

    def take(self, ids: Array) -> Array:
        """Read the vectors with these numbers, one by one; a memory map would also load the pages around each."""
        result = np.empty((len(ids), self.dim), self._dtype)
        width = self.dim * self._dtype.itemsize
        with self._path.open("rb") as source:
            for row, number in zip(result, ids.tolist(), strict=True):
                os.preadv(source.fileno(), [row], self._offset + number * width)
        return result


def as_vectors(given: Vectors | Array) -> Vectors:
    """Wrap an array as `Vectors`; return other objects unchanged."""
    return ArrayVectors(given) if isinstance(given, np.ndarray) else given


def padded(block: Array, first_number: int, kind: str) -> tuple[F32, F64]:
    """Return a block as float32[n, dim rounded up to `LANES`], padded with zeros, and its norms, float64[n].

    Args:
        block: float16 or float32[n, dim].
        first_number: number of the first vector, for the error message.
        kind: `queries` or `documents`, for the error message.

    Raises:
        StageError: a vector is not finite, or its norm is 1e18 or more, so that a product could overflow.

    """
    dim = block.shape[1]
    width = -(-dim // LANES) * LANES
    if width == dim:
        result = np.ascontiguousarray(block, np.float32)
    else:
        result = np.zeros((len(block), width), np.float32)
        result[:, :dim] = block
    norms = np.sqrt(np.einsum("ij,ij->i", result, result, dtype=np.float64))
    invalid = np.flatnonzero(~(norms < 1e18))
    if len(invalid):
        raise StageError(
            f"vector {first_number + int(invalid[0]):,} of the {kind} is not finite, or longer than 1e18",
            remedy="embed that text again",
        )
    return result, norms


def score_pairs(queries: Array, documents: Array) -> F32:
    """Return the score of query i and document i, float32[n].

    Args:
        queries: float16 or float32[n, dim].
        documents: float16 or float32[n, dim].

    Raises:
        StageError: see `padded`.

    """
    result = np.empty(len(queries), np.float32)
    dots(padded(queries, 0, "queries")[0], padded(documents, 0, "documents")[0], result)
    return result
