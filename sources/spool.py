"""Temporary table on disk with random access by row, for shapes that need a whole subset of long texts."""

from __future__ import annotations

import shutil
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.scratch import make_scratch_folder
from sources.batching import halved

_ROWS = 16_384


class Spool:
    """Rows in a temporary Arrow file, deleted when the context ends; only requested rows are held in memory."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._folder = make_scratch_folder("spool")
        self._path = str(self._folder / "rows.arrow")
        self._writer: pa.RecordBatchFileWriter | None = pa.ipc.new_file(self._path, schema)
        self._starts = [0]
        self._sizes: list[np.ndarray] = []
        self._chunks: list[pa.RecordBatch] = []

    def __enter__(self) -> Spool:
        """Return the spool itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Delete the file."""
        if self._writer is not None:
            self._writer.close()
        self._chunks = []
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, rows: pa.Table) -> None:
        """Append rows; not allowed after the first `take`."""
        assert self._writer is not None, "rows have been taken"
        for piece in halved(rows, _ROWS):
            for batch in piece.to_batches():
                self._writer.write_batch(batch)
                self._starts.append(self._starts[-1] + batch.num_rows)
                self._sizes.append(_bytes(batch))

    @property
    def sizes(self) -> np.ndarray:
        """Bytes of text of each row so far (int64[n]); callers use them to take rows in portions of moderate size."""
        return np.concatenate([np.zeros(0, np.int64), *self._sizes])

    def take(self, rows: np.ndarray) -> pa.Table:
        """Return the rows with these numbers (int64, may repeat), in that order; at most 2 GiB per column."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            reader = pa.ipc.open_file(pa.memory_map(self._path))
            self._chunks = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        order = np.argsort(rows, kind="stable")
        cuts = np.searchsorted(rows[order], self._starts)
        pieces = [
            chunk.take(pa.array(rows[order[low:high]] - start))
            for chunk, start, low, high in zip(self._chunks, self._starts[:-1], cuts[:-1], cuts[1:], strict=True)
            if low < high
        ]
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return pa.Table.from_batches(pieces, self._schema).combine_chunks().take(pa.array(back))


def _bytes(batch: pa.RecordBatch) -> np.ndarray:
    sizes = np.zeros(batch.num_rows, np.int64)
    for column in batch.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            sizes += pc.fill_null(pc.binary_length(column), 0).to_numpy()
    return sizes
