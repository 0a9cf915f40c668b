"""Tables on the build as a whole: key figures, versions, settings, operations, and the model trained on it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from curation.build import title
from curation.pipeline.dependencies import SHOWN_NOWHERE
from curation.pipeline.overrides import overridden
from curation.report.inputs import Inputs
from curation.report.model import METRICS, Evaluation, Point, read_evaluation
from curation.report.tables.form import Column, Form, ReportTable
from open_ml_embed.core.errors import CorpusError
from open_ml_embed.core.json_text import loads
from open_ml_embed.core.version import code_commit, git, version

FIGURES = Form(
    "figures",
    "report",
    "The key figures at the top of the page.",
    ("figure",),
    (
        Column("figure", "name", "What it is."),
        Column("value", "count", "A count; null where it is a score."),
        Column("score", "score", "A score; null where it is a count."),
        Column("note", "text", "What it counts."),
        Column("note_value", "count", "A count that the note has; null: none."),
        Column("note_score", "score", "A score that the note has; null: none."),
    ),
)
BUILD = Form(
    "build",
    "report",
    "What the build was made by.",
    ("what",),
    (
        Column(
            "what",
            "name",
            "profile; version of this program; code: the git commit of the program, with -dirty if its files have "
            "changed since; commit and committed: that of the project's folder, and its date.",
        ),
        Column("value", "text", "Its value; null: unknown."),
    ),
)
STEPS = Form(
    "steps",
    "report",
    "The steps of the build, in the order they run, and the versions of their operations.",
    ("step", "operation"),
    (
        Column("step", "name", "As the command names it."),
        Column("ran", "flag", "Whether it has been run."),
        Column("operation", "name", "Operation of the step; null if it has not been run."),
        Column("version", "count", "Version of the operation; it is raised when results change."),
    ),
)
SETTINGS = Form(
    "settings",
    "report",
    "All settings of the profile, defaults included, and the recipes of its mixes; not those of training, nor where "
    "raw files are on this machine.",
    ("setting",),
    (
        Column("setting", "tag", "Section and name, as in params.yaml."),
        Column("value", "text", "Its value as JSON."),
        Column(
            "default",
            "flag",
            "Whether a profile that leaves it out has this value, by default or because of another setting; null: it "
            "cannot be left out.",
        ),
    ),
)
MODEL = Form(
    "model",
    "evaluate",
    "Scores of the trained and the untrained model for every cut, the largest first.",
    ("model", "layers", "dimensions", "rank"),
    (
        Column("model", "name", "trained or untrained."),
        Column("layers", "count", "Layers; 0: not varied."),
        Column("dimensions", "count", "Dimensions of the embedding; 0: not varied."),
        Column("rank", "count", "Rank of the token embedding; 0: whole."),
        *(Column(metric.replace("@", "_at_"), "score", f"{metric}; null: not measured.") for metric in METRICS),
    ),
)
MODEL_SOURCES = Form(
    "model_sources",
    "evaluate",
    "nDCG@10 of the whole model by source of the held-out queries.",
    ("source",),
    (
        Column("source", "name", "Name of the source."),
        Column("queries", "count", "Held-out queries."),
        Column("untrained", "score", "nDCG@10 before training; null: not measured."),
        Column("trained", "score", "nDCG@10."),
    ),
)
EVALUATION = Form(
    "evaluation",
    "evaluate",
    "What the model was evaluated on; one row, or none if it was not.",
    (),
    (
        Column("queries", "count", "Held-out queries; null: unknown."),
        Column("documents", "count", "Documents; null: unknown."),
        Column("ratio", "number", "nDCG@10 of the whole model, trained divided by untrained; null: unknown."),
    ),
)
_PATHS = ("languages.model", "mining.teacher.model", "mining.second_opinion")
"""Settings that may hold a path, which the build has relative to the current directory."""
FORMS = (FIGURES, BUILD, STEPS, SETTINGS, MODEL, MODEL_SOURCES, EVALUATION)


def fill(inputs: Inputs, tables: Mapping[str, ReportTable]) -> Iterator[ReportTable]:
    """Fill the tables of this module.

    Args:
        inputs: results of the steps.
        tables: those of the other modules, from which the key figures are taken.

    """
    evaluation = read_evaluation(inputs.evaluation)
    yield FIGURES.fill(_figures(inputs, tables, evaluation))
    yield BUILD.fill(_build(inputs))
    yield STEPS.fill(_steps(inputs))
    yield SETTINGS.fill(_settings(inputs))
    yield MODEL.fill(_points(evaluation))
    yield MODEL_SOURCES.fill(
        (s, n, before, after) for s, n, after, before in (evaluation.by_source if evaluation else ())
    )
    yield EVALUATION.fill([(evaluation.queries, evaluation.documents, evaluation.ratio)] if evaluation else [])


def _figures(
    inputs: Inputs, tables: Mapping[str, ReportTable], evaluation: Evaluation | None
) -> Iterator[tuple[object, ...]]:
    sources, languages = tables["sources"], tables["languages"]
    yield "rows", sources.sum("rows"), None, "normalized samples", None, None
    skipped = len(tables["skipped"])
    yield "sources", len(sources), None, "skipped" if skipped else "none skipped", skipped or None, None
    for name, kind in (("languages", "natural"), ("programming languages", "programming")):
        count = sum(1 for row in languages.rows if row["kind"] == kind and row["on_either_side"])
        yield name, count, None, "declared by the sources", None, None
    for name, mix in inputs.made_mixes.items():
        counts = mix.stats["counts"]
        yield f"{name} mix", counts["samples"], None, "documents", counts["documents"], None
    if inputs.dedup:
        sample = tables["duplicates"].rows[0]
        near = sample["near_duplicates"]
        yield "duplicates", sample["exact_duplicates"] + near, None, "of them near-duplicates", near, None
    if inputs.decontaminated and inputs.decontaminated.stats["tasks"]:
        sets = len(inputs.decontaminated.stats["tasks"])
        yield (
            "contaminated",
            tables["contaminated"].sum("contaminated"),
            None,
            "evaluation set looked for" if sets == 1 else "evaluation sets looked for",
            sets,
            None,
        )
    yield "quarantined", sources.sum("quarantined"), None, "records kept aside, with reasons", None, None
    scores = evaluation.full() if evaluation else None
    if scores:
        after, before = scores
        yield "nDCG@10", None, after, "before training" if before is not None else "of the whole model", None, before


def _build(inputs: Inputs) -> Iterator[tuple[str, str | None]]:
    commit, committed = _commit_of(inputs.build.root)
    yield "profile", inputs.build.name
    yield "version", version()
    yield "code", code_commit()
    yield "commit", commit
    yield "committed", committed


def _commit_of(folder: Path) -> tuple[str | None, str | None]:
    """Return the git commit of a folder and its date (ISO 8601); nulls if the folder is in no repository."""
    commit, _, date = (git(folder, "log", "-1", "--format=%H %cI") or "").partition(" ")
    return commit or None, date or None


def _steps(inputs: Inputs) -> Iterator[tuple[object, ...]]:
    results = {
        "normalize": inputs.rows,
        "identify": inputs.identified,
        "measure": inputs.measured,
        "dedup": inputs.dedup,
        "decontaminate": inputs.decontaminated,
        "mine": inputs.mined,
    } | {f"mix-{name}": mix for name, mix in inputs.mixes.items()}
    for step, result in results.items():
        if result is None:
            yield title(step), False, None, None
            continue
        operations = result.made_from.get("operations") or {}
        for name, number in sorted(operations.items()) or [(None, None)]:
            yield title(step), True, name, number


def _settings(inputs: Inputs) -> Iterator[tuple[str, str, bool | None]]:
    profile = inputs.build.profile
    for step, result in (("decontaminate", inputs.decontaminated), ("mine", inputs.mined)):
        profile = overridden(replace(inputs.build, profile=profile), step, result.overrides if result else {}).profile
    dumped = profile.model_dump(mode="json", exclude=SHOWN_NOWHERE)
    for path, value in _leaves(dumped):
        setting = ".".join(path)
        shown = _from_root(_json(value), inputs.build.root) if setting in _PATHS else _json(value)
        yield setting, shown, _is_default(type(profile), dumped, path, value)
    for name, recipe in inputs.recipes.items():
        for path, value in _leaves(recipe.model_dump(mode="json", exclude={"name"})):
            yield ".".join(("recipe", name, *path)), _json(value), None


def _is_default(model: type[BaseModel], settings: dict[str, Any], path: tuple[str, ...], value: Any) -> bool | None:
    """Tell whether settings without this one would have the value too; null if they must have it."""
    without = copy.deepcopy(settings)
    inner = without
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    try:
        found = model.model_validate(without).model_dump(mode="json")
        for key in path:
            found = found[key]
    except (ValidationError, CorpusError, KeyError):
        return None
    return bool(found == value)


def _from_root(value: str, root: Path) -> str:
    """Return a setting as JSON, with a path below the folder of the settings file relative to that folder."""
    named = loads(value)
    if named is None:
        return value
    kind, separator, folder = named.rpartition("vectors:")
    path = Path(folder).resolve()
    if not path.exists() or not path.is_relative_to(root.resolve()):
        return value
    return json.dumps(kind + separator + path.relative_to(root.resolve()).as_posix(), ensure_ascii=False)


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield (keys that lead to it, value) of everything that is no mapping, in order."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    else:
        yield path, value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _points(evaluation: Evaluation | None) -> Iterator[tuple[object, ...]]:
    if evaluation:
        both: tuple[tuple[str, list[Point]], ...] = (
            ("trained", evaluation.trained),
            ("untrained", evaluation.untrained),
        )
        for which, points in both:
            for point in reversed(points):
                yield which, *point.size, *(point.scores.get(metric) for metric in METRICS)
