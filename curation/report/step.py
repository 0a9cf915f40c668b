"""`curate report`: write the report, one self-contained HTML file."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import jinja2
import xxhash
from markupsafe import Markup

from curation.build import Build, StepResult
from curation.build import Inputs as StepInputs
from curation.mixing.recipe import load_recipe
from curation.report import charts, examples
from curation.report.contamination import contamination
from curation.report.languages import LanguageRow, agreement, confusion, declared
from curation.report.model import read_evaluation
from curation.report.negatives import negatives_section
from curation.report.quality import KINDS, TITLES, quality
from curation.report.shard_statistics import SourceSurvey, survey
from curation.report.statistics import (
    LOST,
    STAGES,
    Inputs,
    funnel,
    key_figures,
    load_inputs,
    losses,
    tasks,
    total,
)
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.store import Output

SECTIONS = {
    "funnel": "Funnel",
    "quality": "Text quality",
    "languages": "Languages",
    "agreement": "Identified languages",
    "tasks": "Tasks",
    "lengths": "Lengths",
    "duplicates": "Duplicates",
    "contamination": "Evaluation sets",
    "negatives": "Negatives",
    "rows": "Example rows",
    "model": "Model",
    "licenses": "Licenses",
}
"""Anchor → heading, in order."""
FEWEST_BARS = 4
"""Fewest languages for which a chart is drawn."""


def run_report(build: Build, read: StepInputs) -> StepResult:
    """Write `out/<profile>/report.html`; equal inputs give equal bytes.

    Only `normalize` must have been run. The section of a step that has not been run says so.

    Args:
        build: the profile.
        read: results of the steps before.

    Raises:
        StageError: nothing is normalized yet, or the result of a step that has run is not current.

    """
    inputs = load_inputs(build, read)
    html = _environment().get_template("report.html").render(_context(build, inputs)).encode()
    inputs.read.begin()
    write_whole(build.out / "report.html", html)
    result = inputs.read.result(files=[Output("report.html", 0, len(html), xxhash.xxh3_128_hexdigest(html))])
    build.save(result)
    return result


def _context(build: Build, inputs: Inputs) -> dict[str, Any]:
    surveys = survey(build.store, inputs.rows)
    natural, programming = declared(surveys, code=False), declared(surveys, code=True)
    evaluation = read_evaluation(inputs.evaluation)
    of_tasks = tasks(inputs)
    return {
        "profile": build.name,
        "sections": SECTIONS,
        "css": Markup(_resource("report.css")),  # noqa: S704 (our own file)
        "inputs": inputs,
        "figures": key_figures(inputs, len(natural), len(programming), evaluation.full() if evaluation else None),
        "stages": STAGES,
        "lost": LOST,
        "stage_colors": charts.STAGE_COLOURS,
        "family_colors": charts.FAMILY_COLOURS,
        "most_bars": charts.MOST_BARS,
        "funnels": [_funnel(build, inputs, name) for name, mix in inputs.mixes.items() if mix],
        "rows_funnel": funnel(inputs, None),
        "rows_total": total(funnel(inputs, None)),
        "losses": losses(inputs),
        "quality": quality(inputs.rows.stats),
        "quality_kinds": {kind: TITLES.get(kind, kind) for kind in KINDS},
        "natural": natural,
        "programming": programming,
        "natural_chart": _language_chart("natural", natural),
        "programming_chart": _language_chart("programming", programming),
        "tasks": of_tasks,
        "task_chart": charts.task_chart(of_tasks),
        "surveys": surveys,
        "length_chart": charts.length_chart(surveys) if surveys else None,
        "rows": examples.example_rows(build.store, surveys),
        "evaluation": evaluation,
        "model_charts": charts.evaluation_charts(evaluation, "ndcg@10") if evaluation else [],
        **_of_steps(build, inputs, surveys, {row.code for row in natural}),
    }


def _of_steps(build: Build, inputs: Inputs, surveys: dict[str, SourceSurvey], natural: set[str]) -> dict[str, Any]:
    """Return the sections of the later steps; null for steps that have not been run."""
    table = confusion(inputs.identified, natural) if inputs.identified else None
    return {
        "agreement": agreement(inputs.identified) if inputs.identified else None,
        "confusion_chart": charts.confusion_chart(table) if table else None,
        "duplicates": examples.duplicates(build.store, inputs, build.profile.dedup) if inputs.dedup else None,
        "contamination": contamination(inputs.decontaminated) if inputs.decontaminated else None,
        "mined": negatives_section(build, inputs, surveys) if inputs.mined else None,
    }


def _funnel(build: Build, inputs: Inputs, name: str) -> dict[str, Any]:
    rows = funnel(inputs, inputs.mixes[name])
    return {
        "name": name,
        "title": load_recipe(name, build.root).title,
        "rows": rows,
        "total": total(rows),
        "chart": charts.funnel_chart(name, rows),
    }


def _language_chart(name: str, rows: list[LanguageRow]) -> Markup | None:
    """Draw the chart of languages; null if there are too few for a chart."""
    return charts.language_chart(name, rows) if len(rows) >= FEWEST_BARS else None


def _resource(name: str) -> str:
    return (files("curation.report") / name).read_text("utf-8")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(files("curation.report"))),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"n": _count, "percent": _percent, "cut": examples.cut}
    return environment


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _percent(part: float, whole: float) -> str:
    """Format a share in percent; a positive share is never shown as 0 %, nor a share below 1 as 100 %.

    >>> _percent(0, 5), _percent(1, 9999), _percent(1, 3), _percent(9999, 10000), _percent(5, 5)
    ('0 %', '< 0.1 %', '33.3 %', '> 99.9 %', '100 %')
    """
    share = 100 * part / whole if whole else 0.0
    if share in (0.0, 100.0):
        return f"{share:.0f} %"
    if share < 0.1:
        return "< 0.1 %"
    return "> 99.9 %" if share > 99.9 else f"{share:.1f} %"
