"""Shards and their markers: what is on disk is complete, or it does not count.

A shard is written to a temporary name, fsynced and renamed; only then is its marker written, the same way. A marker
holds the key of the work (inputs, operation, version, settings) and size and hash of every output, so a truncated
shard, a marker without its shard, or a changed setting all lead to the same thing: the shard is made again.
Paths go through fsspec; nothing else is needed, no database and no actor.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import fsspec
import numpy as np
import pyarrow as pa
import xxhash

from open_ml_embed.core.array_types import Array, Integers
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.hashing import canonical_json

MARKER, WRITER = ".done.json", ".writer"
"""What ends the name of a task's marker, and of the file beside a table that says which task wrote it."""
IPC_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True)
class Output:
    """One finished file: its path below the store's root, its rows, bytes and xxh3-128."""

    path: str
    rows: int
    bytes: int
    xxh3: str


@dataclass(frozen=True)
class Marker:
    """Proof that a task is done: its key, its outputs, and what it counted."""

    key: str
    outputs: tuple[Output, ...]
    stats: dict[str, Any]


class Store:
    """A folder of shards and markers, on anything fsspec can write to."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.fs, self._base = fsspec.url_to_fs(root)
        self._local = "file" in self.fs.protocol

    def full(self, path: str) -> str:
        """Return the path as the file system wants it."""
        return f"{self._base}/{path}"

    @contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """Open `path` for writing; it appears, whole, when the block ends without an error."""
        final, temporary = self.full(path), self.full(path) + ".tmp"
        self.fs.makedirs(final.rsplit("/", 1)[0], exist_ok=True)
        with self.fs.open(temporary, "wb") as sink:
            yield sink
            if self._local:
                sink.flush()
                os.fsync(sink.fileno())
        if self._local:
            Path(temporary).replace(final)
        else:
            self.fs.mv(temporary, final)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small file atomically."""
        with self.writing(path) as sink:
            sink.write(data)

    def write_table(
        self, path: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema, *, compressed: bool = True
    ) -> Output:
        """Write Arrow IPC (file format) atomically and return what was written.

        Args:
            path: below the root, ending in ``.arrow``.
            batches: record batches in `schema`; consumed once.
            schema: written even when there is no batch.
            compressed: by lz4; a table that is not is read without a copy where the disk is local.

        """
        rows, options = 0, IPC_OPTIONS if compressed else pa.ipc.IpcWriteOptions()
        with self.writing(path) as sink:
            hashing = HashingSink(sink)
            with pa.ipc.new_file(pa.PythonFile(hashing, "w"), schema, options=options) as writer:
                for batch in batches:
                    writer.write_batch(batch)
                    rows += batch.num_rows
        return Output(path, rows, hashing.written, hashing.digest.hexdigest())

    def read_table(self, path: str, columns: list[str] | None = None) -> pa.Table:
        """Read a shard, or some of its columns, memory-mapped where the disk is local."""
        with self._reading(path) as source:
            return _selected(_opened(source, columns).read_all(), columns)

    def read_rows(self, path: str, rows: Integers, columns: list[str] | None = None) -> pa.Table:
        """Read some rows of a shard, by their numbers, ascending: in memory are they and one batch, not the shard."""
        with self._reading(path) as source:
            reader = _opened(source, columns)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
            return _selected(take_rows(batches, rows, reader.schema), columns)

    @contextmanager
    def _reading(self, path: str) -> Iterator[pa.NativeFile | IO[bytes]]:
        with pa.memory_map(self.full(path)) if self._local else self.fs.open(self.full(path), "rb") as source:
            yield source

    def sizes(self, paths: Iterable[str]) -> dict[str, int | None]:
        """Return the bytes of some files, null for those that are not there: one listing a folder, not one call a file.

        (On a local disk a call a file costs less than a listing.)
        """
        wanted = list(paths)
        if self._local:
            return {path: _local_size(Path(self.full(path))) for path in wanted}
        found: dict[str, int | None] = dict.fromkeys(wanted)
        names = {self.full(path).lstrip("/"): path for path in wanted}
        for folder in sorted({self.full(path).rsplit("/", 1)[0] for path in wanted}):
            self.fs.invalidate_cache(folder)
            try:
                listed = self.fs.ls(folder, detail=True)
            except FileNotFoundError:
                continue
            for entry in listed:
                path = names.get(str(entry["name"]).lstrip("/"))
                if path is not None and entry["type"] == "file":
                    found[path] = int(entry["size"])
        return found

    def remove(self, path: str) -> None:
        """Remove a file if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self.fs.rm_file(self.full(path))

    def read_marker(self, path: str, key: str) -> Marker | None:
        """Return the marker of a task if it was written for `key` and all its outputs are whole and its own.

        An output at another place than the task's may have been written again by another task since: beside it stands
        the key of the task that wrote it last.
        """
        try:
            raw = json.loads(self.fs.cat_file(self.full(path)))
            marker = Marker(raw["key"], tuple(Output(**o) for o in raw["outputs"]), raw["stats"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        if marker.key != key:
            return None
        sizes = self.sizes(output.path for output in marker.outputs)
        if any(sizes[output.path] != output.bytes for output in marker.outputs):
            return None
        stem = path.removesuffix(MARKER)
        elsewhere = [output.path for output in marker.outputs if not output.path.startswith(f"{stem}.")]
        return marker if all(self._writer(output) == key for output in elsewhere) else None

    def _writer(self, path: str) -> str | None:
        """Return the key of the task that wrote a table at another place than its own."""
        try:
            return str(self.fs.cat_file(self.full(path + WRITER)).decode())
        except FileNotFoundError:
            return None

    def write_marker(self, path: str, marker: Marker) -> None:
        """Write the marker; from here on the task counts as done."""
        data = {"key": marker.key, "outputs": [asdict(o) for o in marker.outputs], "stats": marker.stats}
        self.write_bytes(path, canonical_json(data))


def _local_size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None


class HashingSink(io.RawIOBase):
    """Passes writes on and hashes them, so that a shard's hash costs no second read."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink, self.written, self.digest = sink, 0, xxhash.xxh3_128()

    def writable(self) -> bool:
        """Tell that it is written to."""
        return True

    def write(self, data: Any) -> int:
        """Write and hash."""
        self._sink.write(data)
        self.digest.update(data)
        self.written += len(data)
        return len(data)


