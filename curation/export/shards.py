"""Files of an export: shards of parquet, JSON lines or other texts, of a stated number of rows each."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.export.options import Kind, Options


class Sink(Protocol):
    """Takes tables of one schema."""

    def write(self, table: pa.Table) -> None:
        """Write the next rows."""


class Writer:
    """Writes the files of one export below a folder.

    Attributes:
        files: file, from the folder → its rows.
        groups: pattern of files → their rows, those of one schema.
        kind: of files, in formats whose reader takes several.
        notes: sentences for whoever reads the export, which the README and the command print.

    """

    def __init__(self, root: Path, options: Options, kind: Kind = "parquet") -> None:
        """Start with no file.

        Args:
            root: the folder.
            options: of the export.
            kind: of files, where the options name none.

        """
        self.root, self.options, self.shard_rows = root, options, options.shard_rows
        self.kind: Kind = options.files or kind
        self.notes: list[str] = []
        self.files: dict[str, int] = {}
        self.groups: dict[str, int] = {}

    @contextmanager
    def shards(self, stem: str, kind: Kind | None = None) -> Iterator[Sink]:
        """Yield what takes tables, and writes them as `<stem>-00000.<kind>` and so on; none where there is no row.

        Args:
            stem: path below the root.
            kind: of the files; null: the writer's.

        """
        sink = _Shards(self, f"{stem}-{{:05d}}", f"{stem}-*", kind or self.kind, self.shard_rows)
        try:
            yield sink
        finally:
            sink.close()

    @contextmanager
    def one_file(self, stem: str, kind: Kind) -> Iterator[Sink]:
        """Yield what takes tables, and writes them as one file `<stem>.<kind>`; none where there is no row."""
        sink = _Shards(self, stem, stem, kind, None)
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
    """The files of one schema: their names with a place for the number, and the pattern that fits them all."""

    def __init__(self, writer: Writer, name: str, pattern: str, kind: Kind, most: int | None) -> None:
        self._writer, self._name, self._pattern, self._kind, self._most = writer, name, pattern, kind, most
        self._waiting: list[pa.Table] = []
        self._rows, self._number, self._inside = 0, 0, 0
        self._open: pq.ParquetWriter | io.BufferedWriter | pa.CompressedOutputStream | None = None

    def write(self, table: pa.Table) -> None:
        while table.num_rows:
            room = table.num_rows if self._most is None else self._most - self._inside
            self._put(table.slice(0, room))
            table = table.slice(room)
            if self._inside == self._most:
                self._end()

    def close(self) -> None:
        if self._inside:
            self._end()

    def _put(self, table: pa.Table) -> None:
        path = self._writer.path(f"{self._name.format(self._number)}.{self._kind}")
        if self._kind == "parquet":
            if self._open is None:
                self._open = pq.ParquetWriter(path, table.schema, compression="zstd")
            self._waiting.append(table)
            if sum(t.num_rows for t in self._waiting) >= ROW_GROUP:
                self._flush()
        else:
            if self._open is None:
                packed = self._kind == "jsonl.zst"
                self._open = pa.CompressedOutputStream(str(path), "zstd") if packed else path.open("wb")
            self._open.write(json_lines(table))
        self._inside += table.num_rows
        name = path.relative_to(self._writer.root).as_posix()
        self._writer.count(name, f"{self._pattern}.{self._kind}", table.num_rows)

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
