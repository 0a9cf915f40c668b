"""Nested JSON: the records below `record_path`, streamed. Record numbers count them in document order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ijson

from sources.errors import SchemaError
from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.quarantine import Quarantine
from sources.readers.conform import from_objects, require
from sources.readers.opening import BrokenStreamError, open_binary

_BATCH = 4096
"""Most records a batch: nested records are large (an article with all its questions)."""


def read(
    path: Path, name: str, table: RawTable, quarantine: Quarantine, *, batch_rows: int = 65_536
) -> Iterator[RawBatch]:
    """Stream a JSON document; see `sources.readers.read`.

    A document that ends early or is damaged gives the records before that point and one quarantined record.

    Raises:
        SchemaError: the document is sound but has nothing at `record_path`.

    """
    objects: list[dict[str, Any]] = []
    numbers: list[int] = []
    checked, broken, count = False, False, 0
    for item in _items(path, name, table, quarantine):
        if item is _BROKEN:
            broken = True
        elif isinstance(item, dict):
            objects.append(item)
            numbers.append(count)
        else:
            quarantine.add(name, count, "not-an-object", item)
        count += 1
        if len(objects) >= min(batch_rows, _BATCH):
            if not checked:
                require({key for found in objects for key in found}, table, name)
                checked = True
            yield from_objects(objects, name, numbers, table, quarantine)
            objects, numbers = [], []
    if objects:
        if not checked:
            require({key for found in objects for key in found}, table, name)
        yield from_objects(objects, name, numbers, table, quarantine)
    if count == 0 and not broken:
        raise SchemaError(
            f"no records at {table.record_path!r}", where=name, remedy="correct `record_path` in the manifest"
        )


_BROKEN = object()


def _items(path: Path, name: str, table: RawTable, quarantine: Quarantine) -> Iterator[object]:
    count = 0
    with open_binary(path) as stream:
        try:
            for item in ijson.items(stream, table.record_path, use_float=True):
                yield item
                count += 1
        except (ijson.JSONError, BrokenStreamError, UnicodeDecodeError) as error:
            quarantine.add(name, count, "invalid-json", str(error))
            yield _BROKEN
