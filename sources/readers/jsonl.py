"""JSON lines: one object a line, blank lines passed over. Record numbers are line numbers, from zero.

Blocks of lines go through Arrow's parser; a block it refuses is read line by line, so that only the bad lines go.
A file that is one array, or objects over several lines each, is read as such (`nested_json`).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json as pj

from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.readers.cast import SIMPLE, Casting
from sources.readers.json_values import Parser
from sources.readers.line_blocks import blocks
from sources.readers.nested_json import records_at
from sources.readers.sniff import BrokenStreamError, open_text

_PEEKED = 1 << 20
_SAMPLED = 100
_DECODER = json.JSONDecoder(strict=False)


def read(path: Path, name: str, table: RawTable, casting: Casting, *, batch_rows: int = 65_536) -> Iterator[RawBatch]:
    """Stream a JSON lines file; see `sources.readers.read`."""
    record_path = _not_by_line(path, name, table)
    if record_path is not None:
        yield from records_at(record_path, path, name, table, casting, batch_rows=batch_rows)
        return
    parser = Parser()
    for first, lines, data in blocks(path, name, casting.quarantine, encoding=table.encoding):
        columns = _parsed(data, lines, table)
        if columns is not None:
            _look_for_names(data, columns, casting, parser)
            records = np.arange(first, first + columns.num_rows, dtype=np.int64)
            for start in range(0, columns.num_rows, batch_rows):
                rows = columns.slice(start, batch_rows)
                yield casting.columns(rows, name, records[start : start + batch_rows])
            continue
        objects, numbers = _line_by_line(data, first, name, casting, parser)
        for start in range(0, len(objects), batch_rows):
            stop = start + batch_rows
            yield casting.objects(objects[start:stop], name, numbers[start:stop])


def _not_by_line(path: Path, name: str, table: RawTable) -> str | None:
    """Return the path of the records in a file that is no JSON lines but other JSON; null: it is JSON lines.

    That is an array of objects, unless lines after the first say that each is a value of its own; or objects that go
    over several lines each.
    """
    with open_text(path, name, table.encoding) as stream:
        try:
            head = stream.read(_PEEKED)
        except BrokenStreamError:
            return None
    whole = len(head) < _PEEKED
    head = head.lstrip()
    first, _, rest = head.partition(b"\n")
    if first[:1] == b"[":
        found = _value(first)
        if found is None:  # it goes on behind the line, or behind what was looked at
            return "item" if head[1:].strip() else None
        return None if rest.strip() or not any(isinstance(item, dict) for item in found[0]) else "item"
    if first[:1] != b"{" or not rest.strip() or _value(first) is not None:
        return None
    found = _value(head)
    if found is not None:
        return "" if found[1] > len(first.decode("utf-8", "surrogateescape")) else None
    # A first object beyond what was looked at: its second line has its first key.
    return "" if not whole and rest.lstrip()[:1] == b'"' else None


def _value(text: bytes) -> tuple[Any, int] | None:
    """Return the JSON value that a text begins with, and the characters it has; null: it has none."""
    try:
        return _DECODER.raw_decode(text.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None


def _parsed(data: bytes, lines: int, table: RawTable) -> pa.Table | None:
    """Parse a block with Arrow, or return null where the slow way is needed.

    That is: bad lines, blank lines (which would shift the record numbers), and nested fields, for which Arrow
    would have to infer types and takes some texts for timestamps. Arrow's parser must not see a value that is no
    object where a record begins: of a `null` there it ends the process.
    """
    if any(kind not in SIMPLE for kind in table.fields.values()):
        return None
    if data[:1] != b"{" or data.count(b"\n{") != lines - 1:
        return None
    schema = pa.schema([(field, SIMPLE[kind]) for field, kind in table.fields.items()])
    try:
        # Arrow's parser does not look at UTF-8, its arrays do.
        offsets = pa.py_buffer(np.array([0, len(data)], np.int32))
        pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data)).validate(full=True)
        columns = pj.read_json(
            pa.BufferReader(data),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return columns if columns.num_rows == lines else None


def _look_for_names(data: bytes, columns: pa.Table, casting: Casting, parser: Parser) -> None:
    """Tell which declared fields a block that Arrow could parse has; one that is all null may still be there."""
    if not casting.lacking:
        return
    casting.has_seen([name for name in casting.lacking if columns[name].null_count < columns.num_rows])
    if not casting.lacking:
        return
    casting.has_seen(itertools.chain.from_iterable(_keys(data.split(b"\n", _SAMPLED)[:_SAMPLED], parser)))
    for name in list(casting.lacking):
        for mark in {f'"{name}"'.encode(), json.dumps(name).encode()}:
            lines = itertools.islice(_lines_with(data, mark), 10 * _SAMPLED)
            if any(name in keys for keys in _keys(lines, parser)):
                casting.has_seen([name])


def _keys(lines: Iterable[bytes], parser: Parser) -> Iterator[set[str]]:
    """Yield the keys of the objects on some lines."""
    for line in lines:
        try:
            item = parser.parse(line.decode())
        except (ValueError, RecursionError):  # an empty line, or numbers that Arrow alone knows
            continue
        if isinstance(item, dict):
            yield set(item)


def _lines_with(data: bytes, mark: bytes) -> Iterator[bytes]:
    at = data.find(mark)
    while at >= 0:
        start = data.rfind(b"\n", 0, at) + 1
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        yield data[start:end]
        at = data.find(mark, end)


def _line_by_line(
    data: bytes, first: int, name: str, casting: Casting, parser: Parser
) -> tuple[list[dict[str, Any]], list[int]]:
    objects, numbers, beyond = [], [], 0
    quarantine, declared = casting.quarantine, casting.table.fields.keys()
    for number, line in enumerate(data.split(b"\n"), first):
        if not line.strip():
            continue
        try:
            item = parser.parse(line.decode("utf-8"))
        except UnicodeDecodeError:
            quarantine.add(name, number, "invalid-utf8", line)
            casting.has_odd_bytes(line)
            continue
        except (ValueError, RecursionError):
            quarantine.add(name, number, "invalid-json", line.decode("utf-8"))
            continue
        beyond += not line.isascii()
        if not isinstance(item, dict):
            quarantine.add(name, number, "not-an-object", item)
        elif parser.repeated & declared:
            quarantine.add(name, number, "duplicate-key", line.decode("utf-8"))
        else:
            objects.append(item)
            numbers.append(number)
    casting.has_even_bytes(beyond)
    return objects, numbers
