"""The form of a table of the report: its name, its columns with types and documentation, and what it is checked by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa

Shown = Literal["name", "tag", "text", "long", "count", "number", "share", "points", "score", "flag"]
"""How a page shows a column. `name`: a word; `tag`: a code; `text`: a text of the data, `long`: prose of a manifest;
`count`: an integer; `number`: a float with one digit; `share`: 0.125 as 12.5 %; `points`: a difference of shares;
`score`: three digits; `flag`: yes or no."""
_TYPES: dict[Shown, pa.DataType] = {
    "name": pa.string(),
    "tag": pa.string(),
    "text": pa.string(),
    "long": pa.string(),
    "count": pa.int64(),
    "number": pa.float64(),
    "share": pa.float64(),
    "points": pa.float64(),
    "score": pa.float64(),
    "flag": pa.bool_(),
}
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: stable; letters, digits and underscores.
        shown: how a page shows it, which sets its type.
        what: its documentation; says what null means where it may be null.

    """

    name: str
    shown: Shown
    what: str

    @property
    def type(self) -> pa.DataType:
        """The Arrow type: string, int64, float64 or bool."""
        return _TYPES[self.shown]

    @property
    def title(self) -> str:
        """The heading on a page."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Form:
    """What a table is.

    Attributes:
        name: stable; the name of its files.
        step: the step whose work it counts, as the command names it without the name of a mix.
        what: its documentation: what a row is, and in which order the rows stand.
        key: columns that name a row; no two rows agree in all of them.
        columns: in order.

    """

    name: str
    step: str
    what: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        assert all(map(_NAME.match, (self.name, *names))), f"{self.name}: a name is not plain"
        assert len(set(names)) == len(names), f"{self.name}: two columns have one name"
        assert set(self.key) <= set(names), f"{self.name}: the key is not among the columns"

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with the documentation as metadata."""
        fields = [pa.field(c.name, c.type, metadata={"description": c.what}) for c in self.columns]
        return pa.schema(fields, metadata={"table": self.name, "step": self.step, "description": self.what})

    def fill(self, rows: Iterable[Sequence[Any]]) -> ReportTable:
        """Make the table of rows, each with a value for each column, in order; null is None."""
        listed = [tuple(row) for row in rows]
        assert all(len(row) == len(self.columns) for row in listed), f"{self.name}: a row has too few or many values"
        arrays = [pa.array([row[i] for row in listed], column.type) for i, column in enumerate(self.columns)]
        return ReportTable(self, pa.Table.from_arrays(arrays, schema=self.schema))


@dataclass(frozen=True, eq=False)
class ReportTable:
    """A table of the report.

    Attributes:
        form: what it is.
        arrow: its rows, with the form's schema.

    """

    form: Form
    arrow: pa.Table

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as dicts of Python values."""
        rows: list[dict[str, Any]] = self.arrow.to_pylist()
        return rows

    def where(self, **values: Any) -> list[int]:
        """Return the numbers of the rows that have these values."""
        return [i for i, row in enumerate(self.rows) if all(row[name] == value for name, value in values.items())]

    def sum(self, column: str, **values: Any) -> int:
        """Add up a column of counts, over the rows that have these values."""
        return sum(int(self.rows[number][column] or 0) for number in self.where(**values))

    def __len__(self) -> int:
        return int(self.arrow.num_rows)


def share(part: float, whole: float) -> float | None:
    """Return a share as the tables hold it, with six digits; null if there is no whole.

    >>> share(1, 3), share(0, 5), share(1, 0)
    (0.333333, 0.0, None)
    """
    return round(part / whole, 6) if whole else None


def only(forms: Iterable[Form]) -> Mapping[str, Form]:
    """Return name → form; no two forms have the same name."""
    listed = list(forms)
    named = {form.name: form for form in listed}
    assert len(named) == len(listed), "two forms have one name"
    return named
