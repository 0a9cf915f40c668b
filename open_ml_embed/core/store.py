"""Shards and their markers: a shard counts only if it is complete.

A shard is written under a temporary name, fsynced and renamed. Then its marker is written in the same way. A marker
holds the key of the task (inputs, operation, version, settings), the size and hash of every output, and a digest of
itself. A truncated shard, a marker without its shard, and a changed setting therefore all have the same effect: the
shard is written again. A shard is checked against its hash when it is first read (`open_ml_embed.core.recorded`).
Paths go through fsspec. No database or server is needed.
"""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

import fsspec
import numpy as np
import pyarrow as pa
import xxhash

from open_ml_embed.core import recorded
from open_ml_embed.core.array_types import Array, Integers
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.files import HOST, is_alive
from open_ml_embed.core.os_errors import naming
from open_ml_embed.core.sealed import seal, unseal

MARKER, WRITER = recorded.MARKER, recorded.WRITER
"""Suffix of a task's marker, and suffix of the file beside a table that holds its hash and the key of its task."""
TEMPORARY = ".tmp"
"""Suffix of a file that is being written; its name holds the machine, the process and a number, so that no two writers
share one."""
_LEFT = re.compile(r"\.(?P<host>[^./]+)-(?P<pid>[0-9]+)-[0-9]+\.tmp\Z")
_written = itertools.count()
IPC_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True)
class Output:
    """One finished file: path below the store's root, number of rows, size in bytes, and xxh3-128 in hexadecimal."""

    path: str
    rows: int
    bytes: int
    xxh3: str


@dataclass(frozen=True)
class Marker:
    """Record that a task is done: its key, its outputs, and its statistics."""

    key: str
    outputs: tuple[Output, ...]
    stats: dict[str, Any]


class Store:
    """A folder of shards and markers on any file system that fsspec can write to."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.fs, self._base = fsspec.url_to_fs(root)
        self._local = "file" in self.fs.protocol

    def full(self, path: str) -> str:
        """Return the full path for the fsspec file system."""
        return f"{self._base}/{path}"

    @contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """Open `path` for writing; the file appears atomically when the block ends without an error."""
        final = self.full(path)
        temporary = f"{final}.{HOST}-{os.getpid()}-{next(_written)}{TEMPORARY}"
        with naming(final):
            self.fs.makedirs(final.rsplit("/", 1)[0], exist_ok=True)
            try:
                with self.fs.open(temporary, "wb") as sink:
                    yield sink
                    if self._local:
                        sink.flush()
                        os.fsync(sink.fileno())
                if self._local:
                    Path(temporary).replace(final)
                else:
                    self.fs.mv(temporary, final)
            except BaseException:  # on a full disk, what is unfinished takes the room of what comes next
                self.remove(temporary.removeprefix(f"{self._base}/"))
                raise

    def sweep(self, folder: str) -> None:
        """Remove temporary files that dead processes of this machine left below a folder; on local disks only."""
        if not self._local:
            return
        for left in Path(self.full(folder)).rglob(f"*{TEMPORARY}"):
            match = _LEFT.search(left.name)
            if match and match["host"] == HOST and not is_alive(int(match["pid"])):
                left.unlink(missing_ok=True)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a small file atomically."""
        with self.writing(path) as sink:
            sink.write(data)

    def write_table(
        self, path: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema, *, compressed: bool = True
    ) -> Output:
        """Write an Arrow IPC file atomically and return its path, rows, size and hash.

        Args:
            path: below the root, ending in ``.arrow``.
            batches: record batches in `schema`; consumed once.
            schema: written even if there is no batch.
            compressed: compress with lz4. An uncompressed table on a local disk is read without a copy (memory map).

        """
        options = IPC_OPTIONS if compressed else pa.ipc.IpcWriteOptions()

        def write(sink: IO[bytes]) -> int:
            rows = 0
            with pa.ipc.new_file(pa.PythonFile(sink, "w"), schema, options=options) as writer:
                for batch in batches:
                    writer.write_batch(batch)
                    rows += batch.num_rows
            return rows

        return self.write_file(path, write)

    def write_file(self, path: str, write: Callable[[IO[bytes]], int]) -> Output:
        """Write a file of any format atomically and return its path, rows, size and hash.

        Args:
            path: below the root.
            write: writes the file and returns its number of rows.

        """
        with self.writing(path) as sink:
            hashing = HashingSink(sink)
            rows = write(cast("IO[bytes]", hashing))
        return Output(path, rows, hashing.written, hashing.digest.hexdigest())

    def read_table(self, path: str, columns: list[str] | None = None) -> pa.Table:
        """Read a shard, or some of its columns, memory-mapped if the disk is local.

        Raises:
            StageError: the shard lacks one of the columns.

        """
        with self._reading(path) as source:
            return _selected(_opened(source, columns).read_all(), columns)

    def read_rows(self, path: str, rows: Integers, columns: list[str] | None = None) -> pa.Table:
        """Read some rows of a shard; only these rows and one batch are held in memory.

        Args:
            path: below the root.
            rows: row numbers in the shard, ascending.
            columns: names of the columns to read, in the order of the result; None: all.

        Raises:
            StageError: the shard lacks one of the columns.

        """
        with self._reading(path) as source:
            reader = _opened(source, columns)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
            return _selected(take_rows(batches, rows, reader.schema), columns)

    @contextmanager
    def _reading(self, path: str) -> Iterator[pa.NativeFile | IO[bytes]]:
        if self._local:
            recorded.check_file(self._base, path)
        with pa.memory_map(self.full(path)) if self._local else self.fs.open(self.full(path), "rb") as source:
            yield source

    def sizes(self, paths: Iterable[str]) -> dict[str, int | None]:
        """Return the sizes of files in bytes, by path; None for a missing file.

        A remote store is asked for one listing per folder, not once per file. On a local disk, one call per file is
        faster than a listing.
        """
        wanted = list(paths)
        if self._local:
            return {path: _local_size(Path(self.full(path))) for path in wanted}
        sizes: dict[str, int | None] = dict.fromkeys(wanted)
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
                    sizes[path] = int(entry["size"])
        return sizes

    def export(self, path: str, target: Path) -> None:
        """Put a finished file at a local path, as a hard link where the disk allows it, else as a copy.

        Finished files are replaced, never changed, so a link keeps its content.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        if self._local:
            with contextlib.suppress(OSError):
                os.link(self.full(path), target)
                return
        self.fs.get_file(self.full(path), str(target))

    def remove(self, path: str) -> None:
        """Remove a file if it exists."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self.fs.rm_file(self.full(path))

    def read_marker(self, path: str, key: str) -> Marker | None:
        """Return the marker of a task if it is valid: written for `key`, and its outputs are complete and current.

        Another task may have overwritten an output that does not lie under this task's path. The file beside such an
        output (suffix `WRITER`) holds the key of the task that wrote it last.
        """
        try:
            marker = marker_of(self.fs.cat_file(self.full(path)))
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
        """Return the key of the task that last wrote a table which several tasks may write; None if unknown."""
        try:
            return str(unseal(self.fs.cat_file(self.full(path + WRITER)))["key"])
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def write_writer(self, output: Output, key: str) -> None:
        """Write the file beside a table which several tasks may write: what it is, and the key of its task."""
        self.write_bytes(output.path + WRITER, seal({"key": key, "output": asdict(output)}))

    def write_marker(self, path: str, marker: Marker) -> None:
        """Write the marker; from then on the task counts as done."""
        data = {"key": marker.key, "outputs": [asdict(o) for o in marker.outputs], "stats": marker.stats}
        self.write_bytes(path, seal(data))


