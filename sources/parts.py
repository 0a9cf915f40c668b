"""The nouns between fetching and shapes: raw files, parts, raw batches, and the context a shape works in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from sources.manifest import Manifest
from sources.quarantine import Quarantine


@dataclass(frozen=True)
class RawFile:
    """One fetched file.

    Attributes:
        table: key in the manifest's `tables`.
        name: what the origin calls it (`plain_text/train-00000-of-00001.parquet`).
        path: where it lies here.
        size: bytes.
        identity: content hash or the origin's own object id; changes when the bytes do.

    """

    table: str
    name: str
    path: str
    size: int
    identity: str


@dataclass(frozen=True)
class Part:
    """The unit of normalization: one file for shapes that look at one record, a whole subset for the others."""

    source: str
    subset: str
    index: int
    files: tuple[RawFile, ...]


@dataclass(frozen=True)
class RawBatch:
    """Some records of one raw file: declared fields as columns (row-aligned) and their record numbers."""

    columns: pa.Table
    file: str
    records: pa.Int64Array


@dataclass
class Context:
    """What a shape or adapter gets: the bound manifest, its records by table, and where bad ones go."""

    manifest: Manifest
    """Bound to one subset (`Manifest.bound`)."""
    read: Callable[[str], Iterator[RawBatch]]
    """`read("records")` streams the part's files of that table, in name order."""
    quarantine: Quarantine
    filtered: Counter[str] = field(default_factory=Counter)
    """Records left out by rule, by reason: `where`, `no-entailed-hypothesis`, `score-below-4`…"""
    beyond_limit: int = 0
    """Records read ahead and not taken, because a limit of the shape's arguments was reached before them."""

    @property
    def subset_name(self) -> str:
        """Name of the one subset."""
        return next(iter(self.manifest.subsets))
