"""Shards and their markers: a shard counts only if it is complete.

A shard is written under a temporary name, fsynced and renamed. Then its marker is written in the same way. A marker
holds the key of the task (inputs, operation, version, settings), the size and hash of every output, and a digest of
itself. A truncated shard, a marker without its shard, and a changed setting therefore all have the same effect: the
shard is written again. A shard is checked against its hash when it is first read (`open_ml_embed.core.recorded`).
In an object store, a file appears when its upload is whole. No database or server is needed.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import xxhash

from open_ml_embed.core import recorded
from open_ml_embed.core.address import is_remote
from open_ml_embed.core.array_types import Array, Integers
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.local_disk import LocalDisk
from open_ml_embed.core.sealed import seal, unseal

if TYPE_CHECKING:
    from open_ml_embed.core.object_store import ObjectStore

MARKER, WRITER = recorded.MARKER, recorded.WRITER
"""Suffix of a task's marker, and suffix of the file beside a table that holds its hash and the key of its task."""
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
    """A folder of shards and markers, on a disk or in an object store (`s3://bucket/folder`)."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.files = _files(root)

    def full(self, path: str) -> str:
        """Return the path of a file of this machine, or its path in the object store."""
        return self.files.full(path)

    def writing(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Open `path` for writing; the file appears atomically when the block ends without an error."""
        return self.files.writing(path)

    def sweep(self, folder: str) -> None:
        """Remove temporary files below a folder: of dead processes of this machine, and old ones of other machines."""
        self.files.sweep(folder)

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
        with self._mapped(path) as source:
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
        with self._mapped(path) as source:
            reader = _opened(source, columns)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
            return _selected(take_rows(batches, rows, reader.schema), columns)

    def opened(self, path: str) -> pa.NativeFile:
        """Open a file without a memory map, whose pages would count as memory of this process; the caller closes it."""
        self._check(path)
        return self.files.opened(path)

    @contextmanager
    def _mapped(self, path: str) -> Iterator[pa.NativeFile]:
        self._check(path)
        with self.files.mapped(path) as source:
            yield source

    def _check(self, path: str) -> None:
        if isinstance(self.files, LocalDisk):
            recorded.check_file(self.files.root, path)

    def sizes(self, paths: Iterable[str]) -> dict[str, int | None]:
        """Return the sizes of files in bytes, by path; None for a missing file."""
        return self.files.sizes(paths)

    def count(self, folder: str, suffix: str) -> int:
        """Return how many files in a folder and below it have names that end in `suffix`."""
        return self.files.count(folder, suffix)

    def put(self, local: Path, path: str) -> None:
        """Copy a file of this machine into the store, atomically."""
        self.files.put(local, path)

    def export(self, path: str, target: Path) -> None:
        """Put a finished file at a local path, as a hard link where the disk allows it, else as a copy."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self.files.get(path, target)

    def remove(self, path: str) -> None:
        """Remove a file if it exists."""
        self.files.remove(path)

    def read_marker(self, path: str, key: str) -> Marker | None:
        """Return the marker of a task if it is valid; see `read_markers`."""
        return self.read_markers([(path, key)])[0]

    def read_markers(self, wanted: Sequence[tuple[str, str]]) -> list[Marker | None]:
        """Return the markers of tasks; None for each that is not valid.

        A marker is valid if it was written for the key, and its outputs are complete and current. Another task may have
        overwritten an output that does not lie under this task's path. The file beside such an output (suffix
        `WRITER`) holds the key of the task that wrote it last.

        Args:
            wanted: (path of the marker, key) of each task.

        """
        contents = self.files.read_all([path for path, _ in wanted])
        markers = [_marker(content, path, key) for content, (path, key) in zip(contents, wanted, strict=True)]
        sizes = self.sizes([output.path for marker in markers if marker for output in marker.outputs])
        for i, marker in enumerate(markers):
            if marker and any(sizes[output.path] != output.bytes for output in marker.outputs):
                markers[i] = None
        shared = [
            (i, marker.key, output.path + WRITER)
            for i, (marker, (path, _)) in enumerate(zip(markers, wanted, strict=True))
            if marker
            for output in marker.outputs
            if not output.path.startswith(f"{path.removesuffix(MARKER)}.")
        ]
        beside = self.files.read_all([path for _, _, path in shared])
        for (i, key, path), content in zip(shared, beside, strict=True):
            if _writer(content, path) != key:
                markers[i] = None
        return markers

    def write_writer(self, output: Output, key: str) -> None:
        """Write the file beside a table which several tasks may write: what it is, and the key of its task."""
        path = output.path + WRITER
        self.write_bytes(path, seal({"key": key, "output": asdict(output)}, path))

    def write_marker(self, path: str, marker: Marker) -> None:
        """Write the marker; from then on the task counts as done."""
        data = {"key": marker.key, "outputs": [asdict(o) for o in marker.outputs], "stats": marker.stats}
        self.write_bytes(path, seal(data, path))


def _files(root: str) -> LocalDisk | ObjectStore:
    if not is_remote(root):
        return LocalDisk(root)
    from open_ml_embed.core.object_store import ObjectStore  # it loads fsspec, which a local disk does without

    return ObjectStore(root)


def marker_of(data: bytes, path: str) -> Marker:
    """Return the marker that a file holds.

    Raises:
        ValueError: the file is damaged, or the marker of another path.
        KeyError, TypeError: it is no marker.

    """
    raw = unseal(data, path)
    return Marker(str(raw["key"]), tuple(Output(**output) for output in raw["outputs"]), dict(raw["stats"]))


def _marker(content: bytes | None, path: str, key: str) -> Marker | None:
    """Return a marker that was written for this path and key; None if there is none."""
    if content is None:
        return None
    try:
        marker = marker_of(content, path)
    except (ValueError, KeyError, TypeError):
        return None
    return marker if marker.key == key else None


def writer_of(data: bytes, path: str) -> str:
    """Return the key in the file beside a table: that of the task that wrote the table last.

    Raises:
        ValueError: the file is damaged, or lies beside another table than it was written for.
        KeyError: it is no such file.

    """
    return str(unseal(data, path)["key"])


def _writer(content: bytes | None, path: str) -> str | None:
    """Return the key in the file beside a table; None if there is no such file, or it is damaged."""
    if content is None:
        return None
    try:
        return writer_of(content, path)
    except (ValueError, KeyError):
        return None


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
