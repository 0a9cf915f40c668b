"""The table of totals: how many rows every table has, and the sums of the columns whose rows add up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from curation.report.tables.form import Column, Form, ReportTable

TOTALS = Form(
    "totals",
    "report",
    "Rows of every table, and the sums of columns of counts whose rows add up.",
    ("table", "group", "column"),
    (
        Column("table", "name", "Name of the table."),
        Column("group", "name", "Only rows of this mix, or languages of this kind; null: all rows."),
        Column("column", "name", "Name of the column that is added up; null: the rows are counted."),
        Column("value", "count", "The sum, or the number of rows."),
    ),
)
FORMS = (TOTALS,)
GROUPS = {
    "funnel": "mix",
    "mix_tasks": "mix",
    "mix_sources": "mix",
    "mix_licenses": "mix",
    "mix_languages": "mix",
    "languages": "kind",
}
"""Table → the column by which it is added up too."""
ADDED = {
    "sources": ("records", "filtered", "quarantined", "rows", "unread_files", "unread_bytes"),
    "plan": ("expected", "rows", "difference"),
    "funnel": None,
    "tasks": ("sources", "rows"),
    "mix_tasks": ("samples",),
    "mix_sources": ("samples",),
    "mix_licenses": ("sources", "samples"),
    "languages": ("rows", "published"),
    "mix_languages": ("samples",),
    "kalm_datasets": ("pairs",),
    "quality": None,
    "agreement": None,
    "measures": None,
    "source_duplicates": None,
    "duplicate_matrix": ("exact", "near", "duplicates"),
    "contaminated": ("rows", "contaminated"),
    "overlaps": ("exact", "near", "contained", "rows"),
    "negatives": None,
    "pools": ("candidates", "chosen"),
    "turned_down": ("candidates",),
}
"""Table → the columns that are added up; null: all counts."""


def fill(tables: Mapping[str, ReportTable]) -> Iterator[ReportTable]:
    """Fill the table of totals from all other tables."""
    yield TOTALS.fill(row for table in tables.values() for row in _totals(table))


def _totals(table: ReportTable) -> Iterator[tuple[str, str | None, str | None, int]]:
    name = table.form.name
    by = GROUPS.get(name)
    groups: list[str | None] = [None, *dict.fromkeys(row[by] for row in table.rows)] if by else [None]
    for group in groups:
        chosen = {by: group} if by and group is not None else {}
        yield name, group, None, len(table.where(**chosen))
        if name in ADDED and (group is not None or by != "mix"):
            counts = [column.name for column in table.form.columns if column.shown == "count"]
            for column in ADDED[name] or counts:
                yield name, group, column, table.sum(column, **chosen)