def marker_of(data: bytes) -> Marker:
    """Return the marker that a file holds.

    Raises:
        ValueError: the file is damaged.
        KeyError, TypeError: it is no marker.

    """
    raw = unseal(data)
    return Marker(str(raw["key"]), tuple(Output(**output) for output in raw["outputs"]), dict(raw["stats"]))


def _local_size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError as error:
        if error.errno in (
            errno.ENOENT,
            errno.ENOTDIR,
            errno.ELOOP,
        ):  # the last: a link in its place that leads nowhere
            return None
        raise


class HashingSink(io.RawIOBase):
    """Write-through sink that hashes what it writes, so that a shard need not be read again for its hash."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink, self.written, self.digest = sink, 0, xxhash.xxh3_128()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Write the data, add it to the hash, and return its length in bytes."""
        self._sink.write(data)
        self.digest.update(data)
        self.written += len(data)
        return len(data)


def take_rows(batches: Iterable[pa.RecordBatch], rows: Integers, schema: pa.Schema) -> pa.Table:
    """Take rows from a sequence of batches, one batch at a time.

    `pa.Table.take` would first concatenate all chunks of a column, which fails for a `string` column above 2 GiB.

    Args:
        batches: record batches in `schema`; read only up to the last row that is taken.
        rows: row numbers, counted through all batches, ascending.
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
    """Return the columns in the requested order; a reader returns them in the order of the file."""
    return table if columns is None else table.select(columns)


def flat(store: Store, path: str, *names: str) -> tuple[Array, ...]:
    """Read columns of a table as NumPy arrays; without a copy if it is one uncompressed batch on a local disk."""
    table = store.read_table(path, list(names))
    return tuple(_joined(table[name]) for name in names)


def _joined(column: pa.ChunkedArray) -> Array:
    if column.num_chunks == 1:
        return np.asarray(column.chunk(0).to_numpy())
    return np.concatenate([np.zeros(0, column.type.to_pandas_dtype()), *(chunk.to_numpy() for chunk in column.chunks)])
