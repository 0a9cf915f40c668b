"""From what a file has to what its manifest declares: columns checked, types cast, odd records quarantined."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from sources.errors import SchemaError
from sources.manifest import ArrowType, RawTable
from sources.parts import RawBatch
from sources.quarantine import Quarantine

SIMPLE: dict[ArrowType, pa.DataType] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "list<string>": pa.list_(pa.string()),
}
"""Declared types with one Arrow type; the others are left as the file has them."""

_REFUSED = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError)


def require(found: Iterable[str], table: RawTable, file: str) -> None:
    """Check that every declared field is among the columns of a file.

    Raises:
        SchemaError: one is not; the message lists what is there, what was expected, and names that look alike.

    """
    names = list(found)
    missing = [field for field in table.fields if field not in names]
    if not missing:
        return
    near = {field: difflib.get_close_matches(field, names, n=1, cutoff=0.6) for field in missing}
    hints = [f"{field!r} may be {match[0]!r} here" for field, match in near.items() if match]
    raise SchemaError(
        f"no column {', '.join(map(repr, missing))}; "
        f"found: {', '.join(sorted(names)) or 'none'}; expected: {', '.join(sorted(table.fields))}",
        where=file,
        remedy="; ".join([*hints, "correct `fields` in the manifest, or pin the revision that has these columns"]),
    )


def conform(columns: pa.Table, file: str, records: np.ndarray, table: RawTable, quarantine: Quarantine) -> RawBatch:
    """Select and cast the declared fields; a record with a value that cannot be cast is quarantined.

    Args:
        columns: what the reader got, at least the declared fields.
        file: what the origin calls the file.
        records: zero-based record numbers, int64, one a row.
        table: the declaration.
        quarantine: takes records with ``invalid-utf8`` or ``wrong-type``.

    Raises:
        SchemaError: a whole column has a type that cannot become the declared one.

    """
    arrays, good = [], np.ones(columns.num_rows, bool)
    for field, kind in table.fields.items():
        column = columns.column(field).combine_chunks()
        array, bad = _cast(column, kind, field, file)
        for row, reason in bad.items():
            if good[row]:
                quarantine.add(file, int(records[row]), reason, f"{field}: {_shown(column, row)}")
            good[row] = False
        arrays.append(array)
    batch = pa.table(arrays, names=list(table.fields))
    if not good.all():
        batch, records = batch.filter(pa.array(good)), records[good]
    return RawBatch(batch, file, pa.array(records, pa.int64()))


def _cast(column: pa.Array, kind: ArrowType, field: str, file: str) -> tuple[pa.Array, dict[int, str]]:
    """Return the column in its declared type (anything in bad rows) and the bad rows with their reasons."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    bad = dict.fromkeys(_rows_failing(column), "invalid-utf8")
    if bad:
        column = _blanked(column, list(bad))
    if kind not in SIMPLE:
        _check_nested(column.type, kind, field, file)
        return column, bad
    target = SIMPLE[kind]
    if column.type == target:
        return column, bad
    if pa.types.is_nested(column.type) != pa.types.is_nested(target):
        raise _wrong(field, column.type, kind, file)
    try:
        return column.cast(target), bad
    except pa.ArrowNotImplementedError:
        raise _wrong(field, column.type, kind, file) from None
    except pa.ArrowInvalid:
        values, wrong = _one_by_one(column, target)
        return values, bad | {row: "wrong-type" for row in wrong if row not in bad}


def _one_by_one(column: pa.Array, target: pa.DataType) -> tuple[pa.Array, list[int]]:
    out, wrong = [], []
    for row in range(len(column)):
        try:
            out.append(column.slice(row, 1).cast(target))
        except pa.ArrowInvalid:
            wrong.append(row)
            out.append(pa.nulls(1, target))
    return pa.concat_arrays(out), wrong


def _rows_failing(array: pa.Array) -> Iterator[int]:
    """Find the rows that hold invalid UTF-8 by halving; binary columns, which promise nothing, are cast later."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        stack = [(0, len(array))]
        while stack:
            start, size = stack.pop()
            try:
                array.slice(start, size).validate(full=True)
            except pa.ArrowInvalid:
                if size == 1:
                    yield start
                else:
                    half = size // 2
                    stack += [(start + half, size - half), (start, half)]


def _blanked(column: pa.Array, rows: list[int]) -> pa.Array:
    keep = np.arange(len(column))
    keep_nullable = pa.array(keep, mask=np.isin(keep, rows))
    return column.take(keep_nullable)


def _check_nested(found: pa.DataType, kind: ArrowType, field: str, file: str) -> None:
    is_list = pa.types.is_list(found) or pa.types.is_large_list(found)
    fits = {
        "any": True,
        "struct": pa.types.is_struct(found) or pa.types.is_null(found),
        "list<struct>": (is_list and (pa.types.is_struct(found.value_type) or pa.types.is_null(found.value_type)))
        or pa.types.is_null(found),
    }
    if not fits[kind]:
        raise _wrong(field, found, kind, file)


def _wrong(field: str, found: pa.DataType, kind: ArrowType, file: str) -> SchemaError:
    return SchemaError(
        f"column {field!r} is {found}, which cannot become {kind}",
        where=file,
        remedy="declare the type the file has, or pin another revision",
    )


def _shown(column: pa.Array, row: int) -> str:
    try:
        return repr(column[row].as_py())
    except UnicodeDecodeError:
        plain = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        return repr(column[row].as_buffer().to_pybytes()) if plain else "(not UTF-8)"


def from_objects(
    objects: list[dict[str, Any]], file: str, records: list[int], table: RawTable, quarantine: Quarantine
) -> RawBatch:
    """Make a batch of JSON objects; absent fields are null, a value of the wrong type quarantines its record."""
    arrays, good = [], np.ones(len(objects), bool)
    for field, kind in table.fields.items():
        values = [_plain(item.get(field)) if kind == "string" else item.get(field) for item in objects]
        try:
            arrays.append(_array(values, SIMPLE.get(kind)))
        except (*_REFUSED, UnicodeEncodeError):
            array, bad = _array_of_fitting(values, SIMPLE.get(kind))
            for row, reason in bad.items():
                if good[row]:
                    quarantine.add(file, records[row], reason, f"{field}: {values[row]!r}")
                good[row] = False
            arrays.append(array)
    batch = pa.table(arrays, names=list(table.fields)).filter(pa.array(good, pa.bool_()))
    return conform(batch, file, np.asarray(records, np.int64)[good], table, quarantine)


def _plain(value: object) -> object:
    """Write a JSON number where text is declared (identifiers are often both) as its digits."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _array(values: list[Any], target: pa.DataType | None) -> pa.Array:
    """Make an array, but no list out of a string: Arrow would take it for a sequence of characters."""
    if target is not None and pa.types.is_list(target) and any(isinstance(value, str) for value in values):
        raise pa.ArrowTypeError("a string where a list belongs")
    return pa.array(values, target)


def _array_of_fitting(values: list[Any], target: pa.DataType | None) -> tuple[pa.Array, dict[int, str]]:
    bad: dict[int, str] = {}
    for row, value in enumerate(values):
        try:
            found = _array([value], target)
        except UnicodeEncodeError:
            bad[row] = "invalid-utf8"
        except _REFUSED:
            bad[row] = "wrong-type"
        else:
            if target is None and value is not None:
                target = found.type
    return pa.array([None if row in bad else value for row, value in enumerate(values)], target), bad
