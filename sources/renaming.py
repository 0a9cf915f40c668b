"""Alternative column names: revisions and copies of a dataset may name a column differently (`other_names`)."""

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
"""Formats that list their columns, so that a missing column is an error at once; others are read to the end first."""
_LOG = logging.getLogger(__name__)


def read_renamed(path: str | Path, name: str, table: RawTable, quarantine: Quarantine) -> Iterator[RawBatch]:
    """Stream the records of a raw file (`sources.readers.read`), with columns renamed to the declared fields.

    The use of one of the `other_names` is logged.

    Raises:
        SchemaError: the file has none of the names of a field; the message states the names under `fields`.

    """
    if not table.other_names:
        yield from read(path, name, table, quarantine)
        return
    columns = columns_of(path, name, table)
    for field, column in columns.items():
        if field != column:
            _LOG.info("%s: column %r is read as %r", name, column, field)
    for batch in read(path, name, under_names(table, columns), quarantine):
        yield RawBatch(batch.columns.rename_columns(list(table.fields)), batch.file, batch.records)


def under_names(table: RawTable, columns: dict[str, str]) -> RawTable:
    """Return a declaration whose fields have the names of the columns in the file."""
    fields = {columns.get(field, field): kind for field, kind in table.fields.items()}
    return table.model_copy(update={"fields": fields, "other_names": {}})


def columns_of(path: str | Path, name: str, table: RawTable) -> dict[str, str]:
    """Return field → column, for the fields with several names: the first combination that the file has.

    Raises:
        SchemaError: the file has no combination; the message states the names under `fields`.

    """
    if table.format not in _STATES_COLUMNS:
        return _met(path, name, table)
    names = [[field, *others] for field, others in table.other_names.items()]
    refused: SchemaError | None = None
    for columns in itertools.product(*names):
        candidate = dict(zip(table.other_names, columns, strict=True))
        try:
            next(read(path, name, under_names(table, candidate), Quarantine("", "")), None)
        except SchemaError as error:
            refused = refused or error
        else:
            return candidate
    assert refused is not None, "there is at least one combination"
    raise refused


def _met(path: str | Path, name: str, table: RawTable) -> dict[str, str]:
    """Return field → column, judged by the values of the first batch; a field without values keeps its name."""
    names = {field: [field, *others] for field, others in table.other_names.items()}
    every = {column: "any" for columns in names.values() for column in columns}
    probe = RawTable.model_validate(table.model_dump() | {"fields": every, "other_names": {}})
    try:
        first = next(read(path, name, probe, Quarantine("", "")), None)
    except SchemaError:  # no record is valid, or none has any of these columns
        first = None
    if first is None:
        return {field: field for field in names}
    with_values = {c for c in every if first.columns[c].null_count < first.columns.num_rows}
    return {field: next((c for c in columns if c in with_values), field) for field, columns in names.items()}
