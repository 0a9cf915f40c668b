"""Casts the columns of a file to the declared types, checks that they exist, and quarantines records that do not fit.

A `Casting` processes one raw file (all members of an archive) from the first record to the last. The first records do
not suffice to judge a schema, since a column may be null or absent in them. A column that no record has, and a column
whose values never fit the declared type, are errors of the manifest, not bad records.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.array_types import I64, Mask
from open_ml_embed.core.errors import SchemaError
from sources.manifest import ArrowType, RawTable
from sources.parts import RawBatch
from sources.quarantine import Quarantine
from sources.readers import json_values
from sources.readers.json_values import UnfitError, kind_of
from sources.readers.numerals import STATED
from sources.readers.plain_types import REFUSED, is_list, plain, without
from sources.readers.recognize import encoding_of

SIMPLE: dict[ArrowType, pa.DataType] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "list<string>": pa.list_(pa.string()),
}
"""Declared types with a fixed Arrow type; columns of other declared types keep the type of the file."""

_SAMPLED = 100
_KEPT_SAMPLES = 20

Bad = dict[int, str]
"""Row → reason."""


class Casting:
    """Makes batches of the records of one raw file, and checks its columns at the end.

    Attributes:
        file: name of the file at its origin.
        table: the manifest's declaration.
        quarantine: receives records with ``invalid-utf8``, ``wrong-type`` or ``duplicate-key``.

    """

    def __init__(self, file: str, table: RawTable, quarantine: Quarantine) -> None:
        self.file, self.table, self.quarantine = file, table, quarantine
        self.lacking: set[str] = set(table.fields) - set(table.optional)
        """Declared fields, but for the optional ones, that no record has had so far."""
        self._names: dict[str, None] = {}
        self._fitting: Counter[str] = Counter()
        self._unfit: dict[str, Counter[str]] = {field: Counter() for field in table.fields}
        self._not_utf8 = self._beyond_ascii = self._not_utf8_bytes = 0
        self._samples: list[bytes] = []

    def has_columns(self, names: Iterable[str], where: str) -> None:
        """Check the columns of a file that states its column names.

        Raises:
            SchemaError: a declared field is missing or occurs more than once.

        """
        names = list(names)
        for field in self.table.fields:
            if names.count(field) > 1:
                raise SchemaError(
                    f"column {field!r} occurs {names.count(field)} times",
                    where=where,
                    remedy="rename one of them in the file; which one the manifest means, nothing tells",
                )
        self.has_seen(names)
        if self.lacking:
            raise self._missing(names, where)

    def has_seen(self, names: Iterable[str]) -> None:
        """Record field names that occur in records."""
        for name in names:
            if len(self._names) < _SAMPLED:
                self._names[name] = None
            self.lacking.discard(name)

    def has_odd_bytes(self, value: bytes) -> None:
        """Count a record that is not UTF-8; `finish` guesses the encoding."""
        self._not_utf8 += 1
        self._not_utf8_bytes += len(value)
        if len(self._samples) < _KEPT_SAMPLES:
            self._samples.append(value[:1000])

    def has_even_bytes(self, records: int) -> None:
        """Count records that are valid UTF-8 but not ASCII, in a batch with records that are not UTF-8."""
        self._beyond_ascii += records

    def finish(self) -> None:
        """Check the columns after the last record of the file.

        Raises:
            SchemaError: no record has a declared field, or its values never fit the declared type.

        """
        if self._not_utf8 > 1 and self._not_utf8 > self._beyond_ascii:
            self.quarantine.add_unreadable(
                self.file, f"not UTF-8; {encoding_of(self._samples)}", self._not_utf8_bytes, count=0
            )
        if self._names and self.lacking:
            raise self._missing(self._names, self.file)
        for field, kinds in self._unfit.items():
            if kinds and not self._fitting[field]:
                (kind, _), *others = kinds.most_common()
                raise self._impossible(field, kind, len(others), sum(kinds.values()))

    def _missing(self, names: Iterable[str], where: str) -> SchemaError:
        names = list(names)
        missing = [field for field in self.table.fields if field in self.lacking]
        near = {field: difflib.get_close_matches(field, names, n=1, cutoff=0.6) for field in missing}
        hints = [f"{field!r} may be {match[0]!r} here" for field, match in near.items() if match]
        return SchemaError(
            f"no column {', '.join(map(repr, missing))}; "
            f"found: {', '.join(sorted(names)) or 'none'}; expected: {', '.join(sorted(self.table.fields))}",
            where=where,
            remedy="; ".join(
                [
                    *hints,
                    *self._on_headers(names),
                    "correct `fields` in the manifest, or pin the revision that has these columns",
                ]
            ),
        )

    def _on_headers(self, names: list[str]) -> list[str]:
        """Return hints for a delimited file whose first line does not look like its header."""
        if self.table.format not in ("csv", "tsv"):
            return []
        if len(names) == 1:
            for mark, other in (("\t", "tsv"), (",", "csv"), (";", ""), ("|", "")):
                if mark in names[0]:
                    advice = f"declare `format: {other}`" if other else "convert it to csv"
                    return [f"the values seem to be separated by {mark!r}: {advice}"]
        return ["if the file has no header line, declare its column names as `header`"]

    def _impossible(self, field: str, actual: str, others: int = 0, count: int = 0) -> SchemaError:
        kind = self.table.fields[field]
        more = f" (and {others} other types)" if others else ""
        all_of = f" in all {count} values" if count else ""
        return SchemaError(
            f"column {field!r} is {actual}{more}{all_of}, which cannot become {kind}",
            where=self.file,
            remedy="declare the type the file has in `fields`, or pin another revision",
        )

    def columns(self, columns: pa.Table, file: str, records: I64) -> RawBatch:
        """Select and cast the declared fields; a record with a value that cannot be cast is quarantined.

        Args:
            columns: table of n rows with at least the declared fields.
            file: name of the file, or of the archive's member.
            records: zero-based record numbers, int64[n].

        Raises:
            SchemaError: the type of a column cannot be cast to the declared one.

        """
        arrays, good = [], np.ones(columns.num_rows, bool)
        for field, kind in self.table.fields.items():
            if field in self.table.optional and field not in columns.column_names:
                arrays.append(pa.nulls(columns.num_rows, SIMPLE.get(kind, pa.null())))
                continue
            column = _joined(columns.column(field))
            array, bad = self._cast(column, kind, field)
            fitting = len(array) - array.null_count
            self._fitting[field] += fitting
            if "invalid-utf8" in bad.values():
                self._weigh(column, bad, array)
            if "wrong-type" in bad.values():
                self._unfit[field][_named(column.type)] += sum(reason == "wrong-type" for reason in bad.values())
            self._refuse(bad, good, file, records, partial(_excerpt_of_cell, field, column))
            arrays.append(array)
        batch = pa.table(arrays, names=list(self.table.fields))
        if not good.all():
            batch, records = batch.filter(pa.array(good)), records[good]
        return RawBatch(batch, file, pa.array(records, pa.int64()))

    def _weigh(self, column: pa.Array, bad: Bad, array: pa.Array) -> None:
        for row, reason in bad.items():
            if reason == "invalid-utf8":
                self.has_odd_bytes(_bytes(column, row))
        if pa.types.is_string(array.type):
            beyond = pc.not_equal(pc.binary_length(array), pc.utf8_length(array))
            self.has_even_bytes(beyond.true_count)

    def objects(self, objects: list[dict[str, Any]], file: str, records: list[int]) -> RawBatch:
        """Make a batch of JSON objects; absent fields are null, a record with a value of the wrong type is quarantined.

        Args:
            objects: n objects from `json_values.Parser`.
            file: name of the file, or of the archive's member.
            records: n zero-based record numbers.

        """
        self._look_for_names(objects)
        arrays, good = [], np.ones(len(objects), bool)
        for field, kind in self.table.fields.items():
            values = [item.get(field) for item in objects]
            array, bad = _array(values, kind)
            self._fitting[field] += len(array) - array.null_count
            for row, reason in bad.items():
                if reason == "wrong-type":
                    self._unfit[field][kind_of(values[row])] += 1
            self._refuse(bad, good, file, records, partial(_excerpt_of_value, field, values))
            arrays.append(array)
        mask = pa.array(good)
        batch = pa.table(arrays, names=list(self.table.fields))
        numbers = pa.array(records, pa.int64())
        if not good.all():
            batch, numbers = batch.filter(mask), numbers.filter(mask)
        return RawBatch(batch, file, numbers)

    def _look_for_names(self, objects: list[dict[str, Any]]) -> None:
        if len(self._names) < _SAMPLED:
            for item in objects[:_SAMPLED]:
                self.has_seen(item)
        self.lacking -= {field for field in self.lacking if any(field in item for item in objects)}

    def _refuse(self, bad: Bad, good: Mask, file: str, records: I64 | list[int], shown: Callable[[int], str]) -> None:
        """Quarantine bad records, each once, and set `good` to false for them."""
        for row, reason in bad.items():
            if good[row]:
                self.quarantine.add(file, int(records[row]), reason, shown(row))
            good[row] = False

    def _cast(self, column: pa.Array, kind: ArrowType, field: str) -> tuple[pa.Array, Bad]:
        """Return the column in its declared type (null in bad rows) and the bad rows with their reasons."""
        if kind in ("string", "list<string>"):
            column = _as_strings(column)
        try:
            array, odd = plain(column)
        except REFUSED:
            raise self._impossible(field, _named(column.type)) from None
        bad = dict.fromkeys(odd, "invalid-utf8")
        if kind not in SIMPLE:
            if not _nested_as(array.type, kind):
                raise self._impossible(field, _named(column.type))
            return array, bad
        target = SIMPLE[kind]
        if array.type == target:
            return array, bad
        if pa.types.is_null(array.type):
            return array.cast(target), bad
        if not _convertible(array.type, kind):
            raise self._impossible(field, _named(column.type))
        try:
            array, wrong = _converted(array, target)
        except REFUSED:
            raise self._impossible(field, _named(column.type)) from None
        return array, bad | {row: "wrong-type" for row in wrong if row not in bad}


def _named(kind: pa.DataType) -> str:
    return str(plain_name) if len(plain_name := str(kind)) < 200 else plain_name[:200] + "…"


def _joined(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)  # `combine_chunks` would copy
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _as_strings(column: pa.Array) -> pa.Array:
    """View binary values as strings, which are validated later; other columns are returned unchanged."""
    kind = column.type
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        column = column.cast(pa.binary())
    return column.view(pa.string()) if pa.types.is_binary(column.type) else column


def _nested_as(actual: pa.DataType, kind: ArrowType) -> bool:
    """Tell whether a plain type fits a declared type that is not cast (`struct`, `list<struct>`, `any`)."""
    if kind == "any" or pa.types.is_null(actual):
        return True
    if kind == "list<struct>":
        return is_list(actual) and bool(pa.types.is_struct(actual.value_type) or pa.types.is_null(actual.value_type))
    return bool(pa.types.is_struct(actual))


def _convertible(actual: pa.DataType, kind: ArrowType) -> bool:
    """Tell whether values of a plain type can be cast to the declared one; booleans are not cast to numbers."""
    if kind == "list<string>":
        return is_list(actual) and not bool(pa.types.is_nested(actual.value_type))
    if pa.types.is_nested(actual):
        return False
    return not (pa.types.is_boolean(actual) and kind in ("int64", "float64"))


def _converted(array: pa.Array, target: pa.DataType) -> tuple[pa.Array, list[int]]:
    """Cast a plain array to a simple type; return (array, rows that do not fit), with null in these rows."""
    if pa.types.is_string(array.type) and target in STATED:
        out, bad = STATED[target](array)
        return out, np.flatnonzero(bad).tolist()
    if target == pa.bool_() and not pa.types.is_boolean(array.type):
        numbers = array.cast(pa.float64(), safe=False)
        wrong = pc.fill_null(pc.invert(pc.is_in(numbers, pa.array([0.0, 1.0]))), fill_value=False)
        wrong = np.asarray(wrong) & np.asarray(array.is_valid())
        rows = np.flatnonzero(wrong).tolist()
        return without(numbers, rows).cast(pa.bool_()), rows
    if target == pa.float64() and pa.types.is_integer(array.type):
        return array.cast(target, safe=False), []
    try:
        return array.cast(target), []
    except pa.ArrowInvalid:
        return _one_by_one(array, target)


def _one_by_one(array: pa.Array, target: pa.DataType) -> tuple[pa.Array, list[int]]:
    out, wrong = [], []
    for row in range(len(array)):
        try:
            out.append(array.slice(row, 1).cast(target))
        except pa.ArrowInvalid:
            wrong.append(row)
            out.append(pa.nulls(1, target))
    return pa.concat_arrays(out), wrong


def _excerpt_of_cell(field: str, column: pa.Array, row: int) -> str:
    try:
        return f"{field}: {column[row].as_py()!r}"
    except UnicodeDecodeError:
        value = repr(_bytes(column, row)) if pa.types.is_string(column.type) else "(not UTF-8)"
        return f"{field}: {value}"


def _excerpt_of_value(field: str, values: list[object], row: int) -> str:
    return f"{field}: {values[row]!r}"


def _bytes(column: pa.Array, row: int) -> bytes:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        buffer = column[row].as_buffer()
        return buffer.to_pybytes() if buffer is not None else b""
    return b""


def _array(values: list[Any], kind: ArrowType) -> tuple[pa.Array, Bad]:
    """Convert JSON values to an array of a declared type; return (array with null in bad rows, bad row → reason)."""
    if kind not in SIMPLE:
        bad = {row: "wrong-type" for row, value in enumerate(values) if not _is_of(value, kind)}
        if bad:
            values = [None if row in bad else value for row, value in enumerate(values)]
        array, more = json_values.array_of(values)
        return array, bad | more
    target = SIMPLE[kind]
    types = set(map(type, values))
    if types <= _AS_THEY_ARE[kind]:
        try:
            return pa.array(values, target), {}
        except (*REFUSED, OverflowError, UnicodeEncodeError):
            pass
    out, bad = [], {}
    for row, value in enumerate(values):
        try:
            out.append(_value(value, kind))
        except UnfitError as error:
            bad[row] = error.reason
            out.append(None)
    return pa.array(out, target), bad


_AS_THEY_ARE: dict[ArrowType, set[type]] = {
    "string": {str, type(None)},
    "bool": {bool, type(None)},
    "int64": {int, type(None)},
    "float64": {float, json_values.Number, int, type(None)},
    "list<string>": set(),
}
"""Declared type → Python types that Arrow converts to it directly."""


def _is_of(value: object, kind: ArrowType) -> bool:
    if value is None or kind == "any":
        return True
    if kind == "struct":
        return isinstance(value, dict)
    return isinstance(value, list) and all(below is None or isinstance(below, dict) for below in value)


def _value(value: Any, kind: ArrowType) -> Any:
    """Convert one JSON value to a simple declared type.

    Raises:
        UnfitError: the value has another type.

    """
    if value is None:
        return None
    if kind == "string":
        return json_values.text_of(value)
    if kind == "list<string>":
        if not isinstance(value, list):
            raise UnfitError
        return [json_values.text_of(below) for below in value]
    if isinstance(value, str):
        out, wrong = STATED[SIMPLE[kind]](pa.array([json_values.text_of(value)]))
        if wrong[0]:
            raise UnfitError
        return out[0].as_py()
    if isinstance(value, (dict, list)) or (isinstance(value, bool) and kind != "bool"):
        raise UnfitError
    return _number(value, kind)


def _number(value: float, kind: ArrowType) -> bool | float | None:
    if kind == "float64":
        return _float(value)
    fits = value in (0, 1) if kind == "bool" else value == int(value) and -(2**63) <= value < 2**63
    if not fits:
        raise UnfitError
    return bool(value) if kind == "bool" else int(value)


def _float(value: float) -> float | None:
    try:
        return float(value)
    except OverflowError:  # an integer beyond the range of floats becomes null, as 1e999 does
        return None
