"""Readers: stream a raw file as batches of the declared fields with record numbers; one module per format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.formats import READERS, TEXT
from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.quarantine import Quarantine
from sources.readers.archives import is_archive, members, unpacked
from sources.readers.cast import Casting
from sources.readers.recognize import not_the_data
from sources.readers.sniff import head_of


def read(
    path: str | Path, name: str, table: RawTable, quarantine: Quarantine, *, batch_rows: int = 65_536
) -> Iterator[RawBatch]:
    """Stream the records of one raw file.

    Compressed files (gzip, bzip2, xz, zstd, LZ4; Brotli by its file extension) are decompressed. Of an archive, the
    members that match `members` are read in the archive's order. Each member numbers its records from zero and has the
    file name ``archive.zip!member``.

    Args:
        path: local path of the file.
        name: name of the file at its origin; stored in batches and quarantined records.
        table: format and declared fields.
        quarantine: receives the records that cannot be read.
        batch_rows: most records of a batch.

    Yields:
        Batches with exactly the declared fields as columns, in their declared types.

    Raises:
        SchemaError: a declared field is missing, or its type cannot be cast to the declared one. Formats that do not
            state their schema raise it at the end of the file.

    """
    casting = Casting(name, table, quarantine)
    for member_name, member_path in _files(Path(path), name, table, quarantine):
        yield from _read(member_path, member_name, table, casting, batch_rows)
    casting.finish()


def _files(path: Path, name: str, table: RawTable, quarantine: Quarantine) -> Iterator[tuple[str, Path]]:
    if table.members is not None or is_archive(path, name):
        yield from members(path, name, table.members, quarantine)
    elif table.format == "parquet":
        with unpacked(path, name, quarantine) as plain:
            if plain is not None:
                yield name, plain
    else:
        yield name, path


def _read(path: Path, name: str, table: RawTable, casting: Casting, batch_rows: int) -> Iterator[RawBatch]:
    if table.format in TEXT and (why := not_the_data(head_of(path, name), table.encoding)):
        casting.quarantine.add_unreadable(name, why, path.stat().st_size)
        return
    yield from READERS.get(table.format)(path, name, table, casting, batch_rows=batch_rows)
