r"""Debian control data (deb822): paragraphs of ``Field: value``, the format of package and translation indexes.

A multi-line value keeps its lines; the leading space of each is removed, and a lone dot becomes an empty line. Record
numbers count the paragraphs. Field names are case-sensitive; a field that a paragraph lacks is null.
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
from sources.readers.cast import Casting
from sources.readers.sniff import BrokenStreamError, open_text

_CONTINUED = re.compile(rb"\n(?![ \t])")
_STRAY = re.compile(rb"\n(?![ \t]|[!-9;-~]+:)")
"""Start of a line that neither continues a value nor begins a field."""
_LONE_DOT = re.compile(rb"\n[ \t]\.(?=\n|$)")
_PIECE = 65_536
_FIELD_NAMES = re.compile(rb"(?m)^([!-9;-~]+):")


def read(path: Path, name: str, table: RawTable, casting: Casting, *, batch_rows: int = 65_536) -> Iterator[RawBatch]:
    """Read a deb822 file; see `sources.readers.read`.

    Raises:
        SchemaError: a declared field occurs nowhere in the file.

    """
    state = path.stat()
    version = (state.st_mtime_ns, state.st_size, state.st_ino)
    parsed = _parsed(path, name, version, tuple(table.fields), table.encoding)
    for number, reason, excerpt in parsed.bad:
        casting.quarantine.add(name, number, reason, excerpt)
    if parsed.broken is not None:
        why, left = parsed.broken
        record = len(parsed.records) + len(parsed.bad)
        casting.quarantine.add_unreadable(name, why, left, record=record, reason="truncated-file")
    casting.has_seen(parsed.names)
    for first in range(0, len(parsed.records), batch_rows):
        rows = parsed.columns.slice(first, batch_rows)
        yield casting.columns(rows, name, parsed.records[first : first + batch_rows])


@dataclass(frozen=True)
class _Parsed:
    columns: pa.Table
    """Declared fields, string; not validated as UTF-8."""
    records: np.ndarray
    bad: list[tuple[int, str, str]]
    names: set[str]
    """Declared fields that occur in paragraphs; all field names of the file if a declared field does not occur."""
    broken: tuple[str, int] | None
    """Why a compressed file ended early, and the bytes not read."""


@lru_cache(maxsize=3)
def _parsed(path: Path, name: str, _version: tuple[int, ...], fields: tuple[str, ...], encoding: str) -> _Parsed:
    """Parse a file; the last three results are cached, since the same indexes are read for many subsets."""
    bad: list[tuple[int, str, str]] = []
    data, broken = _content(path, name, encoding)
    if broken is not None:
        data = data[: data.rfind(b"\n\n") + 1]  # the last paragraph is incomplete
    values: dict[str, list[bytes | None]] = {field: [] for field in fields}
    wanted = [(f"\n{field}:".encode(), values[field]) for field in fields]
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
    names = {field for field, column in values.items() if any(value is not None for value in column)}
    if len(names) < len(values):
        names |= {key.decode() for key in _FIELD_NAMES.findall(data)}
    columns = {field: _texts(column) for field, column in values.items()}
    return _Parsed(pa.table(columns), np.asarray(records, np.int64), bad, names, broken)


def _texts(values: list[bytes | None]) -> pa.ChunkedArray:
    pieces = [pa.array(values[at : at + _PIECE], pa.binary()).view(pa.string()) for at in range(0, len(values), _PIECE)]
    return pa.chunked_array(pieces, pa.string())


def _content(path: Path, name: str, encoding: str) -> tuple[bytes, tuple[str, int] | None]:
    pieces, broken = [], None
    with open_text(path, name, encoding) as stream:
        try:
            while piece := stream.read(1 << 24):
                pieces.append(piece)
        except BrokenStreamError as error:
            broken = str(error), error.left
    data = b"".join(pieces)
    return data.replace(b"\r\n", b"\n") if b"\r\n" in data else data, broken


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
