"""Parquet: reads the declared columns, one row group after another. Record numbers count the rows of the file.

Batches are limited by their decoded size, which the size in the file does not show: a dictionary page stores a long
document once, even if many rows repeat it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.readers.cast import Casting
from sources.readers.recognize import not_the_data
from sources.readers.sniff import head_of

BATCH_BYTES = 8 << 20
DECODED_BYTES = 32 << 20
"""Most bytes of the rows that are decoded at a time, if all of them had the longest values of their row group."""
_ROWS = 1024
"""Most rows decoded at a time, since their size is unknown if the lengths of values vary."""
_ROWS_UNKNOWN = 64
"""The same for encodings that do not show the lengths of values."""
_BUFFER = 4 << 20
"""Bytes of a column chunk to read at a time."""
_ERRORS = (pa.ArrowException, OSError, UnicodeDecodeError)


def read(path: Path, name: str, table: RawTable, casting: Casting, *, batch_rows: int = 65_536) -> Iterator[RawBatch]:
    """Stream a Parquet file; see `sources.readers.read`.

    If a row group cannot be decoded, its remaining rows are quarantined as one entry with a count.
    """
    try:
        file = pq.ParquetFile(path, buffer_size=_BUFFER)
        names = file.schema_arrow.names
    except _ERRORS as error:
        if getattr(error, "errno", None) is not None:
            raise
        head = head_of(path, name)
        other = None if head.startswith(b"PAR1") else not_the_data(head)
        why = other or f"no Parquet file, or a damaged one: {error}"
        casting.quarantine.add_unreadable(name, why, path.stat().st_size)
        return
    with file:
        casting.has_columns(names, name)
        start = 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            try:
                for rows in _merged(_decoded(file, path, group, table), batch_rows):
                    records = np.arange(start, start + rows.num_rows, dtype=np.int64)
                    start += rows.num_rows
                    yield casting.columns(rows, name, records)
                why = "fewer rows than promised"
            except _ERRORS as error:
                if getattr(error, "errno", None) is not None:
                    raise
                why = str(error)
            if start < end:
                size = file.metadata.row_group(group).total_byte_size * (end - start)
                casting.quarantine.add_unreadable(
                    name,
                    f"row group {group}: {why}",
                    size // file.metadata.row_group(group).num_rows,
                    record=start,
                    reason="corrupt-row-group",
                    count=end - start,
                )
            start = end


def _decoded(file: pq.ParquetFile, path: Path, group: int, table: RawTable) -> Iterator[pa.RecordBatch]:
    columns = list(table.fields)
    yield from file.iter_batches(
        batch_size=_fitting(file, path, group, columns), row_groups=[group], columns=columns, use_threads=False
    )


def _merged(batches: Iterator[pa.RecordBatch], most: int) -> Iterator[pa.Table]:
    """Merge small batches, up to `most` rows and `BATCH_BYTES` bytes."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for whole in batches:
        for start in range(0, whole.num_rows, most):
            batch = whole.slice(start, most)
            if held and (rows + batch.num_rows > most or size + batch.nbytes > BATCH_BYTES):
                yield pa.Table.from_batches(held)
                held, rows, size = [], 0, 0
            held.append(batch)
            rows += batch.num_rows
            size += batch.nbytes
    if held:
        yield pa.Table.from_batches(held)


def _fitting(file: pq.ParquetFile, path: Path, group: int, columns: list[str]) -> int:
    """Return the number of rows of a row group to decode at a time."""
    about = file.metadata.row_group(group)
    rows = max(about.num_rows, 1)
    most, known, suspects = _ROWS, 0, {}
    for at in range(about.num_columns):
        chunk = about.column(at)
        if not any(
            chunk.path_in_schema == column or chunk.path_in_schema.startswith(f"{column}.") for column in columns
        ):
            continue
        known += chunk.total_uncompressed_size
        per_row = -(-chunk.num_values // rows)
        if chunk.physical_type == "BYTE_ARRAY":
            if any("DELTA" in encoding for encoding in chunk.encodings):
                most = _ROWS_UNKNOWN
            if chunk.has_dictionary_page and chunk.total_uncompressed_size * per_row * most > DECODED_BYTES:
                suspects[chunk.path_in_schema] = per_row
    most = min(most, int(BATCH_BYTES * rows // max(known, 1)))
    if suspects:
        longest = _longest(path, group, list(suspects))
        size = sum(longest[leaf] * per_row for leaf, per_row in suspects.items())
        most = min(most, DECODED_BYTES // max(size, 1))
    return max(most, 1)


def _longest(path: Path, group: int, leaves: list[str]) -> dict[str, int]:
    """Return column → bytes of the longest value in its dictionary, for some leaf columns of a row group."""
    with pq.ParquetFile(path, buffer_size=_BUFFER, read_dictionary=leaves) as file:
        first = next(file.iter_batches(batch_size=1, row_groups=[group], columns=leaves, use_threads=False), None)
    longest = dict.fromkeys(leaves, 0)
    if first is None:
        return longest
    for leaf in leaves:
        lengths = [
            pc.max(pc.binary_length(values)).as_py() or 0
            for column in _columns_of(first, leaf)
            for values in _dictionaries(column)
        ]
        longest[leaf] = max(lengths, default=0)
    return longest


def _columns_of(batch: pa.RecordBatch, leaf: str) -> list[pa.Array]:
    return [
        batch.column(at) for at, name in enumerate(batch.schema.names) if leaf == name or leaf.startswith(f"{name}.")
    ]


def _dictionaries(array: pa.Array) -> Iterator[pa.Array]:
    if isinstance(array, pa.DictionaryArray):
        yield array.dictionary
    elif pa.types.is_struct(array.type):
        for at in range(array.type.num_fields):
            yield from _dictionaries(array.field(at))
    elif pa.types.is_nested(array.type):
        yield from _dictionaries(array.values)
