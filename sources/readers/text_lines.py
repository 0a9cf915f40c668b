"""Plain text: one record per line, with the single field `text`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from open_ml_embed.core.errors import SchemaError
from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.readers.cast import Casting
from sources.readers.line_blocks import blocks


def read(path: Path, name: str, table: RawTable, casting: Casting, *, batch_rows: int = 65_536) -> Iterator[RawBatch]:
    """Stream the lines of a file; see `sources.readers.read`.

    Empty lines yield no record, but record numbers count them.

    Raises:
        SchemaError: the manifest declares other fields than `text`.

    """
    if dict(table.fields) != {"text": "string"}:
        raise SchemaError("a text file has one field, `text`", where=name, remedy="declare `fields: {text: string}`")
    casting.has_seen(["text"])
    for first, _, block in blocks(path, name, casting.quarantine, encoding=table.encoding):
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        for start in range(0, len(lines), batch_rows):
            yield from _batch(lines[start : start + batch_rows], first + start, name, casting)


def _batch(lines: list[bytes], first: int, name: str, casting: Casting) -> Iterator[RawBatch]:
    texts, numbers = [], []
    odd = False
    for number, line in enumerate(lines, first):
        try:
            text = line.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            casting.quarantine.add(name, number, "invalid-utf8", line[:200])
            casting.has_odd_bytes(line)
            odd = True
            continue
        if text:
            texts.append(text)
            numbers.append(number)
    if odd:
        casting.has_even_bytes(sum(not text.isascii() for text in texts))
    if texts:
        columns = pa.table({"text": pa.array(texts, pa.string())})
        yield RawBatch(columns, name, pa.array(np.array(numbers, np.int64)))
