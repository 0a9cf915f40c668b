"""One JSON object of texts by key, as message catalogues are: every pair is a record with `key` and `value`.

Keys that start with ``@`` describe the file and are no records. Record numbers count the others in file order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.quarantine import Quarantine
from sources.readers.conform import from_objects, require
from sources.readers.opening import BrokenStreamError, open_binary


def read(
    path: Path, name: str, table: RawTable, quarantine: Quarantine, *, batch_rows: int = 65_536
) -> Iterator[RawBatch]:
    """Read a JSON object of texts; see `sources.readers.read`.

    Raises:
        SchemaError: the manifest declares other fields than `key` and `value`.

    """
    require({"key", "value"}, table, name)
    try:
        with open_binary(path) as stream:
            content = json.loads(stream.read().decode("utf-8-sig"))
    except (BrokenStreamError, ValueError, RecursionError) as error:
        quarantine.add(name, 0, "invalid-json", str(error))
        return
    if not isinstance(content, dict):
        quarantine.add(name, 0, "not-an-object", content)
        return
    objects, records = [], []
    for number, (key, value) in enumerate(item for item in content.items() if not item[0].startswith("@")):
        if isinstance(value, str):
            objects.append({"key": key, "value": value})
            records.append(number)
        else:
            quarantine.add(name, number, "wrong-type", {key: value})
    for first in range(0, len(objects), batch_rows):
        rows = slice(first, first + batch_rows)
        yield from_objects(objects[rows], name, records[rows], table, quarantine)
