"""Readers: raw file → batches of the declared fields with their record numbers, one module a format."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.quarantine import Quarantine
from sources.readers.archives import is_archive, members

_FORMATS = {
    "parquet": "sources.readers.parquet",
    "jsonl": "sources.readers.jsonl",
    "csv": "sources.readers.delimited",
    "tsv": "sources.readers.delimited",
    "json": "sources.readers.nested_json",
    "deb822": "sources.readers.deb822",
    "python": "sources.readers.python_source",
    "json-map": "sources.readers.json_map",
    "text": "sources.readers.text_lines",
    "tmx": "sources.readers.tmx",
}
"""Format → module with `read(path, name, table, quarantine, *, batch_rows)`; imported when a file needs it."""


def read(
    path: str | Path, name: str, table: RawTable, quarantine: Quarantine, *, batch_rows: int = 65_536
) -> Iterator[RawBatch]:
    """Stream the records of one raw file.

    Compressed files (gzip, bzip2, xz) are read as what they hold. Where the table declares `members`, the file is
    an archive: its matching members are read in its order, each counting its records from zero, under the file
    name ``archive.zip!member``.

    Args:
        path: where the file lies here.
        name: what the origin calls it; batches and quarantined records carry it.
        table: format and declared fields.
        quarantine: takes what cannot be read.
        batch_rows: most records a batch.

    Yields:
        Batches with exactly the declared fields as columns, in their declared types.

    Raises:
        SchemaError: a declared field is missing, or its type cannot become the declared one.

    """
    module = import_module(_FORMATS[table.format])
    if table.members is not None or is_archive(path):
        for member_name, member_path in members(Path(path), name, table.members, quarantine):
            yield from module.read(member_path, member_name, table, quarantine, batch_rows=batch_rows)
    else:
        yield from module.read(Path(path), name, table, quarantine, batch_rows=batch_rows)
