"""Documents of a corpus: Parquet files, and JSON lines under any other name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.readers import jsonl, parquet
from sources.readers.cast import Casting


def read(path: Path, name: str, table: RawTable, casting: Casting, *, batch_rows: int = 65_536) -> Iterator[RawBatch]:
    """Stream a file of documents; see `sources.readers.read`."""
    reader = parquet.read if ".parquet" in name else jsonl.read
    yield from reader(path, name, table, casting, batch_rows=batch_rows)
