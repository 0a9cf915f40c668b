"""The rows of all shards as one numbered sequence, and their columns as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.store import Store, digest


@dataclass(frozen=True)
class ShardRef:
    """A rows shard as the steps over all shards see it.

    Attributes:
        path: below the operation's folder, without suffix.
        rows: how many.
        family: loss family of its source.
        priority: of its source; the lower number stays.
        content: hash of the rows.

    """

    path: str
    rows: int
    family: str
    priority: int
    content: str


@dataclass(frozen=True)
class Corpus:
    """All shards in order: row numbers run through them. `signed` is the hash of each one's signatures."""

    shards: tuple[ShardRef, ...]
    signed: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Rows of all shards."""
        return sum(shard.rows for shard in self.shards)

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """The number of each shard's first row, and the number of rows at the end."""
        return np.cumsum([0, *(shard.rows for shard in self.shards)])

    @property
    def identity(self) -> str:
        """Hash of everything a step over all rows may read."""
        return digest([[s.path, s.rows, s.family, s.priority, s.content] for s in self.shards] + [list(self.signed)])

    def column(self, store: Store, names: Sequence[str], dtype: type[Any]) -> dict[str, npt.NDArray[Any]]:
        """Read columns of the signatures; several at once cost one pass over the files.

        Returns:
            name → array[rows]; a sketch, whatever `dtype` is, as uint64[rows, words].

        """
        found: dict[str, npt.NDArray[Any]] = {}
        for shard, start in zip(self.shards, self.starts[:-1].tolist(), strict=True):
            table = store.read_table(f"signatures/{shard.path}.signatures.arrow", list(names))
            for name in names:
                at = start
                for chunk in table[name].chunks:
                    values = _numbers(chunk, dtype)
                    if name not in found:
                        found[name] = np.empty((self.rows, *values.shape[1:]), values.dtype)
                    found[name][at : at + len(values)] = values
                    at += len(values)
        return {name: found.get(name, np.zeros(0, dtype)) for name in names}


def _numbers(array: pa.Array, dtype: type[Any]) -> npt.NDArray[Any]:
    if not pa.types.is_fixed_size_binary(array.type):
        return np.asarray(array.to_numpy().astype(dtype, copy=False))
    words = np.frombuffer(array.buffers()[1], np.uint64).reshape(-1, array.type.byte_width // 8)
    return words[array.offset : array.offset + len(array)]


def flat(store: Store, path: str, *names: str) -> tuple[npt.NDArray[Any], ...]:
    """Read columns of a table that was written as one batch, uncompressed: no copy where the disk is local."""
    table = store.read_table(path, list(names))
    return tuple(_joined(table[name]) for name in names)


def _joined(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    if column.num_chunks == 1:
        return np.asarray(column.chunk(0).to_numpy())
    return np.concatenate([np.zeros(0, column.type.to_pandas_dtype()), *(chunk.to_numpy() for chunk in column.chunks)])
