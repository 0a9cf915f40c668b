"""The pages of the report, made from its tables and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from curation.report import charts, published
from curation.report.data import ReportData
from curation.report.formats import written
from curation.report.grid import FOLDED, Grids
from curation.report.tables.languages import CORPUS
from curation.report.tables.sources import STAGES

SECTIONS = {
    "funnel": "Funnel",
    "plan": "Build and plan",
    "quality": "Text quality",
    "languages": "Languages",
    "kalm": "Beside KaLM-Embedding",
    "agreement": "Identified languages",
    "tasks": "Tasks",
    "mixes": "Mixes and licenses",
    "lengths": "Lengths",
    "duplicates": "Duplicates",
    "contamination": "Evaluation sets",
    "negatives": "Negatives",
    "rows": "Example rows",
    "model": "Model",
    "sources": "Sources",
    "build": "Build and settings",
}
"""Anchor → heading, in order."""
FEWEST_BARS = 4
"""Fewest languages for which a chart is drawn."""
HEAT = 32
"""Lines and columns of a heat map."""
MOST = {
    "quality_sides": 40,
    "confusion": 10,
    "disagreements": 6,
    "turned_down_examples": 4,
    "overlaps": 200,
    "mix_pairs": 150,
}
"""Table → rows of it that the page shows: of each source or pool, of `quality_sides` and `overlaps` in all."""


def report_page(data: ReportData, profile: str) -> bytes:
    """Return the report, one self-contained HTML file; equal tables give equal bytes."""
    return _render("report.html", data, profile, _charts(data) | {"sections": SECTIONS, "stages": STAGES})


def contamination_page(data: ReportData, profile: str) -> bytes:
    """Return the audit of contamination alone, to be published beside a model."""
    settings = data["settings"].rows
    searched_with = [number for number, row in enumerate(settings) if row["setting"].startswith("decontaminate.")]
    return _render("audit.html", data, profile, {"searched_with": searched_with})


def _render(template: str, data: ReportData, profile: str, more: Mapping[str, Any]) -> bytes:
    grids, script = Grids(data), _resource("report.js")
    context = {
        "profile": profile,
        "css": Markup(_resource("report.css")),  # noqa: S704 (our own file)
        "script": Markup(script),  # noqa: S704 (our own file)
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "data": data,
        "grid": grids.grid,
        "fold": grids.fold,
        "value": grids.value,
        "total": grids.total,
        "first_of_each": lambda name, column: first_of_each(data, name, column, MOST[name]),
        "most": MOST,
        "folded": FOLDED,
        "published": published,
        "mixes": list(dict.fromkeys(row["mix"] for row in data["funnel"].rows)),
        "ran": {row["step"]: row["ran"] for row in data["steps"].rows},
        "stage_colors": charts.STAGE_COLOURS,
        "family_colors": charts.FAMILY_COLOURS,
        "ring_colors": charts.RING_COLOURS,
        "most_bars": charts.MOST_BARS,
        "most_languages": charts.MOST_LANGUAGES,
        "written": written,
        "loads": json.loads,
    }
    return _environment().get_template(template).render(context, **more).encode()


def first_of_each(data: ReportData, name: str, column: str, most: int) -> list[int]:
    """Return the numbers of the first rows of a table for each value of a column."""
    seen: dict[Any, int] = {}
    numbers = []
    for number, row in enumerate(data[name].rows):
        seen[row[column]] = seen.get(row[column], 0) + 1
        if seen[row[column]] <= most:
            numbers.append(number)
    return numbers


def _charts(data: ReportData) -> dict[str, Any]:
    languages = data["languages"].rows
    of_kind = {kind: [row for row in languages if row["kind"] == kind] for kind in ("natural", "programming")}
    natural = {row["code"] for row in of_kind["natural"] if row["on_either_side"]}
    matrix = charts.confusion(data["confusion"].rows, natural)
    funnel, ring = data["funnel"].rows, data["ring"].rows
    mixes = dict.fromkeys(row["mix"] for row in funnel)
    bins, scores, pairs = data["length_histogram"].rows, data["scores"].rows, data["duplicate_matrix"].rows
    return {
        "funnel_charts": {mix: charts.funnel_chart(mix, [r for r in funnel if r["mix"] == mix]) for mix in mixes},
        "language_charts": {kind: _language_chart(kind, rows) for kind, rows in of_kind.items()},
        "ring_charts": {of: charts.ring_chart(ring, (of, published.KALM)) for of in (CORPUS, *mixes)},
        "heat_chart": _heat(data),
        "confusion_chart": charts.confusion_chart(matrix) if matrix else None,
        "task_chart": charts.task_chart(data["tasks"].rows),
        "license_chart": charts.license_chart(data["mix_licenses"].rows) if mixes else None,
        "length_chart": charts.length_chart(data["sources"].rows, bins) if bins else None,
        "matrix_chart": charts.heat_map(
            "duplicates",
            pairs,
            "source",
            "kept_in",
            "duplicates",
            ("source of the duplicates", "source of the kept rows"),
            HEAT,
        )
        if len(pairs) >= FEWEST_BARS
        else None,
        "score_chart": charts.score_chart(scores) if any(row["side"] == "positive" for row in scores) else None,
        "model_charts": charts.evaluation_charts(data["model"].rows) if len(data["model"]) else [],
    }


def _language_chart(kind: str, rows: Sequence[charts.Row]) -> Markup | None:
    """Draw the chart of languages; null if there are too few for a chart."""
    return charts.language_chart(kind, rows) if sum(1 for row in rows if row["rows"]) >= FEWEST_BARS else None


def _heat(data: ReportData) -> Markup | None:
    rows = data["source_languages"].rows
    if len(rows) < FEWEST_BARS:
        return None
    return charts.heat_map("source-languages", rows, "source", "code", "rows", ("source", "language"), HEAT)


def _resource(name: str) -> str:
    return (files("curation.report") / name).read_text("utf-8")


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(files("curation.report"))),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
