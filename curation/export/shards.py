"""Files of an export: shards of parquet, JSON lines or other texts, of a stated number of rows each."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

Kind = Literal["parquet", "jsonl"]


class Sink(Protocol):
    """Takes tables of one schema."""

    def write(self, table: pa.Table) -> None:
        """Write the next rows."""


class Writer:
    """Writes the files of one export below a folder.

    Attributes:
        files: file, from the folder → its rows.
        groups: pattern of files → their rows, those of one schema.

    """

    def __init__(self, root: Path, shard_rows: int) -> None:
        """Start with no file."""
        self.root, self.shard_rows = root, shard_rows
        self.files: dict[str, int] = {}
        self.groups: dict[str, int] = {}

    @contextmanager
    def shards(self, stem: str, kind: Kind) -> Iterator[Sink]:
        """Yield what takes tables, and writes them as `<stem>-00000.<kind>` and so on; none where there is no row."""
        sink = _Shards(self, stem, kind)
        try:
            yield sink
        finally:
            sink.close()

    def lines(self, name: str, table: pa.Table) -> None:
        """Add rows to one file of JSON lines that is not cut into shards."""
        self._add(name, json_lines(table), table.num_rows)

    def text(self, name: str, text: str, rows: int = 0) -> None:
        """Add text to a file of any kind."""
        self._add(name, text.encode(), rows)

    def count(self, name: str, group: str, rows: int) -> None:
        """Note rows of a file."""
        self.files[name] = self.files.get(name, 0) + rows
        self.groups[group] = self.groups.get(group, 0) + rows

    def path(self, name: str) -> Path:
        """Return where a file goes; its folder is made."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _add(self, name: str, data: bytes, rows: int) -> None:
        with self.path(name).open("ab") as file:
            file.write(data)
        self.count(name, name, rows)


class _Shards:
    def __init__(self, writer: Writer, stem: str, kind: Kind) -> None:
        self._writer, self._stem, self._kind = writer, stem, kind
        self._waiting: list[pa.Table] = []
        self._rows, self._number, self._inside = 0, 0, 0
        self._open: pq.ParquetWriter | io.BufferedWriter | None = None

    def write(self, table: pa.Table) -> None:
        while table.num_rows:
            room = self._writer.shard_rows - self._inside
            self._put(table.slice(0, room))
            table = table.slice(room)
            if self._inside == self._writer.shard_rows:
                self._end()

    def close(self) -> None:
        if self._inside:
            self._end()

    def _put(self, table: pa.Table) -> None:
        path = self._writer.path(f"{self._stem}-{self._number:05d}.{self._kind}")
        if self._kind == "parquet":
            if self._open is None:
                self._open = pq.ParquetWriter(path, table.schema, compression="zstd")
            self._waiting.append(table)
            if sum(t.num_rows for t in self._waiting) >= ROW_GROUP:
                self._flush()
        else:
            if self._open is None:
                self._open = path.open("wb")
            self._open.write(json_lines(table))
        self._inside += table.num_rows
        name = path.relative_to(self._writer.root).as_posix()
        self._writer.count(name, f"{self._stem}-*.{self._kind}", table.num_rows)

    def _flush(self) -> None:
        if self._waiting and isinstance(self._open, pq.ParquetWriter):
            self._open.write_table(pa.concat_tables(self._waiting), row_group_size=ROW_GROUP)
        self._waiting = []

    def _end(self) -> None:
        self._flush()
        assert self._open is not None, "rows were written"
        self._open.close()
        self._open, self._inside, self._number = None, 0, self._number + 1


ROW_GROUP = 8192
"""Rows of a row group: few enough that a reader gets at a part."""


def json_lines(table: pa.Table) -> bytes:
    """Return one JSON object a row, UTF-8."""
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame), "a table is a frame"
    out = io.BytesIO()
    frame.write_ndjson(out)
    return out.getvalue()
