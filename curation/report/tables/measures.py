"""Tables on the quality of the rows: unusual figures by source, their spread, and what thresholds leave out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curation.quality.measures import MEASURES
from curation.quality.usual import usual_of
from curation.report.inputs import Inputs
from curation.report.tables.form import Column, Form, ReportTable, share

_SOURCE = Column("source", "name", "Name of the source.")
_COUNTED = {
    "query_alphanumeric": "Queries of fewer than 3 letters and digits",
    "positive_alphanumeric": "Positives of fewer than 3 letters and digits",
    "query_symbols": "Queries that are symbols by more than a half",
    "positive_symbols": "Positives that are symbols by more than a half",
    "query_repetition": "Queries of which more than a half occurred before",
    "positive_repetition": "Positives of which more than a half occurred before",
    "length_ratio": "Rows with one side five times the other, in bitext and paraphrases",
    "equal": "Rows with the same letters and digits on both sides",
}
assert tuple(_COUNTED) == MEASURES
MEASURED = Form(
    "measures",
    "measure",
    "Rows with unusual figures (docs/quality.md), which stay unless the profile has thresholds: a row for each source, "
    "the largest share first.",
    ("source",),
    (
        _SOURCE,
        Column("rows", "count", "Rows that were measured."),
        Column("unusual", "count", "Rows with one unusual figure or more."),
        Column("share", "share", "Their share; null without rows."),
        *(Column(name, "count", f"{what}; null: not counted.") for name, what in _COUNTED.items()),
    ),
)
SPREAD = Form(
    "measures_spread",
    "measure",
    "How each figure is spread over the rows of a source, and the bounds that the profile sets: a row for each source "
    "and figure.",
    ("source", "figure"),
    (
        _SOURCE,
        Column("figure", "name", "Name of the figure, as in the setting `quality`."),
        Column("low", "score", "One row in a hundred has less."),
        Column("median", "score", "Half of the rows have less."),
        Column("high", "score", "One row in a hundred has more."),
        Column("usual", "name", "Bounds beyond which it is unusual; null: none."),
        Column("threshold", "name", "Bounds of the profile; null: none."),
        Column("left_out", "count", "Rows of it that the mixes leave out for that, over all mixes; null: no bounds."),
    ),
)
FORMS = (MEASURED, SPREAD)


def fill(inputs: Inputs) -> Iterator[ReportTable]:
    """Fill the tables of this module; they are empty if step `measure` has not run."""
    sources = inputs.measured.stats["sources"] if inputs.measured else {}
    rows = [
        (
            source,
            entry["rows"],
            entry["unusual_rows"],
            share(entry["unusual_rows"], entry["rows"]),
            *(entry["unusual"].get(name) for name in MEASURES),
        )
        for source, entry in sources.items()
    ]
    yield MEASURED.fill(sorted(rows, key=lambda row: (-(row[3] or 0.0), row[0])))
    yield SPREAD.fill(row for source in sorted(sources) for row in _spread(inputs, source, sources[source]))


def _spread(inputs: Inputs, source: str, entry: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    usual = usual_of(inputs.manifests[source].task)
    thresholds = dict(inputs.build.profile.quality.of(source).stated())
    for figure, spread in entry["spread"].items():
        bounds = thresholds.get(figure)
        left_out = None
        if bounds is not None:
            kind = figure.replace("_", "-")
            left_out = sum(mix.stats["filters"].get(source, {}).get(kind, 0) for mix in inputs.made_mixes.values())
        common = str(usual[figure]) if figure in usual else None
        values = (spread["low"], spread["median"], spread["high"])
        yield source, figure, *values, common, str(bounds) if bounds else None, left_out
