"""Comma- and tab-separated values. Record numbers count records after the header line, blank ones included.

CSV follows RFC 4180 (quotes, line breaks inside them); TSV knows no quotes, a line is a record.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from sources.errors import SchemaError
from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.quarantine import Quarantine
from sources.readers.conform import conform, require
from sources.readers.opening import BrokenStreamError, open_binary

_BLOCK_BYTES = 16 << 20
_SAMPLED = 100

_Rows = tuple[pa.Table, np.ndarray]
"""Columns and their record numbers."""


def read(
    path: Path, name: str, table: RawTable, quarantine: Quarantine, *, batch_rows: int = 65_536
) -> Iterator[RawBatch]:
    """Stream a delimited file; see `sources.readers.read`."""
    quoted = table.format == "csv"
    names = table.header or _header(path, quoted=quoted)
    if not names:
        quarantine.add(name, 0, "empty-file")
        return
    require(names, table, name)
    if table.header:
        _check_width(path, name, len(names), quoted=quoted)
    invalid = _Invalid(name, quarantine, before=1 if table.header else 2)
    with open_binary(path) as stream:
        counted = _Watched(stream)
        held: _Rows | None = None
        try:
            for batch in _batches(counted, table, names, invalid, quoted=quoted):
                if held is not None:
                    yield from _cut(held, name, table, quarantine, batch_rows)
                held = batch, invalid.numbers(batch.num_rows)
        except pa.ArrowInvalid as error:
            if held is not None:
                yield from _cut(held, name, table, quarantine, batch_rows)
            quarantine.add(name, invalid.next, "invalid-csv", str(error))
            return
        if held is not None:
            held = _without_spoilt_end(held, counted, invalid, quoted=quoted)
            yield from _cut(held, name, table, quarantine, batch_rows)


def _without_spoilt_end(rows: _Rows, stream: _Watched, invalid: _Invalid, *, quoted: bool) -> _Rows:
    """Quarantine the last record where the file's end cannot be trusted.

    It is half a record where a compressed file was cut; and a quote that never closes swallows the rest of the file
    into it without a complaint.
    """
    columns, records = rows
    last = int(records[-1]) if len(records) else -1
    if stream.error is not None:
        whole = last < 0 or stream.last == b"\n" or invalid.latest > last
        invalid.quarantine.add(invalid.file, max(last, invalid.latest) + whole, "truncated-file", str(stream.error))
    else:
        whole = last < 0 or not (quoted and stream.quotes % 2 and _spans_lines(columns))
        if not whole:
            excerpt = " ".join(str(column[-1].as_py()) for column in columns.columns)
            invalid.quarantine.add(invalid.file, last, "unterminated-quote", excerpt)
    return rows if whole else (columns.slice(0, len(records) - 1), records[:-1])


def _batches(
    stream: _Watched, table: RawTable, names: list[str], invalid: _Invalid, *, quoted: bool
) -> Iterator[pa.Table]:
    reader = pv.open_csv(
        pa.PythonFile(stream, mode="r"),
        read_options=pv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=table.header),
        parse_options=pv.ParseOptions(
            delimiter="," if quoted else "\t",
            quote_char='"' if quoted else False,
            newlines_in_values=quoted,
            ignore_empty_lines=False,
            invalid_row_handler=invalid,
        ),
        # Invalid UTF-8 and values of the wrong type are `conform`'s to find, record by record.
        convert_options=pv.ConvertOptions(
            check_utf8=False, strings_can_be_null=False, column_types=dict.fromkeys(names, pa.string())
        ),
    )
    for batch in reader:
        yield pa.Table.from_batches([batch])


def _cut(rows: _Rows, name: str, table: RawTable, quarantine: Quarantine, batch_rows: int) -> Iterator[RawBatch]:
    columns, records = _empty_numbers_as_null(rows[0], table), rows[1]
    for start in range(0, columns.num_rows, batch_rows):
        some = columns.slice(start, batch_rows)
        yield conform(some, name, records[start : start + batch_rows], table, quarantine)


def _empty_numbers_as_null(columns: pa.Table, table: RawTable) -> pa.Table:
    for field, kind in table.fields.items():
        if kind not in ("string", "any"):
            column = columns.column(field)
            blank = pc.equal(column, "")
            columns = columns.set_column(
                columns.schema.get_field_index(field),
                field,
                pc.if_else(blank, pa.scalar(None, pa.string()), column),
            )
    return columns


class _Invalid:
    """Takes the records with a wrong number of values, and numbers the others around them."""

    def __init__(self, file: str, quarantine: Quarantine, *, before: int) -> None:
        self.file, self.quarantine, self._before = file, quarantine, before
        self._rows: list[int] = []
        self.next = 0
        self.latest = -1

    def __call__(self, row: Any) -> str:
        record = row.number - self._before
        self._rows.append(record)
        self.latest = record
        reason = "too-few-values" if row.actual_columns < row.expected_columns else "too-many-values"
        self.quarantine.add(self.file, record, reason, row.text)
        return "skip"

    def numbers(self, rows: int) -> np.ndarray:
        """Return the record numbers of the next `rows` valid records."""
        candidates = np.arange(self.next, self.next + rows + len(self._rows), dtype=np.int64)
        numbers = candidates[~np.isin(candidates, self._rows)][:rows]
        if rows:
            self.next = int(numbers[-1]) + 1
            self._rows = [record for record in self._rows if record >= self.next]
        return numbers


class _Watched:
    """A stream that counts the quotation marks that went through it, and ends where the file is damaged."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.quotes = 0
        self.last = b"\n"
        self.error: BrokenStreamError | None = None
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(size) if self.error is None else b""
        except BrokenStreamError as error:
            self.error, data = error, b""
        self.quotes += data.count(b'"')
        self.last = data[-1:] or self.last
        return data

    def close(self) -> None:
        self.closed = True


def _first_records(path: Path, most: int, *, quoted: bool) -> list[list[str]]:
    with open_binary(path) as stream:
        text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="" if quoted else "\n")
        try:
            if quoted:
                return list(itertools.islice(csv.reader(text), most))
            return [line.rstrip("\r\n").split("\t") for line in itertools.islice(text, most)]
        except (BrokenStreamError, csv.Error):
            return []


def _header(path: Path, *, quoted: bool) -> list[str]:
    found = _first_records(path, 1, quoted=quoted)
    return found[0] if found else []


def _check_width(path: Path, name: str, width: int, *, quoted: bool) -> None:
    """Refuse a headerless file none of whose first records has the declared number of values."""
    found = _first_records(path, _SAMPLED, quoted=quoted)
    if found and all(len(record) != width for record in found):
        raise SchemaError(
            f"records have {len(found[0])} values, the declared header has {width}",
            where=name,
            remedy=f"correct `header` in the manifest; the first record is {found[0]!r}",
        )


def _spans_lines(columns: pa.Table) -> bool:
    return any("\n" in (column[-1].as_py() or "") for column in columns.columns)
