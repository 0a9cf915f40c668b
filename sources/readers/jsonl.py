"""JSON lines: one object a line, blank lines passed over. Record numbers are line numbers, from zero.

Blocks of lines go through Arrow's parser; a block it refuses is read line by line, so that only the bad lines go.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json as pj

from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.quarantine import Quarantine
from sources.readers.conform import SIMPLE, conform, from_objects, require
from sources.readers.lines import blocks

_SAMPLED = 1000
_BLANK = (b"\n", b"\r", b" ", b"\t")
"""What a line without a record begins with. Arrow passes over such a line, and takes two objects on another for two."""


def read(
    path: Path, name: str, table: RawTable, quarantine: Quarantine, *, batch_rows: int = 65_536
) -> Iterator[RawBatch]:
    """Stream a JSON lines file; see `sources.readers.read`."""
    checked = False
    for first, lines, data in blocks(path, name, quarantine):
        columns = _parsed(data, lines, table)
        if columns is not None:
            if not checked and (columns.num_rows and any(c.null_count == len(c) for c in columns.columns)):
                require(_keys(data), table, name)
            checked = True
            records = np.arange(first, first + columns.num_rows, dtype=np.int64)
            for start in range(0, columns.num_rows, batch_rows):
                rows = columns.slice(start, batch_rows)
                yield conform(rows, name, records[start : start + batch_rows], table, quarantine)
            continue
        objects, numbers = _line_by_line(data, first, name, quarantine)
        if objects and not checked:
            require({key for item in objects for key in item}, table, name)
            checked = True
        for start in range(0, len(objects), batch_rows):
            stop = start + batch_rows
            yield from_objects(objects[start:stop], name, numbers[start:stop], table, quarantine)


def _parsed(data: bytes, lines: int, table: RawTable) -> pa.Table | None:
    """Parse a block with Arrow, or return null where the slow way is needed.

    That is: bad lines, blank lines (which would shift the record numbers), and nested fields, for which Arrow
    would have to infer types and takes some texts for timestamps.
    """
    blank = data[:1] in _BLANK or any(b"\n" + byte in data for byte in _BLANK)
    if blank or any(kind not in SIMPLE for kind in table.fields.values()):
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


def _keys(data: bytes) -> set[str]:
    """Return the field names in the first lines of a block that Arrow could parse."""
    return {key for line in data.split(b"\n", _SAMPLED)[:_SAMPLED] if line.strip() for key in json.loads(line)}


def _line_by_line(data: bytes, first: int, name: str, quarantine: Quarantine) -> tuple[list[dict[str, Any]], list[int]]:
    objects, numbers = [], []
    for number, line in enumerate(data.split(b"\n"), first):
        if not line.strip():
            continue
        try:
            item = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError:
            quarantine.add(name, number, "invalid-utf8", line)
        except (ValueError, RecursionError):
            quarantine.add(name, number, "invalid-json", line.decode("utf-8"))
        else:
            if isinstance(item, dict):
                objects.append(item)
                numbers.append(number)
            else:
                quarantine.add(name, number, "not-an-object", item)
    return objects, numbers
