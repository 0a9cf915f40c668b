"""Nested JSON: streams the records at `record_path`. Record numbers count them in document order.

The bytes are cut into records (`json_scan`) before they are parsed. After a damaged record, reading resumes at the next
position that begins like the previous records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from open_ml_embed.core.errors import SchemaError
from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.readers.cast import Casting
from sources.readers.json_scan import DAMAGE, RECORD, Scanner
from sources.readers.json_values import Parser
from sources.readers.sniff import BrokenStreamError, open_text

_BATCH = 4096
"""Most records of a batch; nested records are large (an article with all its questions)."""
_BATCH_BYTES = 8 << 20
BLOCK_BYTES = 1 << 20
MAX_RECORD_BYTES = 64 << 20
"""Longest record; longer ones are quarantined as damage."""
_FIRST_KEY = re.compile(rb'\{\s*"((?:[^"\\]|\\.)*)"\s*:')
_KEYS = 32
_WATCHED = 200
_CONTEXT = 4096
"""Bytes to keep before the position of the scan, for the indentation of a record."""


def read(path: Path, name: str, table: RawTable, casting: Casting, *, batch_rows: int = 65_536) -> Iterator[RawBatch]:
    """Stream a JSON document; see `sources.readers.read`.

    Raises:
        SchemaError: the document is valid but has no records at `record_path`.

    """
    yield from records_at(table.record_path, path, name, table, casting, batch_rows=batch_rows)


def records_at(
    record_path: str, path: Path, name: str, table: RawTable, casting: Casting, *, batch_rows: int
) -> Iterator[RawBatch]:
    """Stream the records at a path of a document; with an empty path, the file's concatenated values."""
    objects: list[dict[str, Any]] = []
    numbers: list[int] = []
    size = 0
    with open_text(path, name, table.encoding) as stream:
        records = _Records(stream, record_path, name, casting)
        for number, item, length in records:
            objects.append(item)
            numbers.append(number)
            size += length
            if len(objects) >= min(batch_rows, _BATCH) or size >= _BATCH_BYTES:
                yield casting.objects(objects, name, numbers)
                objects, numbers, size = [], [], 0
    if objects:
        yield casting.objects(objects, name, numbers)
    if records.count == 0 and not records.damaged:
        raise SchemaError(f"no records at {record_path!r}", where=name, remedy="correct `record_path` in the manifest")


class _Records:
    """Iterates over (number, object, length in bytes) of the valid records, and quarantines the others.

    Attributes:
        count: number of records so far, bad ones included.
        damaged: whether a part of the document was not readable.

    """

    def __init__(self, stream: BinaryIO, record_path: str, name: str, casting: Casting) -> None:
        self._stream, self._name, self._casting = stream, name, casting
        self._scanner = Scanner(record_path)
        self._parser = Parser()
        self._starts = _Starts(record_path)
        self._data = b""
        self._final = False
        self._broken: BrokenStreamError | None = None
        self._held: tuple[int, int] | None = None
        """(start, end) of a record that is not confirmed yet by the syntax after it."""
        self.count = 0
        self.damaged = False

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any], int]]:
        going = True
        while going:
            events = self._scanner.scan(np.frombuffer(self._data, np.uint8), final=self._final)
            yield from self._sound(events.tolist())
            if self._scanner.moved or self._scanner.is_full:
                continue
            if self._held is not None and (self._final or self._is_too_long()):
                sound = self._confirmed()
                if sound is not None:
                    yield sound
            if not self._scanner.moved:
                going = self._read_on()
        if self._broken is not None:
            self.damaged = True
            self._casting.quarantine.add_unreadable(
                self._name, str(self._broken), self._broken.left, reason="truncated-file", record=self.count, count=0
            )

    def _sound(self, events: list[list[int]]) -> Iterator[tuple[int, dict[str, Any], int]]:
        """Yield the records that events confirm; after the scan has moved, the remaining events are ignored."""
        for kind, start, end in events:
            if kind == DAMAGE:
                begin = self._held[0] if self._held else start
                self._held = None
                self._pass_over(begin, "invalid-json")
                return
            if self._held is not None:
                sound = self._confirmed()
                if sound is not None:
                    yield sound
                elif self._scanner.moved:
                    return
            self._held = (start, end) if kind == RECORD else None

    def _confirmed(self) -> tuple[int, dict[str, Any], int] | None:
        """Return the held record if it is valid; if not, resume at the next record that begins within it."""
        assert self._held is not None
        (start, end), self._held = self._held, None
        data = self._data[start:end]
        reason = ""
        try:
            item = self._parser.parse(data.decode())
        except UnicodeDecodeError:
            reason = "invalid-utf8"
            self._casting.has_odd_bytes(data)
            try:
                self._parser.parse(data.decode("utf-8", "replace"))
            except (ValueError, RecursionError):
                reason = "invalid-json"
        except (ValueError, RecursionError):
            reason = "invalid-json"
        else:
            if not isinstance(item, dict):
                reason = "not-an-object"
            elif self._parser.repeated and self._parser.repeated & self._casting.table.fields.keys():
                reason = "duplicate-key"
            else:
                self._starts.learn(self._data, start)
                self.count += 1
                return self.count - 1, item, end - start
        if reason == "invalid-json":
            self._starts.guess(self._data, start)
            after = self._starts.find(self._data, start + 1, end)
            if after is not None:
                self._scanner.resume(after)
        self._refuse(data, reason)
        return None

    def _begin(self) -> int:
        """Return the start of the current record, or the current position outside of records."""
        return self._scanner.inside if self._scanner.inside >= 0 else self._scanner.at

    def _is_too_long(self) -> bool:
        return len(self._data) - self._begin() > MAX_RECORD_BYTES

    def _refuse(self, data: bytes, reason: str) -> None:
        self._casting.quarantine.add(self._name, self.count, reason, data[:200].decode("utf-8", "backslashreplace"))
        self.count += 1

    def _read_on(self) -> bool:
        """Refill the buffer and drop its processed part; skip a record that is too long; return false at the end."""
        if self._final:
            return self._recovered_at_end()
        if self._is_too_long():
            self._pass_over(self._begin(), "oversized-record")
        else:
            self._let_go(self._held[0] if self._held else self._begin())
            self._fill(max(BLOCK_BYTES, len(self._data)))
        return True

    def _let_go(self, count: int) -> None:
        count = max(count - _CONTEXT, 0)
        self._data = self._data[count:]
        self._scanner.drop(count)
        if self._held:
            self._held = (self._held[0] - count, self._held[1] - count)

    def _fill(self, size: int) -> None:
        try:
            data = self._stream.read(size)
        except BrokenStreamError as error:
            data, self._broken = b"", error
        self._final = not data
        self._data += data

    def _pass_over(self, begin: int, reason: str) -> None:
        """Quarantine the data from `begin` on as one record, and resume at the next record."""
        self.damaged = True
        self._starts.guess(self._data, begin)
        self._refuse(self._data[begin : begin + 200], reason)
        lost, at = len(self._data) - begin, begin + 1
        while (after := self._starts.find(self._data, at, len(self._data))) is None:
            if self._final:
                self._casting.quarantine.add_unreadable(
                    self._name, "no JSON from some place on; mend or replace the file", lost, count=0
                )
                self._scanner.resume(len(self._data))
                return
            cut = max(len(self._data) - _CONTEXT, 0)
            self._data, at = self._data[cut:], max(at - cut, 0)
            before = len(self._data)
            self._fill(BLOCK_BYTES)
            lost += len(self._data) - before
        self._scanner.resume(after)

    def _recovered_at_end(self) -> bool:
        """Handle the rest at the end of the document; return true if it contains another record."""
        begin = self._begin()
        if begin < len(self._data) and self._data[begin:].strip():
            self._pass_over(begin, "invalid-json")
            return self._scanner.at < len(self._data)
        if self._scanner.depth > 0:
            self.damaged = True
            if self._broken is None:
                self._casting.quarantine.add_unreadable(
                    self._name, "the document ends before its end: it was cut", 0, record=self.count, count=0
                )
        return False


