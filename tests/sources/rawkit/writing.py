"""Records into files: JSON lines, packed where the name ends in `.gz`, and Parquet."""

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write one object a line; the bytes depend on nothing but the rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def write_parquet(path: Path, rows: list[dict[str, object]], schema: pa.Schema | None = None) -> None:
    """Write a table; without a schema, Arrow reads the types off the rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
