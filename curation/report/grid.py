"""Tables and values of the report as HTML, each cell marked with where in the data it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from curation.report.data import ReportData
from curation.report.formats import written
from curation.report.tables.form import Column, ReportTable

FOLDED = 12
"""Rows of a table that stands open; a longer one is folded."""
_RIGHT = frozenset({"count", "number", "points", "score"})
_BAD = frozenset({"damaged_share", "disagreement", "short_share"})
"""Shares whose bar has the color of a warning."""


@dataclass(frozen=True)
class Grids:
    """Renders the tables of a report; templates call it."""

    data: ReportData

    def rows(self, name: str, **values: Any) -> list[dict[str, Any]]:
        """Return the rows of a table that have these values."""
        table = self.data[name]
        return [table.rows[i] for i in table.where(**values)]

    def grid(
        self,
        name: str,
        columns: Sequence[str] = (),
        numbers: Iterable[int] | None = None,
        *,
        without: Sequence[str] = (),
        total: str | None = None,
        group: str | None = None,
        label: str = "",
    ) -> Markup:
        """Return a table.

        Args:
            name: of the table.
            columns: to show, the first as the heading of the row; empty: all.
            numbers: of the rows to show; null: all.
            without: columns that are not shown.
            total: heading of a line of totals; null: no such line.
            group: of the totals.
            label: for screen readers.

        """
        table = self.data[name]
        by_name = {column.name: column for column in table.form.columns}
        shown = [by_name[c] for c in (columns or by_name) if c not in without]
        rows = range(len(table)) if numbers is None else list(numbers)
        head = Markup("").join(self._heading(column) for column in shown)
        body = Markup("\n").join(self._row(table, number, shown) for number in rows)
        return Markup(
            '<div class="scroll" tabindex="0" role="group" aria-label="{}"><table data-table="{}">'
            "<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody>{}</table></div>"
        ).format(
            label or name.replace("_", " "), name, head, body, self._totals(name, shown, total, group) if total else ""
        )

    def fold(self, title: str, name: str, *arguments: Any, opened: bool = False, **more: Any) -> Markup:
        """Return a table that is folded if it is long, with the number of its rows in the summary."""
        numbers = more.get("numbers", arguments[1] if len(arguments) > 1 else None)
        count = len(self.data[name]) if numbers is None else len(list(numbers))
        if numbers is not None:
            more["numbers"] = list(numbers)
        grid = self.grid(name, *arguments[:1], label=title, **more)
        is_open = Markup(" open") if opened or count <= FOLDED else ""
        return Markup("<details{}><summary>{}<small>{}</small></summary>{}</details>").format(
            is_open,
            title,
            self.counted(name, count, cut=numbers is not None and "group" not in more),
            grid,
        )

    def counted(self, name: str, count: int, *, cut: bool) -> Markup:
        """Return the number of rows that are shown, and of how many where rows are left out.

        Args:
            name: of the table.
            count: rows that are shown.
            cut: others are left out; not where the rows are all those of a group.

        """
        shown = Markup('<span data-shown="{}">{}</span>').format(name, f"{count:,}")
        return Markup("{} of {}").format(shown, self.total(name)) if cut and count < len(self.data[name]) else shown

    def value(self, name: str, number: int, column: str) -> Markup:
        """Return a value of a table, marked with its place."""
        table = self.data[name]
        (form,) = [c for c in table.form.columns if c.name == column]
        text = written(table.rows[number][column], form.shown)
        return Markup('<data value="{}" data-at="{}/{}/{}">{}</data>').format(
            "" if table.rows[number][column] is None else table.rows[number][column], name, number, column, text
        )

    def total(self, name: str, column: str | None = None, group: str | None = None) -> Markup:
        """Return a total, or the number of rows of a table, marked with its place in `totals`."""
        (number,) = self.data["totals"].where(table=name, group=group, column=column)
        return self.value("totals", number, "value")

    @staticmethod
    def _heading(column: Column) -> Markup:
        return Markup('<th scope="col" data-column="{}"{}>{}</th>').format(
            column.name, _class(column, ""), column.title
        )

    @staticmethod
    def _row(table: ReportTable, number: int, shown: Sequence[Column]) -> Markup:
        row = table.rows[number]
        first = Markup('<th scope="row"{}>{}</th>').format(_class(shown[0], row[shown[0].name]), _cell(shown[0], row))
        cells = Markup("").join(
            Markup("<td{}>{}</td>").format(_class(c, row[c.name]), _cell(c, row)) for c in shown[1:]
        )
        return Markup('<tr data-row="{}">{}{}</tr>').format(number, first, cells)

    def _totals(self, name: str, shown: Sequence[Column], title: str, group: str | None) -> Markup:
        known = {
            row["column"]: number
            for number, row in enumerate(self.data["totals"].rows)
            if (row["table"], row["group"]) == (name, group)
        }
        cells = (self.value("totals", known[c.name], "value") if c.name in known else "" for c in shown[1:])
        line = Markup("").join(Markup('<td class="n">{}</td>').format(cell) for cell in cells)
        return Markup('<tfoot><tr><th scope="row">{}</th>{}</tr></tfoot>').format(title, line)


_CLASSES = {key: Markup(f' class="{key}"') for key in ("n", "n z", "s", "s w", "t")}  # noqa: S704 (constants)


def _class(column: Column, value: Any) -> Markup:
    """Return the attributes of a cell: its class, and the length of the bar of a share."""
    if column.shown == "share":
        attributes = _CLASSES["s w" if column.name in _BAD else "s"]
        return attributes + Markup(' style="--p:{}%"').format(f"{100 * min(value, 1):.1f}") if value else attributes
    if column.shown in _RIGHT:
        return _CLASSES["n z" if value in (0, None) else "n"]
    return _CLASSES["t"] if column.shown in ("text", "long") else Markup("")


_WRAPPED = {
    "flag": Markup('<span class="pill {0}">{0}</span>'),
    "text": Markup('<bdi dir="auto">{}</bdi>'),
    "tag": Markup("<code>{}</code>"),
}


def _cell(column: Column, row: Mapping[str, Any]) -> Markup:
    value = row[column.name]
    text = written(value, column.shown)
    return escape(text) if value is None else _WRAPPED.get(column.shown, Markup("{}")).format(text)
