r"""Debian control data (deb822): paragraphs of ``Field: value``, as package and translation indexes hold them.

A continued value keeps its lines: the leading space of each goes, and a lone dot becomes an empty line. Record
numbers count the paragraphs. Field names are matched as they are written; a field a paragraph lacks is null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.quarantine import Quarantine
from sources.readers.conform import conform, require
from sources.readers.opening import BrokenStreamError, open_binary

_CONTINUED = re.compile(rb"\n(?![ \t])")
_STRAY = re.compile(rb"\n(?![ \t]|[!-9;-~]+:)")
"""A line that neither continues a value nor starts a field."""
_LONE_DOT = re.compile(rb"\n[ \t]\.(?=\n|$)")
_FIELD_NAMES = re.compile(rb"(?m)^([!-9;-~]+):")


def read(
    path: Path, name: str, table: RawTable, quarantine: Quarantine, *, batch_rows: int = 65_536
) -> Iterator[RawBatch]:
    """Read a deb822 file; see `sources.readers.read`.

    Raises:
        SchemaError: a declared field occurs nowhere in the file.

    """
    data = _content(path, name, quarantine)
    found: dict[str, list[bytes | None]] = {field: [] for field in table.fields}
    wanted = [(f"\n{field}:".encode(), found[field]) for field in table.fields]
    records: list[int] = []
    number = 0
    for text in data.split(b"\n\n"):
        if not text.strip():
            continue
        paragraph = b"\n" + text.strip(b"\n")
        if _STRAY.search(paragraph):
            quarantine.add(name, number, "malformed-paragraph", text.decode("utf-8", "backslashreplace").strip())
        else:
            records.append(number)
            for key, column in wanted:
                start = paragraph.find(key)
                column.append(None if start < 0 else _value(paragraph, start + len(key)))
        number += 1
    if records and any(all(value is None for value in column) for column in found.values()):
        require({key.decode() for key in _FIELD_NAMES.findall(data)}, table, name)
    for first in range(0, len(records), batch_rows):
        rows = slice(first, first + batch_rows)
        # Not decoded here: `conform` finds the values that are no UTF-8 and quarantines their records.
        columns = {field: pa.array(column[rows], pa.binary()).view(pa.string()) for field, column in found.items()}
        yield conform(pa.table(columns), name, np.asarray(records[rows], np.int64), table, quarantine)


def _content(path: Path, name: str, quarantine: Quarantine) -> bytes:
    pieces = []
    with open_binary(path) as stream:
        try:
            while piece := stream.read(1 << 24):
                pieces.append(piece)
        except BrokenStreamError as error:
            quarantine.add(name, 0, "cut-short", str(error))
    return b"".join(pieces)


def _value(paragraph: bytes, start: int) -> bytes:
    end = paragraph.find(b"\n", start)
    if end < 0:
        return paragraph[start:].strip()
    if paragraph[end + 1 : end + 2] not in (b" ", b"\t"):
        return paragraph[start:end].strip()
    match = _CONTINUED.search(paragraph, start)
    value = paragraph[start : match.start() if match else len(paragraph)]
    value = _LONE_DOT.sub(b"\n ", value)
    return value.replace(b"\n ", b"\n").replace(b"\n\t", b"\n").strip()
