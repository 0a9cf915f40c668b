"""Columns that revisions and copies of a dataset call differently: whichever name a file has is read as the field."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

from sources.errors import SchemaError
from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.quarantine import Quarantine
from sources.readers import read

_LOG = logging.getLogger(__name__)


def read_renamed(path: str | Path, name: str, table: RawTable, quarantine: Quarantine) -> Iterator[RawBatch]:
    """Stream the records of a raw file (`sources.readers.read`), its columns named as the fields.

    Where a field is met under one of its `other_names`, the log says so.

    Raises:
        SchemaError: a field is there under none of its names; the message is about the names of `fields`.

    """
    if not table.other_names:
        yield from read(path, name, table, quarantine)
        return
    found = _found(path, name, table)
    for field, column in found.items():
        if field != column:
            _LOG.info("%s: column %r is read as %r", name, column, field)
    for batch in read(path, name, _with(table, found), quarantine):
        yield RawBatch(batch.columns.rename_columns(list(table.fields)), batch.file, batch.records)


def _with(table: RawTable, columns: dict[str, str]) -> RawTable:
    fields = {columns.get(field, field): kind for field, kind in table.fields.items()}
    return table.model_copy(update={"fields": fields, "other_names": {}})


def _found(path: str | Path, name: str, table: RawTable) -> dict[str, str]:
    """Return field → column, for the fields with several names: the first combination that the file has.

    A reader does not judge a schema by the first records, where a column may be absent or null: a combination counts
    where each of its columns has a value there; where none does, the first that can be read.
    """
    names = [[field, *others] for field, others in table.other_names.items()]
    refused: SchemaError | None = None
    readable: dict[str, str] | None = None
    for columns in itertools.product(*names):
        chosen = dict(zip(table.other_names, columns, strict=True))
        try:
            batch = next(read(path, name, _with(table, chosen), Quarantine("", "")), None)
        except SchemaError as error:
            refused = refused or error
        else:
            readable = readable or chosen
            if batch is not None and all(batch.columns[c].null_count < len(batch.columns) for c in columns):
                return chosen
    if readable is not None:
        return readable
    assert refused is not None, "there is at least one combination"
    raise refused
