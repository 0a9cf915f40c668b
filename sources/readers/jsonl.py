"""JSON lines: one object per line; blank lines are skipped. Record numbers are zero-based line numbers.

Blocks of lines are parsed by Arrow. A block that Arrow refuses is read line by line, so that only its bad lines are
lost. A file that is one array, or whose objects span several lines, is read by `nested_json`.
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
_NEWLINE, _BRACE = b"\n{"
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
    """Return the path of the records if the file is other JSON than JSON lines, else None.

    Other JSON is an array of objects (unless the first line is a complete value and more lines follow), or objects that
    span several lines each.
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
        value = _value(first)
        if value is None:  # the array continues after the line, or after the bytes that were read
            return "item" if head[1:].strip() else None
        return None if rest.strip() or not any(isinstance(item, dict) for item in value[0]) else "item"
    if first[:1] != b"{" or not rest.strip() or _value(first) is not None:
        return None
    value = _value(head)
    if value is not None:
        return "" if value[1] > len(first.decode("utf-8", "surrogateescape")) else None
    # The first object is longer than the bytes that were read: then its second line begins with its first key.
    return "" if not whole and rest.lstrip()[:1] == b'"' else None


def _value(text: bytes) -> tuple[Any, int] | None:
    """Return the JSON value at the start of a text and its length in characters, or None."""
    try:
        return _DECODER.raw_decode(text.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None


def _parsed(data: bytes, lines: int, table: RawTable) -> pa.Table | None:
    """Parse a block with Arrow; return None if it must be read line by line.

    This is so for bad lines, for blank lines (which would shift the record numbers), and for nested fields (for which
    Arrow would infer types and takes some texts for timestamps). Arrow's parser must not get a line that is not an
    object: a `null` there crashes the process.
    """
    if any(kind not in SIMPLE for kind in table.fields.values()):
        return None
    if not _all_begin_objects(data, lines):
        return None
    schema = pa.schema([(field, SIMPLE[kind]) for field, kind in table.fields.items()])
    try:
        # Arrow's parser does not validate UTF-8, but its arrays do.
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


def _all_begin_objects(data: bytes, lines: int) -> bool:
    """Tell whether each of the lines of a block begins with a brace; faster than `bytes.count`."""
    content = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(content[:-1] == _NEWLINE)
    return len(newlines) == lines - 1 and data[:1] == b"{" and bool((content[newlines + 1] == _BRACE).all())


def _look_for_names(data: bytes, columns: pa.Table, casting: Casting, parser: Parser) -> None:
    """Record which declared fields occur in a block that Arrow parsed; a field with only nulls may occur too."""
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
    """Yield the keys of the object on each line; lines that do not parse are skipped."""
    for line in lines:
        try:
            item = parser.parse(line.decode())
        except (ValueError, RecursionError):  # an empty line, or numbers that only Arrow accepts
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
