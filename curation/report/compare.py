"""Two builds compared: which settings and versions differ, and every figure of the report that changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curation.report.tables.form import Column, Form, ReportTable

Tables = Mapping[str, ReportTable]

SETTINGS = Form(
    "changed_settings",
    "report",
    "A row for each setting that differs. Those that follow from another one that differs are left out: `dedup.bands` "
    "follows from `dedup.threshold`, the rules of a preset from `mining.preset`.",
    ("setting",),
    (
        Column("setting", "tag", "Section and name, as in params.yaml."),
        Column("before", "text", "Its value as JSON in the first build; null: it has no such setting."),
        Column("after", "text", "Its value as JSON in the second build; null: it has no such setting."),
    ),
)
VERSIONS = Form(
    "changed_versions",
    "report",
    "A row for each operation whose version differs, or that one build alone has.",
    ("step", "operation"),
    (
        Column("step", "name", "As the command names it."),
        Column("operation", "name", "Operation of the step."),
        Column("before", "count", "Its version in the first build; null: it has not been run."),
        Column("after", "count", "Its version in the second build; null: it has not been run."),
    ),
)
ROWS = Form(
    "changed_rows",
    "report",
    "Rows by source, the largest difference first. Sources without a difference are left out.",
    ("source",),
    (
        Column("source", "name", "Name of the source."),
        Column("before", "count", "Rows of the first build."),
        Column("after", "count", "Rows of the second build."),
        Column("difference", "count", "Rows more, or less."),
    ),
)
LANGUAGES = Form(
    "changed_languages",
    "report",
    "Rows by language (see `languages`), the largest difference first. Languages without a difference are left out.",
    ("kind", "code"),
    (
        Column("code", "tag", "ISO 639-3 code, or the name of a programming language."),
        Column("kind", "name", "natural or programming."),
        Column("before", "count", "Rows of the first build."),
        Column("after", "count", "Rows of the second build."),
        Column("difference", "count", "Rows more, or less."),
    ),
)
ENDS = Form(
    "changed_ends",
    "report",
    "Where records ended, by mix, source and stage of the funnel, the largest difference first; only what differs.",
    ("mix", "source", "stage"),
    (
        Column("mix", "name", "Name of the mix."),
        Column("source", "name", "Name of the source."),
        Column("stage", "name", "Where the records ended."),
        Column("before", "count", "Records of the first build."),
        Column("after", "count", "Records of the second build."),
        Column("difference", "count", "Records more, or less."),
    ),
)
FIGURES = Form(
    "changed_figures",
    "report",
    "Every value of a table that differs, and every row that one build alone has, by table.",
    ("table", "row", "column"),
    (
        Column("table", "name", "Name of the table."),
        Column("row", "text", "The row: the values of the table's key, separated by commas."),
        Column("column", "name", "Name of the column; null: the whole row."),
        Column("before", "text", "Its value; null: nothing, or no such row."),
        Column("after", "text", "Its value; null: nothing, or no such row."),
    ),
)
FORMS = (SETTINGS, VERSIONS, ROWS, LANGUAGES, ENDS, FIGURES)
_DRAWN = frozenset({
    "examples", "example_verdicts", "example_negatives", "near_duplicates", "largest_clusters", "disagreements",
    "overlap_examples", "turned_down_examples",
})  # fmt: skip
"""Tables of examples, which hold no figure."""
_APART = _DRAWN | {"settings", "steps", "build", "totals"}


def compare(before: Tables, after: Tables) -> dict[str, ReportTable]:
    """Return what differs between the tables of two builds, as the tables of `FORMS`."""
    filled = (
        SETTINGS.fill(_settings(before, after)),
        VERSIONS.fill(row for row in _changed(before, after, "steps", ("step", "operation"), "version") if row[1]),
        ROWS.fill(_counted(before, after, "sources", ("source",), "rows")),
        LANGUAGES.fill(_counted(before, after, "languages", ("code", "kind"), "rows")),
        ENDS.fill(_ends(before, after)),
        FIGURES.fill(_figures(before, after)),
    )
    return {table.form.name: table for table in filled}


def _settings(before: Tables, after: Tables) -> Iterator[tuple[Any, ...]]:
    """Yield (setting, value before, value after) of the settings that differ.

    A setting that neither profile has to state follows from another one of its section, as `dedup.bands` does from
    `dedup.threshold`: it is left out if one of those differs.
    """
    old, new = (_by_key(tables["settings"], ("setting",)) for tables in (before, after))
    changed = list(_changed(before, after, "settings", ("setting",), "value"))
    stated = [row for row in changed if not all(row[:1] in rows and rows[row[:1]]["default"] for rows in (old, new))]
    sections = {str(row[0]).partition(".")[0] for row in stated}
    for row in changed:
        if row in stated or str(row[0]).partition(".")[0] not in sections:
            yield row


def _by_key(table: ReportTable, key: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[column] for column in key): row for row in table.rows}


def _changed(before: Tables, after: Tables, name: str, key: tuple[str, ...], column: str) -> Iterator[tuple[Any, ...]]:
    """Yield (key, value before, value after) of the rows whose value differs."""
    old, new = (_by_key(tables[name], key) for tables in (before, after))
    for at in dict.fromkeys([*old, *new]):
        values = tuple(rows[at][column] if at in rows else None for rows in (old, new))
        if values[0] != values[1] or (at in old) != (at in new):
            yield (*at, *values)


def _counted(before: Tables, after: Tables, name: str, key: tuple[str, ...], column: str) -> list[tuple[Any, ...]]:
    """Return (key, count before, count after, difference) of the rows whose count differs, the largest first."""
    rows = [
        (*at, old or 0, new or 0, (new or 0) - (old or 0))
        for *at, old, new in _changed(before, after, name, key, column)
    ]
    return sorted((row for row in rows if row[-1]), key=lambda row: (-abs(row[-1]), row))


def _ends(before: Tables, after: Tables) -> list[tuple[Any, ...]]:
    rows = []
    stages = [
        c.name for c in before["funnel"].form.columns if c.shown == "count" and c.name not in ("records", "samples")
    ]
    for stage in stages:
        for mix, source, *counts in _counted(before, after, "funnel", ("mix", "source"), stage):
            rows.append((mix, source, stage.replace("_", "-"), *counts))
    return sorted(rows, key=lambda row: (-abs(row[-1]), row))


def _figures(before: Tables, after: Tables) -> Iterator[tuple[Any, ...]]:
    for name, table in before.items():
        if name in _APART:
            continue
        key = table.form.key
        old, new = _by_key(table, key), _by_key(after[name], key)
        others = [column.name for column in table.form.columns if column.name not in key]
        for at in dict.fromkeys([*old, *new]):
            row = ", ".join("all" if value is None else str(value) for value in at)
            if at not in old or at not in new:
                yield name, row, None, "a row" if at in old else None, "a row" if at in new else None
                continue
            for column in others:
                values = (old[at][column], new[at][column])
                if values[0] != values[1]:
                    yield name, row, column, *(None if value is None else str(value) for value in values)
