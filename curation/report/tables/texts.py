"""Tables on the texts of rows: damage that still shows, and lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from curation.report.inputs import Inputs
from curation.report.shard_statistics import EDGES, SourceSurvey
from curation.report.tables.form import Column, Form, ReportTable, share
from sources.checks import DAMAGE

KINDS = (*DAMAGE, "short", "repeated", "under_both")
"""The columns: kinds of damage, then counts that are not damage by themselves."""
_WHAT = {
    "short": "Texts that are short; no damage by itself.",
    "repeated": "Texts that an earlier row of the same shard has; no damage by itself.",
    "under_both": "Texts under two labels within a shard; no damage by itself.",
}
_SOURCE = Column("source", "name", "Name of the source.")
_COUNTS = (
    Column("texts", "count", "Texts that were looked at."),
    Column("damaged", "count", "Texts with one kind of damage or more."),
    Column("damaged_share", "share", "Share of the texts."),
    *(Column(kind, "count", _WHAT.get(kind, f"Texts with damage of the kind {kind}.")) for kind in KINDS),
)

QUALITY = Form(
    "quality",
    "normalize",
    "Texts of rows, after cleaning, that still show damage: a row for each source, the largest share first. Programs "
    "and names of classes are not looked at; a share is a hint.",
    ("source",),
    (_SOURCE, *_COUNTS),
)
QUALITY_SIDES = Form(
    "quality_sides",
    "normalize",
    "The same for each side of each subset, the largest share first.",
    ("source", "subset", "side"),
    (_SOURCE, Column("subset", "name", "Name of the subset."), Column("side", "name", "query or positive."), *_COUNTS),
)
LENGTHS = Form(
    "lengths",
    "normalize",
    "Lengths of texts in characters: a row for each source and side. Median and 95 % are the lower edge of a bin: up "
    "to 12 % low.",
    ("source", "side"),
    (
        _SOURCE,
        Column("side", "name", "query or positive."),
        Column("texts", "count", "Texts."),
        Column("characters", "count", "Characters of all texts."),
        Column("mean", "number", "Mean number of characters; 0 without texts."),
        Column("median", "count", "Half of the texts are shorter."),
        Column("at_95_percent", "count", "95 % of the texts are shorter."),
        Column("longest", "count", "Characters of the longest text."),
    ),
)
LENGTH_HISTOGRAM = Form(
    "length_histogram",
    "normalize",
    "Distribution of the lengths: a row for each bin with texts. One length a bin up to 9, then 20 bins a decade.",
    ("source", "side", "at_least"),
    (
        _SOURCE,
        Column("side", "name", "query or positive."),
        Column("at_least", "count", "Characters of the shortest texts of the bin."),
        Column("texts", "count", "Texts."),
    ),
)
FORMS = (QUALITY, QUALITY_SIDES, LENGTHS, LENGTH_HISTOGRAM)
SIDES = ("query", "positive")


def fill(inputs: Inputs, surveys: Mapping[str, SourceSurvey]) -> Iterator[ReportTable]:
    """Fill the tables of this module."""
    checks: dict[str, dict[str, dict[str, dict[str, int]]]] = inputs.rows.stats.get("checks", {})
    yield QUALITY.fill(_ranked(_of_sources(checks)))
    yield QUALITY_SIDES.fill(_ranked(_of_sides(checks)))
    yield LENGTHS.fill(_lengths(surveys))
    yield LENGTH_HISTOGRAM.fill(_bins(surveys))


def _of_sources(checks: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Counter[str]]]:
    for source, subsets in checks.items():
        total: Counter[str] = Counter()
        for sides in subsets.values():
            for counts in sides.values():
                total.update(counts)
        if any(subsets.values()):
            yield (source,), total


def _of_sides(checks: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Counter[str]]]:
    for source, subsets in checks.items():
        for subset, sides in subsets.items():
            for side, counts in sides.items():
                yield (source, subset, side), Counter(counts)


def _ranked(counted: Iterable[tuple[tuple[str, ...], Counter[str]]]) -> list[tuple[Any, ...]]:
    rows = [
        (*key, n["texts"], n["damaged"], share(n["damaged"], n["texts"]), *(n[kind] for kind in KINDS))
        for key, n in counted
    ]
    width = len(rows[0]) - len(_COUNTS) if rows else 0
    return sorted(rows, key=lambda row: (-(row[width + 2] or 0.0), -row[width + 1], row[:width]))


def _lengths(surveys: Mapping[str, SourceSurvey]) -> Iterator[tuple[object, ...]]:
    for source, survey in surveys.items():
        for side in SIDES:
            lengths = getattr(survey, side)
            quantiles = (lengths.quantile(0.5), lengths.quantile(0.95))
            yield (
                source,
                side,
                int(lengths.counts.sum()),
                lengths.total,
                round(lengths.mean, 1),
                *quantiles,
                lengths.longest,
            )


def _bins(surveys: Mapping[str, SourceSurvey]) -> Iterator[tuple[object, ...]]:
    for source, survey in surveys.items():
        for side in SIDES:
            counts = getattr(survey, side).counts
            for number in np.flatnonzero(counts).tolist():
                yield source, side, int(EDGES[number]), int(counts[number])
