"""Comma- and tab-separated values.

CSV follows RFC 4180 (quotation marks, line breaks inside them). TSV has no quotation marks; each line is a record.
Blank lines yield no record, but record numbers count them. Counting begins after the header line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import I64
from open_ml_embed.core.errors import SchemaError
from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.readers.cast import Casting
from sources.readers.delimited_scan import BLANK, SOUND, STRAY_QUOTE, TOO_FEW, TOO_MANY, UNTERMINATED, gather, scan
from sources.readers.sniff import BrokenStreamError, open_text

BLOCK_BYTES = 8 << 20
MAX_RECORD_BYTES = 64 << 20
"""Longest record; longer ones are quarantined, since they are damage, and are not held in memory."""
HEAD_BYTES = 1 << 20
_AT_ONCE = 16_384
_SAMPLED = 100
_FEWEST = 10
"""If the first records all have another width than the header, and there are so many, the header is wrong."""
_REASONS = {
    TOO_FEW: "too-few-values",
    TOO_MANY: "too-many-values",
    STRAY_QUOTE: "stray-quote",
    UNTERMINATED: "unterminated-quote",
}


def read(path: Path, name: str, table: RawTable, casting: Casting, *, batch_rows: int = 65_536) -> Iterator[RawBatch]:
    """Stream a delimited file; see `sources.readers.read`.

    Raises:
        SchemaError: the header lacks a declared field or has it twice, or all of the first records have another number
            of values than the header.

    """
    with open_text(path, name, table.encoding) as stream:
        file = _File(stream, name, casting, quoted=table.format == "csv")
        names = table.header or file.header()
        if not names:
            casting.quarantine.add_unreadable(name, "the file is empty", 0, reason="empty-file")
            return
        casting.has_columns(names, name)
        for columns, records in file.records(names, batch_rows):
            yield casting.columns(columns, name, records)


class _File:
    """Stream of records, which are cut out of a buffer that is refilled on demand."""

    def __init__(self, stream: BinaryIO, name: str, casting: Casting, *, quoted: bool) -> None:
        self._stream, self._name, self._casting, self._quoted = stream, name, casting, quoted
        self._delimiter = ord("," if quoted else "\t")
        self._data = b""
        self._at = 0
        """Position of the next record in the buffer."""
        self._next = 0
        """Number of the next record."""
        self._final = self._skipping = self._only_returns = False
        self._broken: BrokenStreamError | None = None
        self._fill(HEAD_BYTES)
        if b"\n" not in self._data and b"\r" in self._data:
            self._only_returns = True  # lines end with CR only, as on the classic Mac OS
            self._data = self._data.replace(b"\r", b"\n")

    def header(self) -> list[str]:
        """Return the first record that is not blank, as the header."""
        scanned = _Scanned(1, np.zeros(0, np.int64))
        while True:
            if not self._scan(scanned):
                if self._final:
                    return []
                self._fill(max(BLOCK_BYTES, len(self._data)))
                continue
            kind, start, end = scanned.records[0].tolist()
            if kind != BLANK:
                text = self._data[start:end].decode("utf-8", "replace")
                if not self._quoted:
                    return text.rstrip("\r\n").split("\t")
                return next(csv.reader(io.StringIO(text, newline="")), [])

    def records(self, names: list[str], batch_rows: int) -> Iterator[tuple[pa.Table, I64]]:
        """Yield (declared fields as text, record numbers) of the valid records; quarantine the others."""
        fields = [field for field in self._casting.table.fields if field in names]  # the others are optional
        slots = np.array([fields.index(name) if name in fields else -1 for name in names], np.int64)
        scanned = _Scanned(min(_AT_ONCE, batch_rows), slots)
        judged = False
        while True:
            count = self._scan(scanned)
            if count:
                if not judged:
                    self._check_width(scanned.records[:count], names)
                    judged = True
                yield from self._taken(scanned, count, fields)
            elif self._final:
                break
            else:
                self._fill(max(BLOCK_BYTES, len(self._data)))
        if self._broken is not None:
            self._casting.quarantine.add_unreadable(
                self._name, str(self._broken), self._broken.left, record=self._next, reason="truncated-file"
            )

    def _scan(self, scanned: _Scanned) -> int:
        data = np.frombuffer(self._data, np.uint8)[self._at :]
        patient = not self._final and len(data) <= MAX_RECORD_BYTES
        count, used = scan(
            data,
            self._final,
            patient,
            self._delimiter,
            self._quoted,
            scanned.slots,
            scanned.bounds,
            scanned.escaped,
            scanned.records,
        )
        if count and self._at + used == len(self._data) and self._data[-1:] != b"\n":
            if self._broken is not None:
                count -= 1  # the last record is cut
            self._skipping = not self._final
        scanned.bounds[:count] += self._at
        scanned.records[:count, 1:] += self._at
        self._at += used
        return int(count)

    def _taken(self, scanned: _Scanned, count: int, fields: list[str]) -> Iterator[tuple[pa.Table, I64]]:
        kinds = scanned.records[:count, 0]
        numbers = self._next + np.arange(count)
        self._next += count
        for row in np.flatnonzero((kinds != SOUND) & (kinds != BLANK)).tolist():
            kind, start, end = scanned.records[row].tolist()
            reason = "oversized-record" if end - start > MAX_RECORD_BYTES else _REASONS[kind]
            excerpt = self._data[start : min(end, start + 200)].decode("utf-8", "backslashreplace")
            self._casting.quarantine.add(self._name, int(numbers[row]), reason, excerpt)
        rows = np.flatnonzero(kinds == SOUND)
        if len(rows):
            columns = [_column(self._data, scanned, rows, slot) for slot in range(len(fields))]
            yield pa.table(columns, names=fields), numbers[rows]

    def _check_width(self, records: I64, names: list[str]) -> None:
        """Raise if none of the first records has as many values as the header in the file or in the manifest."""
        some = records[records[:, 0] != BLANK][:_SAMPLED]
        declared = self._casting.table.header is not None
        if len(some) < (1 if declared else _FEWEST) or not np.isin(some[:, 0], (TOO_FEW, TOO_MANY)).all():
            return
        text = self._data[some[0, 1] : some[0, 2]].decode("utf-8", "replace")
        first = next(csv.reader(io.StringIO(text, newline="")), []) if self._quoted else text.strip("\r\n").split("\t")
        raise SchemaError(
            f"records have {len(first)} values, the {'declared header' if declared else 'header'} has {len(names)}",
            where=self._name,
            remedy=f"correct `header` in the manifest; the first record is {first!r}",
        )

    def _fill(self, size: int) -> None:
        try:
            data = self._stream.read(size)
        except BrokenStreamError as error:
            data, self._broken = b"", error
        self._final = not data
        if self._only_returns:
            data = data.replace(b"\r", b"\n")
        if self._skipping:
            end = data.find(b"\n") + 1
            self._skipping, data = not end, data[end:] if end else b""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0


class _Scanned:
    """Output arrays of `delimited_scan.scan`."""

    def __init__(self, most: int, slots: I64) -> None:
        wanted = int(slots.max(initial=-1)) + 1
        self.slots = slots
        self.bounds = np.zeros((most, wanted, 2), np.int64)
        self.escaped = np.zeros((most, wanted), np.uint8)
        self.records = np.zeros((most, 3), np.int64)


def _column(data: bytes, scanned: _Scanned, rows: I64, slot: int) -> pa.StringArray:
    """Return the values of a column, not validated as UTF-8."""
    bounds = scanned.bounds[rows, slot]
    out = np.empty(int((bounds[:, 1] - bounds[:, 0]).sum()), np.uint8)
    offsets = np.empty(len(rows) + 1, np.int32)
    used = gather(np.frombuffer(data, np.uint8), scanned.bounds, scanned.escaped, rows, slot, offsets, out)
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(offsets), pa.py_buffer(out[:used]))
