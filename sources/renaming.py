"""Columns that revisions and copies of a dataset call differently: whichever name a file has is read as the field."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

from open_ml_embed.core.errors import SchemaError
from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.quarantine import Quarantine
from sources.readers import read

_STATES_COLUMNS = ("parquet", "csv", "tsv")
"""Formats that are refused at once where a column is missing; of others the end of the file tells."""
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
    found = columns_of(path, name, table)
    for field, column in found.items():
        if field != column:
            _LOG.info("%s: column %r is read as %r", name, column, field)
    for batch in read(path, name, under_names(table, found), quarantine):
        yield RawBatch(batch.columns.rename_columns(list(table.fields)), batch.file, batch.records)


def under_names(table: RawTable, columns: dict[str, str]) -> RawTable:
    """Return a table whose fields are called as the columns that they are read from."""
    fields = {columns.get(field, field): kind for field, kind in table.fields.items()}
    return table.model_copy(update={"fields": fields, "other_names": {}})


def columns_of(path: str | Path, name: str, table: RawTable) -> dict[str, str]:
    """Return field → column, for the fields with several names: the first combination that the file has.

    Raises:
        SchemaError: it has none; the message is about the names of `fields`.

    """
    if table.format not in _STATES_COLUMNS:
        return _met(path, name, table)
    names = [[field, *others] for field, others in table.other_names.items()]
    refused: SchemaError | None = None
    for columns in itertools.product(*names):
        chosen = dict(zip(table.other_names, columns, strict=True))
        try:
            next(read(path, name, under_names(table, chosen), Quarantine("", "")), None)
        except SchemaError as error:
            refused = refused or error
        else:
            return chosen
    assert refused is not None, "there is at least one combination"
    raise refused


def _met(path: str | Path, name: str, table: RawTable) -> dict[str, str]:
    """Return field → column by the values of the first records; a field that has none keeps its name."""
    names = {field: [field, *others] for field, others in table.other_names.items()}
    every = {column: "any" for columns in names.values() for column in columns}
    looked_for = RawTable.model_validate(table.model_dump() | {"fields": every, "other_names": {}})
    try:
        first = next(read(path, name, looked_for, Quarantine("", "")), None)
    except SchemaError:  # no record is sound, or none has any of these
        first = None
    if first is None:
        return {field: field for field in names}
    with_values = {c for c in every if first.columns[c].null_count < first.columns.num_rows}
    return {field: next((c for c in columns if c in with_values), field) for field, columns in names.items()}