def take_rows(batches: Iterable[pa.RecordBatch], rows: Integers, schema: pa.Schema) -> pa.Table:
    """Take rows from one batch after the other.

    `pa.Table.take` first joins all chunks of a column, and the offsets of a `string` column end at 2 GiB.

    Args:
        batches: in `schema`; read as far as there are rows to take.
        rows: numbers through all batches, ascending.
        schema: of the result.

    """
    parts, first, done = [], 0, 0
    if len(rows):
        for batch in batches:
            stop = int(np.searchsorted(rows, first + batch.num_rows))
            if stop > done:
                parts.append(batch.take(pa.array(rows[done:stop] - first)))
            first, done = first + batch.num_rows, stop
            if done == len(rows):
                break
    assert done == len(rows), "a row number is beyond the last row"
    return pa.Table.from_batches(parts, schema)


def _opened(source: pa.NativeFile | IO[bytes], columns: list[str] | None) -> pa.RecordBatchFileReader:
    if columns is None:
        return pa.ipc.open_file(source)
    schema = pa.ipc.open_file(source).schema
    missing = [name for name in columns if name not in schema.names]
    if missing:
        raise StageError(
            f"a shard lacks the columns {missing}", remedy="it was made by an older version: run the step again"
        )
    indices = [schema.get_field_index(name) for name in columns]
    options = pa.ipc.IpcReadOptions(included_fields=indices)
    return pa.ipc.open_file(source, options=options)


def _selected(table: pa.Table, columns: list[str] | None) -> pa.Table:
    """Bring the columns into the order asked for: a reader gives them in that of the file."""
    return table if columns is None else table.select(columns)


def flat(store: Store, path: str, *names: str) -> tuple[Array, ...]:
    """Read columns of a table that was written as one batch, uncompressed: no copy where the disk is local."""
    table = store.read_table(path, list(names))
    return tuple(_joined(table[name]) for name in names)


def _joined(column: pa.ChunkedArray) -> Array:
    if column.num_chunks == 1:
        return np.asarray(column.chunk(0).to_numpy())
    return np.concatenate([np.zeros(0, column.type.to_pandas_dtype()), *(chunk.to_numpy() for chunk in column.chunks)])
