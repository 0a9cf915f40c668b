r"""Debian control data (deb822): paragraphs of ``Field: value``, as package and translation indexes hold them.

A continued value keeps its lines: the leading space of each goes, and a lone dot becomes an empty line. Record
numbers count the paragraphs. Field names are matched as they are written; a field a paragraph lacks is null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
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
    state = path.stat()
    parsed = _parsed(path, (state.st_mtime_ns, state.st_size, state.st_ino), tuple(table.fields))
    for number, reason, excerpt in parsed.bad:
        quarantine.add(name, number, reason, excerpt)
    if parsed.names:
        require(parsed.names, table, name)
    for first in range(0, len(parsed.records), batch_rows):
        rows = parsed.columns.slice(first, batch_rows)
        yield conform(rows, name, parsed.records[first : first + batch_rows], table, quarantine)


@dataclass(frozen=True)
class _Parsed:
    columns: pa.Table
    """Declared fields, string, not yet known to be valid UTF-8."""
    records: np.ndarray
    bad: list[tuple[int, str, str]]
    names: set[str]
    """The file's field names, where a declared one is not among them."""


@lru_cache(maxsize=3)
def _parsed(path: Path, _version: tuple[int, ...], fields: tuple[str, ...]) -> _Parsed:
    """Parse a file; the last ones are kept, for an archive's indexes are read anew for each of many languages."""
    bad: list[tuple[int, str, str]] = []
    data = _content(path, bad)
    found: dict[str, list[bytes | None]] = {field: [] for field in fields}
    wanted = [(f"\n{field}:".encode(), found[field]) for field in fields]
    records: list[int] = []
    number = 0
    for text in data.split(b"\n\n"):
        if not text.strip():
            continue
        paragraph = b"\n" + text.strip(b"\n")
        if _STRAY.search(paragraph) or paragraph[1:2] in b" \t":
            bad.append((number, "malformed-paragraph", text.decode("utf-8", "backslashreplace").strip()))
        else:
            records.append(number)
            for key, column in wanted:
                start = paragraph.find(key)
                column.append(None if start < 0 else _value(paragraph, start + len(key)))
        number += 1
    lacking = records and any(all(value is None for value in column) for column in found.values())
    names = {key.decode() for key in _FIELD_NAMES.findall(data)} if lacking else set()
    columns = {field: pa.array(column, pa.binary()).view(pa.string()) for field, column in found.items()}
    return _Parsed(pa.table(columns), np.asarray(records, np.int64), bad, names)


def _content(path: Path, bad: list[tuple[int, str, str]]) -> bytes:
    pieces = []
    with open_binary(path) as stream:
        try:
            while piece := stream.read(1 << 24):
                pieces.append(piece)
        except BrokenStreamError as error:
            bad.append((0, "cut-short", str(error)))
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
