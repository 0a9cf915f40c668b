"""The texts of all shards as one numbered sequence, and their columns as arrays.

Rows have consecutive numbers across all shards. Documents are the rows' positives, with the numbers of their rows, and
then the given negatives, with consecutive numbers across all shards that follow those of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import I64, Array
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.store import Store


@dataclass(frozen=True)
class ShardRef:
    """A rows shard, as the operations over all shards receive it.

    Attributes:
        path: path relative to the operation's folder, without suffix.
        rows: number of rows.
        negatives: number of given negatives of these rows.
        family: loss family of its source.
        priority: priority of its source; the row with the lower number is kept.
        content: hash of the rows.

    """

    path: str
    rows: int
    negatives: int
    family: str
    priority: int
    content: str

    @property
    def source(self) -> str:
        """Name of its source."""
        return self.path.split("/", 1)[0]


@dataclass(frozen=True)
class Corpus:
    """All shards, in order; `signed` has the hash of each shard's signatures."""

    shards: tuple[ShardRef, ...]
    signed: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Number of rows in all shards."""
        return sum(shard.rows for shard in self.shards)

    @property
    def negatives(self) -> int:
        """Number of given negatives in all shards."""
        return sum(shard.negatives for shard in self.shards)

    @property
    def starts(self) -> I64:
        """The number of each shard's first row, and last the number of all rows, int64[shards + 1]."""
        return offsets_of([shard.rows for shard in self.shards])

    @property
    def negative_starts(self) -> I64:
        """The number of each shard's first given negative, and last the number of documents, int64[shards + 1]."""
        return self.rows + offsets_of([shard.negatives for shard in self.shards])

    def size(self, field: str) -> int:
        """Return the number of texts of a field, or of samples."""
        return self.rows + (self.negatives if field == "document" else 0)

    @property
    def identity(self) -> str:
        """Hash of everything that an operation over all rows may read."""
        return digest([[s.path, s.rows, s.family, s.priority, s.content] for s in self.shards] + [list(self.signed)])

    def column(
        self, store: Store, names: Sequence[str], dtype: type[Any], *, negatives: bool = False
    ) -> dict[str, Array]:
        """Read columns of the signature tables, all in one pass over the files.

        Args:
            store: the build's store.
            names: names of the columns.
            dtype: dtype of the result.
            negatives: append the values of the given negatives; all names must then belong to field `document`.

        Returns:
            name → array[rows], or array[documents] with `negatives`; a sketch is uint64[n, words] for any `dtype`.

        """
        columns: dict[str, Array] = {}
        size = self.rows + (self.negatives if negatives else 0)
        kinds = [("signatures", self.starts)] + ([("negatives", self.negative_starts)] if negatives else [])
        for kind, starts in kinds:
            for shard, start, stop in zip(self.shards, starts[:-1].tolist(), starts[1:].tolist(), strict=True):
                if start == stop:
                    continue
                table = store.read_table(f"signatures/{shard.path}.{kind}.arrow", list(names))
                for name in names:
                    at = start
                    for chunk in table[name].chunks:
                        values = _numbers(chunk, dtype)
                        if name not in columns:
                            columns[name] = np.empty((size, *values.shape[1:]), values.dtype)
                        columns[name][at : at + len(values)] = values
                        at += len(values)
        return {name: columns.get(name, np.zeros(0, dtype)) for name in names}


def _numbers(array: pa.Array, dtype: type[Any]) -> Array:
    if not pa.types.is_fixed_size_binary(array.type):
        return np.asarray(array.to_numpy().astype(dtype, copy=False))
    words = np.frombuffer(array.buffers()[1], np.uint64).reshape(-1, array.type.byte_width // 8)
    return words[array.offset : array.offset + len(array)]
