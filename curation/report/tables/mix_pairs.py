"""The table that compares the mixes of a build with each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from curation.report.tables.form import Column, Form, ReportTable

PAIRS = Form(
    "mix_pairs",
    "mix",
    "Mix against mix, by source, language, task type and license: a row for each pair of mixes and name that either "
    "has, the largest difference of shares first.",
    ("mix", "other", "by", "name"),
    (
        Column("mix", "name", "Name of a mix."),
        Column("other", "name", "Name of another mix."),
        Column("by", "name", "source, language, programming language, task or license."),
        Column("name", "name", "Of the source, language, task type or license."),
        Column("samples", "count", "Samples in the mix."),
        Column("share", "share", "Their share of the mix."),
        Column("other_samples", "count", "Samples in the other mix."),
        Column("other_share", "share", "Their share of the other mix."),
        Column("difference", "points", "Share of the mix less share of the other mix."),
    ),
)
FORMS = (PAIRS,)


def fill(tables: Mapping[str, ReportTable]) -> Iterator[ReportTable]:
    """Fill the table from those of the mixes."""
    mixes = list(dict.fromkeys(row["mix"] for row in tables["funnel"].rows))
    yield PAIRS.fill(row for mix, other in combinations(mixes, 2) for row in _pair(tables, mix, other))


def _pair(tables: Mapping[str, ReportTable], mix: str, other: str) -> list[tuple[Any, ...]]:
    ours, theirs = (_counted(tables, name) for name in (mix, other))
    whole = [max(tables["funnel"].sum("samples", mix=name), 1) for name in (mix, other)]
    rows = []
    for by, name in {*ours, *theirs}:
        counts = (ours.get((by, name), 0), theirs.get((by, name), 0))
        shares = [round(count / of, 6) for count, of in zip(counts, whole, strict=True)]
        rows.append((mix, other, by, name, counts[0], shares[0], counts[1], shares[1], round(shares[0] - shares[1], 6)))
    return sorted(rows, key=lambda row: (-abs(row[-1]), row[2], row[3]))


def _counted(tables: Mapping[str, ReportTable], mix: str) -> dict[tuple[str, str], int]:
    """Return (what, name) → samples of a mix."""
    counts: dict[tuple[str, str], int] = {}
    columns = {
        "mix_sources": ("source", "source"),
        "mix_languages": ("language", "code"),
        "mix_tasks": ("task", "task"),
        "mix_licenses": ("license", "license"),
    }
    for table, (by, column) in columns.items():
        for row in tables[table].rows:
            if row["mix"] == mix:
                key = ("programming language" if row.get("kind") == "programming" else by, row[column])
                counts[key] = counts.get(key, 0) + row["samples"]
    return counts