class _Starts:
    """Pattern of the start of records, learned from valid ones: first key, and indentation on the line.

    Where each record begins a line, the first one of a list may stand on the line of the list's key all the same
    (`"rows": [{"id": 1},`).
    """

    def __init__(self, record_path: str) -> None:
        steps = record_path.split(".") if record_path else []
        self._in_object = bool(steps) and steps[-1] != "item"
        self._opening: re.Pattern[bytes] | None = None
        """Matches the text before the first record of a list, if the list has a key."""
        if len(steps) > 1 and steps[-1] == "item" and steps[-2] != "item":
            self._opening = re.compile(rb'"%s"\s*:\s*\[\s*\Z' % re.escape(steps[-2].encode()))
        self._keys: dict[bytes, None] = {}
        self._latest = b"\0"
        """First bytes of the latest record."""
        self._indents: set[bytes] = set()
        self._own_lines = True
        self._met = 0
        self._pattern = _FIRST_KEY

    def learn(self, data: bytes, start: int) -> None:
        """Learn from the start of a valid record."""
        if not data.startswith(self._latest, start):
            match = _FIRST_KEY.match(data, start)
            self._latest = match[0] if match else self._latest
            if match and match[1] not in self._keys and len(self._keys) < _KEYS:
                self._keys[match[1]] = None
                self._compile(self._keys)
        self._met += 1
        if self._own_lines and 1 < self._met < _WATCHED:
            line = data.rfind(b"\n", max(start - _CONTEXT, 0), start) + 1
            indent = data[line:start]
            if self._opening and self._opening.search(indent):
                return
            self._own_lines = line > 0 and not indent.strip()
            self._indents.add(indent)

    def guess(self, data: bytes, start: int) -> None:
        """Use the first key of a bad record, if there was no valid record before."""
        if not self._keys and (match := _FIRST_KEY.match(data, start)):
            self._compile({match[1]: None})

    def _compile(self, keys: dict[bytes, None]) -> None:
        self._pattern = re.compile(rb'\{\s*"(?:%s)"\s*:' % b"|".join(map(re.escape, keys)))

    def find(self, data: bytes, start: int, end: int) -> int | None:
        """Return the position of the first start of a record in `data[start:end]`, or None."""
        for match in self._pattern.finditer(data, start, end):
            at = match.start()
            line = data.rfind(b"\n", max(at - _CONTEXT, 0), at) + 1
            before = data[line:at]
            if self._own_lines and self._indents:
                if before in self._indents or (self._opening and self._opening.search(before)):
                    return at
                continue
            last = before.rstrip()[-1:]
            if (last == b":") == self._in_object and (self._keys or last in (b"", b",", b"[", b"}")):
                return at
        return None
