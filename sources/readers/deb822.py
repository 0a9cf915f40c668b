r"""Debian control data (deb822): paragraphs of ``Field: value``, the format of package and translation indexes.

A multi-line value keeps its lines; the leading space of each is removed, and a lone dot becomes an empty line. Record
numbers count the paragraphs. Field names are case-sensitive; a field that a paragraph lacks is null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.readers.cast import Casting
from sources.readers.sniff import BrokenStreamError, open_text

BLOCK_BYTES = 4 << 20
MAX_PARAGRAPH_BYTES = 64 << 20
"""Longest paragraph; longer ones are quarantined, since they are damage, and are not held in memory."""
_CONTINUED = re.compile(rb"\n(?![ \t])")
_STRAY = re.compile(rb"\n(?![ \t]|[!-9;-~]+:)")
"""Start of a line that neither continues a value nor begins a field."""
_LONE_DOT = re.compile(rb"\n[ \t]\.(?=\n|$)")
_FIELD_NAMES = re.compile(rb"(?m)^([!-9;-~]+):")


def read(path: Path, name: str, table: RawTable, casting: Casting, *, batch_rows: int = 65_536) -> Iterator[RawBatch]:
    """Read a deb822 file; see `sources.readers.read`.

    Raises:
        SchemaError: a declared field occurs nowhere in the file.

    """
    number = 0
    with open_text(path, name, table.encoding) as stream:
        blocks = _blocks(stream)
        while True:
            try:
                found = next(blocks, None)
            except BrokenStreamError as error:  # the last paragraph is incomplete
                casting.quarantine.add_unreadable(name, str(error), error.left, record=number, reason="truncated-file")
                return
            if found is None:
                return
            block, is_whole = found
            if not is_whole:
                casting.quarantine.add(
                    name, number, "oversized-record", block[:200].decode("utf-8", "backslashreplace")
                )
                number += 1
                continue
            columns, records, number = _parsed(block, number, name, table, casting)
            for first in range(0, len(records), batch_rows):
                yield casting.columns(
                    columns.slice(first, batch_rows), name, np.asarray(records[first : first + batch_rows], np.int64)
                )


def _blocks(stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Yield the file in blocks of whole paragraphs, each with true; or the head of a paragraph too long, with false.

    Raises:
        BrokenStreamError: the file is compressed and damaged or cut; the paragraphs before have been yielded.

    """
    carry, skipping = b"", False
    while piece := stream.read(BLOCK_BYTES):
        data = carry + piece
        held = b"\r" if data.endswith(b"\r") else b""  # its line feed may be in the next piece
        data = data[: len(data) - len(held)].replace(b"\r\n", b"\n")
        end = data.rfind(b"\n\n")
        if skipping and end >= 0:
            begin = data.index(b"\n\n")
            data, end, skipping = data[begin:], end - begin, False
        if end >= 0:
            yield data[:end], True
            carry = data[end:].lstrip(b"\n") + held
        elif skipping:
            carry = data[-1:] + held
        elif len(data) > MAX_PARAGRAPH_BYTES:
            yield data, False
            carry, skipping = data[-1:] + held, True
        else:
            carry = data + held
    if not skipping:
        yield carry, True


def _parsed(block: bytes, number: int, name: str, table: RawTable, casting: Casting) -> tuple[pa.Table, list[int], int]:
    """Parse whole paragraphs, and quarantine the malformed.

    Returns:
        The declared fields (string, not validated as UTF-8), the number of each row's paragraph, and the number of the
        paragraph after the last.

    """
    values: dict[str, list[bytes | None]] = {field: [] for field in table.fields}
    wanted = [(f"\n{field}:".encode(), column) for field, column in values.items()]
    records: list[int] = []
    for text in block.split(b"\n\n"):
        if not text.strip():
            continue
        paragraph = b"\n" + text.strip(b"\n")
        if _STRAY.search(paragraph) or paragraph[1:2] in b" \t":
            excerpt = text.decode("utf-8", "backslashreplace").strip()
            casting.quarantine.add(name, number, "malformed-paragraph", excerpt)
        else:
            records.append(number)
            for key, column in wanted:
                start = paragraph.find(key)
                column.append(None if start < 0 else _value(paragraph, start + len(key)))
        number += 1
    casting.has_seen(field for field, column in values.items() if any(value is not None for value in column))
    if casting.lacking:
        casting.has_seen(key.decode() for key in _FIELD_NAMES.findall(block))
    columns = {field: pa.array(column, pa.binary()).view(pa.string()) for field, column in values.items()}
    return pa.table(columns), records, number


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
