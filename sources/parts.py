"""Data types between fetching and shapes: raw files, parts, raw batches, and the context of a shape."""

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
        name: name at the origin (`plain_text/train-00000-of-00001.parquet`).
        path: local path.
        size: in bytes.
        identity: content hash or object id of the origin; it changes when the content does.

    """

    table: str
    name: str
    path: str
    size: int
    identity: str


@dataclass(frozen=True)
class Part:
    """The unit of normalization: one file for shapes that work record by record, a whole subset for the others."""

    source: str
    subset: str
    index: int
    files: tuple[RawFile, ...]


@dataclass(frozen=True)
class RawBatch:
    """Records of one raw file: a table of the declared fields, and the record number of each row."""

    columns: pa.Table
    file: str
    records: pa.Int64Array


@dataclass
class Context:
    """Input of a shape or adapter: the bound manifest, a reader of its tables, the quarantine, and counters."""

    manifest: Manifest
    """Bound to one subset (`Manifest.bound`)."""
    read: Callable[[str], Iterator[RawBatch]]
    """`read("records")` streams the part's files of that table, in name order."""
    quarantine: Quarantine
    filtered: Counter[str] = field(default_factory=Counter)
    """Filtered records by reason: `where`, `no-entailed-hypothesis`, `score-below-4`…"""
    beyond_limit: int = 0
    """Records that were read but not used, because a limit in the shape's arguments was reached."""

    @property
    def subset_name(self) -> str:
        """Name of the subset that the manifest is bound to."""
        return next(iter(self.manifest.subsets))
