"""The texts of all shards as one numbered sequence, and their columns as arrays.

Rows are numbered through all shards. Documents are the positives of the rows, under the rows' numbers, and after them
the given negatives, numbered through all shards too.
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
    """A rows shard as the steps over all shards see it.

    Attributes:
        path: below the operation's folder, without suffix.
        rows: how many.
        negatives: how many given negatives they have.
        family: loss family of its source.
        priority: of its source; the lower number stays.
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
    """All shards in order. `signed` is the hash of each one's signatures."""

    shards: tuple[ShardRef, ...]
    signed: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Rows of all shards."""
        return sum(shard.rows for shard in self.shards)

    @property
    def negatives(self) -> int:
        """Given negatives of all shards."""
        return sum(shard.negatives for shard in self.shards)

    @property
    def starts(self) -> I64:
        """The number of each shard's first row, and the number of rows at the end."""
        return offsets_of([shard.rows for shard in self.shards])

    @property
    def negative_starts(self) -> I64:
        """The number of each shard's first given negative among the documents, and the number of documents."""
        return self.rows + offsets_of([shard.negatives for shard in self.shards])

    def size(self, field: str) -> int:
        """Return how many texts (or samples) a field has."""
        return self.rows + (self.negatives if field == "document" else 0)

    @property
    def identity(self) -> str:
        """Hash of everything a step over all rows may read."""
        return digest([[s.path, s.rows, s.family, s.priority, s.content] for s in self.shards] + [list(self.signed)])

    def column(
        self, store: Store, names: Sequence[str], dtype: type[Any], *, negatives: bool = False
    ) -> dict[str, Array]:
        """Read columns of the signatures; several at once cost one pass over the files.

        Args:
            store: of the build.
            names: of the columns.
            dtype: of the result.
            negatives: whether those of the given negatives follow: names are of field `document` then.

        Returns:
            name → array[rows], or array[documents]; a sketch, whatever `dtype` is, as uint64[n, words].

        """
        found: dict[str, Array] = {}
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
                        if name not in found:
                            found[name] = np.empty((size, *values.shape[1:]), values.dtype)
                        found[name][at : at + len(values)] = values
                        at += len(values)
        return {name: found.get(name, np.zeros(0, dtype)) for name in names}


def _numbers(array: pa.Array, dtype: type[Any]) -> Array:
    if not pa.types.is_fixed_size_binary(array.type):
        return np.asarray(array.to_numpy().astype(dtype, copy=False))
    words = np.frombuffer(array.buffers()[1], np.uint64).reshape(-1, array.type.byte_width // 8)
    return words[array.offset : array.offset + len(array)]
