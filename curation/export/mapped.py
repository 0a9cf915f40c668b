"""Columns on disk that are read by row number: memory-mapped, so that only the rows asked for are in memory.

Parquet has to be decoded a row group at a time, which a shuffled order would do once for every row. So what is looked
up is copied once, in order, to plain files: offsets and values as Arrow has them, 64-bit offsets.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import I64

KINDS = {"string": pa.large_string(), "ids": pa.large_list(pa.int64())}


class MappedColumn:
    """n texts (`string`), or n lists of int64 (`ids`), in two files."""

    def __init__(self, folder: Path, name: str, kind: str) -> None:
        """Make an empty one; `append` fills it, `open` makes it readable."""
        self._paths = folder / f"{name}.offsets", folder / f"{name}.values"
        self._kind = kind
        self._files = tuple(path.open("wb") for path in self._paths)
        self._files[0].write(np.zeros(1, np.int64).tobytes())
        self._end, self._rows = 0, 0
        self._array: pa.Array | None = None

    def append(self, column: pa.Array) -> None:
        """Write the next rows."""
        whole = pa.concat_arrays([column.cast(KINDS[self._kind])])  # from offset 0, whatever it was a slice of
        if self._kind == "string":
            _, offsets, values = whole.buffers()
            starts = np.frombuffer(offsets or b"\0" * 8, np.int64)[: len(whole) + 1]
            size, content = int(starts[-1]), values
        else:
            starts = whole.offsets.to_numpy()
            numbers = whole.flatten().to_numpy()
            size, content = len(numbers), pa.py_buffer(np.ascontiguousarray(numbers))
        self._files[0].write((starts[1:] + self._end).tobytes())
        width = 1 if self._kind == "string" else 8
        if size:
            self._files[1].write(memoryview(content)[: size * width])
        self._end += size
        self._rows += len(whole)

    def close(self) -> None:
        """End writing."""
        for file in self._files:
            file.close()

    def open(self) -> MappedColumn:
        """Map what was written and closed, and return this column."""
        offsets, values = (self._buffer(path) for path in self._paths)
        if self._kind == "string":
            self._array = pa.Array.from_buffers(pa.large_string(), self._rows, [None, offsets, values])
        else:
            content = pa.Array.from_buffers(pa.int64(), self._end, [None, values])
            self._array = pa.LargeListArray.from_arrays(
                pa.Array.from_buffers(pa.int64(), self._rows + 1, [None, offsets]), content
            )
        return self

    def take(self, rows: I64) -> pa.Array:
        """Return rows by number, in the order asked for."""
        assert self._array is not None, "it is opened before it is read"
        return self._array.take(pa.array(rows))

    @staticmethod
    def _buffer(path: Path) -> pa.Buffer:
        if not path.stat().st_size:
            return pa.py_buffer(b"")
        return pa.memory_map(str(path)).read_buffer()


def mapped_columns(folder: Path, kinds: dict[str, str], batches: Iterable[pa.RecordBatch]) -> dict[str, MappedColumn]:
    """Copy columns to a folder and return them, mapped.

    Args:
        folder: to write to; it is made.
        kinds: column → `string` or `ids`.
        batches: with these columns.

    """
    folder.mkdir(parents=True)
    columns = {name: MappedColumn(folder, name, kind) for name, kind in kinds.items()}
    try:
        for batch in batches:
            for name, column in columns.items():
                column.append(batch[name])
    finally:
        for column in columns.values():
            column.close()
    return {name: column.open() for name, column in columns.items()}
