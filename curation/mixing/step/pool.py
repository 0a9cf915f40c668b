"""The rows of one source and subset, as the operations of a mix read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pyarrow as pa

from curation.build import Shard
from open_ml_embed.core.array_types import I64, Array
from open_ml_embed.core.store import Store
from sources.manifest import Family

BLOCK_ROWS = 16_384
"""Most rows whose texts an operation holds at once."""


@dataclass(frozen=True)
class MixPool:
    """The rows of one source and subset in a mix.

    Attributes:
        mix: name of the mix.
        source, subset: whose rows.
        family: loss family of the source.
        shards: its rows shards, in order.
        judged: whether language verdicts drop rows; false if the source's declared languages are trusted.
        capped_with: the rows that share a cap with these; empty: those of the source.

    """

    mix: str
    source: str
    subset: str
    family: Family
    shards: tuple[Shard, ...]
    judged: bool
    capped_with: tuple[str, ...] = ()

    @property
    def group(self) -> tuple[str, ...]:
        """The rows that share a cap with these: a source, or files with a cap each."""
        return self.capped_with or (self.source,)

    @property
    def path(self) -> str:
        """Path of its tasks and tables, below the folder of an operation."""
        return f"{self.mix}/{self.source}/{self.subset}"

    @cached_property
    def starts(self) -> I64:
        """Number of the first row of each shard, and the number of rows: int64[shards + 1]."""
        return np.cumsum([0, *(shard.rows for shard in self.shards)]).astype(np.int64)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.starts[-1])

    def column(self, store: Store, kind: str, name: str) -> Array:
        """Read a numeric column of all rows."""
        tables = (store.read_table(f"{kind}/{shard.path}.{kind}.arrow", [name]) for shard in self.shards)
        return np.concatenate([table[name].to_numpy() for table in tables])

    def read(self, store: Store, kind: str, rows: I64, columns: list[str] | None = None) -> pa.Table:
        """Read rows of the row-aligned tables of one kind.

        Args:
            store: of the build.
            kind: name of the tables: `rows`, `merges`, …
            rows: int64, ascending row numbers in the pool.
            columns: to read; null: all.

        """
        bounds = np.searchsorted(rows, self.starts)
        parts = [
            store.read_rows(f"{kind}/{shard.path}.{kind}.arrow", rows[start:stop] - self.starts[number], columns)
            for number, (shard, start, stop) in enumerate(zip(self.shards, bounds[:-1], bounds[1:], strict=True))
            if stop > start or (number == 0 and not len(rows))
        ]
        return pa.concat_tables(parts)

    def blocks(self, rows: I64, size: int = BLOCK_ROWS) -> Iterator[I64]:
        """Cut ascending row numbers into blocks of at most `size` rows of one shard."""
        bounds: Sequence[int] = np.searchsorted(rows, self.starts).tolist()
        for start, stop in pairwise(bounds):
            for first in range(start, stop, size):
                yield rows[first : min(first + size, stop)]
