"""Keeps what a reader makes of a raw file, so that other subsets of the source need not parse the file again.

The English articles of CLIRMatrix are read by 138 subsets. A `Keeper` gives the batches of a file and everything that
its reader quarantined, in order; from that, `replay` gives a shape and a quarantine what reading the file would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from sources.manifest import RawTable
from sources.parts import RawBatch, RawFile
from sources.quarantine import KEPT_PER_REASON, Quarantine, plain
from sources.renaming import read_renamed

RECORD = "\0record"
"""Column of record numbers beside the declared fields; no field can have this name."""
BATCH_SCHEMA = pa.schema([pa.field("rows", pa.int64()), pa.field("file", pa.string())])
"""Rows of each batch, and the file or the archive's member that it is from."""
EVENT_SCHEMA = pa.schema(
    [
        pa.field("batch", pa.int64()),
        pa.field("file", pa.string()),
        pa.field("record", pa.int64()),
        pa.field("reason", pa.string()),
        pa.field("excerpt", pa.string()),
        pa.field("count", pa.int64()),
        pa.field("bytes_not_read", pa.int64()),
    ]
)
"""Calls of the quarantine before each batch, in order. `bytes_not_read` is null except for unreadable files."""


_Event = tuple[int, str, int, str, str, int, int | None]


@dataclass
class _Recorder(Quarantine):
    """A quarantine that remembers how it was called."""

    batch: int = 0
    events: list[_Event] = field(default_factory=list)
    _seen: dict[str, int] = field(default_factory=dict)

    def add(self, file: str, record: int, reason: str, excerpt: object = "", *, count: int = 1) -> None:
        super().add(file, record, reason, excerpt, count=count)
        self._seen[reason] = self._seen.get(reason, 0) + 1
        last = self.events[-1] if self.events else None
        if self._seen[reason] > KEPT_PER_REASON and last is not None and _place(last) == (self.batch, file, reason):
            self.events[-1] = (*last[:5], last[5] + count, None)  # the entry would not be kept: only count it
            return
        self.events.append((self.batch, file, record, reason, plain(excerpt), count, None))

    def add_unreadable(
        self,
        file: str,
        why: str,
        bytes_not_read: int,
        *,
        record: int = 0,
        reason: str = "unreadable-file",
        count: int = 1,
    ) -> None:
        self.events.append((self.batch, file, record, reason, plain(why), count, bytes_not_read))


def _place(event: _Event) -> tuple[int, str, str] | None:
    """Return batch, file and reason of a quarantined record; None for an unreadable file."""
    return (event[0], event[1], event[3]) if event[6] is None else None


class Keeper:
    """Reads a raw file to its end: `schema`, then `batches`, then `listing` and `events`.

    Attributes:
        schema: of the batches: the declared fields, and the record numbers.

    Raises:
        SchemaError: the file does not have what the manifest declares.

    """

    def __init__(self, file: RawFile, table: RawTable) -> None:
        self._recorder = _Recorder("", "")
        self._listed: list[tuple[int, str]] = []
        self._source = read_renamed(file.path, file.name, table, self._recorder)
        self._first = next(self._source, None)
        fields = [] if self._first is None else [*self._first.columns.schema, pa.field(RECORD, pa.int64())]
        self.schema = pa.schema(fields)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches of the file, with the record numbers as a last column."""
        batch = self._first
        while batch is not None:
            self._listed.append((batch.columns.num_rows, batch.file))
            self._recorder.batch += 1
            yield from batch.columns.append_column(RECORD, batch.records).combine_chunks().to_batches()
            batch = next(self._source, None)

    def listing(self) -> pa.Table:
        """Return what the batches are of (`BATCH_SCHEMA`), after the last one."""
        return _table(self._listed, BATCH_SCHEMA)

    def events(self) -> pa.Table:
        """Return the calls of the quarantine (`EVENT_SCHEMA`), after the last batch."""
        return _table(self._recorder.events, EVENT_SCHEMA)


def _table(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    columns = [list(values) for values in zip(*rows, strict=True)] or [[] for _ in schema]
    return pa.table([pa.array(values, kind.type) for values, kind in zip(columns, schema, strict=True)], schema=schema)


def replay(
    stored: Iterator[pa.RecordBatch], schema: pa.Schema, listing: pa.Table, events: pa.Table, quarantine: Quarantine
) -> Iterator[RawBatch]:
    """Yield the batches of a file and call the quarantine, as `sources.renaming.read_renamed` did.

    Args:
        stored: batches as `Keeper.batches` gave them, cut in any way.
        schema: of the batches.
        listing: in `BATCH_SCHEMA`.
        events: in `EVENT_SCHEMA`.
        quarantine: of the part that reads.

    """
    calls = iter(events.to_pylist())
    call = next(calls, None)
    left: list[pa.RecordBatch] = []
    for number in range(listing.num_rows + 1):
        while call is not None and call["batch"] == number:
            _call(quarantine, call)
            call = next(calls, None)
        if number == listing.num_rows:
            return
        rows, file = listing["rows"][number].as_py(), listing["file"][number].as_py()
        while sum(piece.num_rows for piece in left) < rows:
            left.append(next(stored))
        whole = pa.Table.from_batches(left, schema)
        records = whole[RECORD].slice(0, rows).combine_chunks()
        yield RawBatch(whole.slice(0, rows).drop_columns([RECORD]), file, records)
        left = whole.slice(rows).to_batches()


def _call(quarantine: Quarantine, call: dict[str, object]) -> None:
    count, unread = call["count"], call["bytes_not_read"]
    file, record, reason, text = str(call["file"]), call["record"], str(call["reason"]), str(call["excerpt"])
    assert isinstance(count, int)
    assert isinstance(record, int)
    if unread is None:
        quarantine.add(file, record, reason, text, count=count)
    else:
        assert isinstance(unread, int)
        quarantine.add_unreadable(file, text, unread, record=record, reason=reason, count=count)
