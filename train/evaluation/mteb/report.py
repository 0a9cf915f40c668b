"""The report of an evaluation on MTEB: scores by task and benchmark, contamination, published scores beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from rich.console import Console

from open_ml_embed.core.fitting_table import Table
from train.evaluation.mteb.catalog import MEAN, Suite, installed_mteb, listed_tasks, published, suite_17
from train.evaluation.mteb.contamination import KNOWN, LEGEND, MARKS, Mark
from train.evaluation.mteb.encoder import Identity
from train.evaluation.mteb.run import Job, Outcome
from train.export.export import Cut

BESIDE = ("ML-Embed-0.6B", "F2LLM-v2-0.6B", "F2LLM-v2-80M", "Qwen3-Embedding-0.6B")
"""Published models that tables show by default."""
PREFERRED = ("ml-embed", "f2llm-v2-table-2", "f2llm-v2-table-3", "results", "best")
"""Sources of published scores; of two figures of a model on a benchmark the first source's is shown."""
UNCONFIRMED, OTHER_TASKS, INFERRED = "*", "†", "‡"


def report_of(
    suites: Sequence[Suite],
    jobs: Sequence[Job],
    metas: Sequence[tuple[Cut | None, Any]],
    cache: Any,
    identity: Identity,
    marks: Mapping[str, Mark],
    outcome: Outcome,
) -> dict[str, Any]:
    """Return the content of `mteb.json`.

    Returns:
        ``model`` (name, revision, instructed), ``mteb`` (its version), ``cuts`` (null for the whole model);
        ``tasks``: by name the metric, type, benchmarks, contamination, and for each cut the main score of each
        `split/subset`, 0 to 1; ``benchmarks``: by label mteb's name, the number of tasks, of tasks with all scores, and
        of contaminated tasks, and for each cut ``mean`` (of all tasks, null while one is missing), ``mean_of_done``,
        and ``mean_unseen`` (of the done tasks that are not contaminated), in percent;
        ``missing`` and ``failed``: why, by task.

    """
    tasks: dict[str, dict[str, Any]] = {}
    for job in jobs:
        entry = tasks.setdefault(job.name, _task(job, marks, len(metas)))
        entry["benchmarks"] = [*dict.fromkeys([*entry["benchmarks"], *job.suites])]
        for position, (_, meta) in enumerate(metas):
            entry["scores"][position] |= _scores(job, cache, meta)
    for entry in tasks.values():
        entry["scores"] = [dict(sorted(scores.items())) for scores in entry["scores"]]
    by_suite = {suite.label: _suite(suite, jobs, tasks, metas, cache, marks) for suite in suites}
    return {
        "model": {"name": identity.name, "revision": identity.revision, "instructed": identity.instructed},
        "mteb": installed_mteb().__version__,
        "cuts": [None if cut is None else asdict(cut) for cut, _ in metas],
        "benchmarks": by_suite,
        "tasks": tasks,
        "missing": {name: f"{error.where}: {error.what}" for name, error in sorted(outcome.missing.items())},
        "failed": {name: f"{error.where}: {error.what}" for name, error in sorted(outcome.failed.items())},
    } | ({"all17": _all17(by_suite)} if {listed.label for listed in suite_17()} <= by_suite.keys() else {})


def _task(job: Job, marks: Mapping[str, Mark], cuts: int) -> dict[str, Any]:
    metadata = job.task.metadata
    listed = listed_tasks().get(job.name)
    return {
        "metric": metadata.main_score,
        "type": metadata.type,
        "benchmarks": [],
        "contamination": marks[job.name].as_json() if job.name in marks else None,
        "declared_by_f2llm_v2": listed["declared_by_f2llm_v2"] == "1" if listed else None,
        "scores": [{} for _ in range(cuts)],
    }


def _scores(job: Job, cache: Any, meta: Any) -> dict[str, float]:
    result = cache.load_task_result(job.name, meta)
    if result is None:
        return {}
    found = {(split, s["hf_subset"]): s["main_score"] for split, scores in result.scores.items() for s in scores}
    return {
        f"{split}/{subset}": round(float(found[split, subset]), 6)
        for split, subset in job.slots
        if found.get((split, subset)) is not None
    }


def task_score(job: Job, cache: Any, meta: Any) -> float | None:
    """Return the score of a task in a benchmark: mteb's mean over its splits and subsets; None if one is missing."""
    result = cache.load_task_result(job.name, meta)
    if result is None:
        return None
    score = result.validate_and_filter_scores(job.task).get_score()
    return None if score is None or np.isnan(score) else float(score)


def _suite(
    suite: Suite,
    jobs: Sequence[Job],
    tasks: Mapping[str, Any],
    metas: Sequence[tuple[Cut | None, Any]],
    cache: Any,
    marks: Mapping[str, Mark],
) -> dict[str, Any]:
    own = [job for job in jobs if suite.label in job.suites]
    known = {job.name for job in own if job.name in marks and marks[job.name].status in KNOWN}
    unchecked = {job.name for job in own if job.name in marks and marks[job.name].status == "unchecked"}
    cells = []
    done = 0
    for position, (_, meta) in enumerate(metas):
        scores = {job.name: score for job in own if (score := task_score(job, cache, meta)) is not None}
        done = len(scores) if position == 0 else min(done, len(scores))
        complete = len(scores) == len(own)
        cells.append(
            {
                "mean": _percent(list(scores.values())) if complete else None,
                "mean_of_done": _percent(list(scores.values())),
                "mean_unseen": _percent([score for name, score in scores.items() if name not in known]),
            }
        )
    listed = suite.listed
    return {
        "name": suite.benchmark.name,
        "tasks": len(own),
        "done": done,
        "contaminated": len(known),
        "unchecked": len(unchecked),
        "cuts": cells,
        "published_tasks": listed.published_tasks if listed else None,
        "confirmed": listed.confirmed if listed else None,
        "note": listed.note if listed else "",
    }


def _all17(by_suite: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mean over the 17 benchmarks, each counting alike, for each cut; null while one is incomplete."""
    cells = []
    own = [by_suite[listed.label] for listed in suite_17()]
    for position in range(len(own[0]["cuts"])):
        means = [suite["cuts"][position]["mean"] for suite in own]
        cells.append(None if None in means else round(float(np.mean(means)), 2))
    return {"tasks": sum(suite["tasks"] for suite in own), "cuts": cells}


def _percent(scores: Sequence[float]) -> float | None:
    return round(100 * float(np.mean(scores)), 2) if scores else None


def published_beside(models: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return (model, benchmark) → the published score as tables show it, with signs for what is not confirmed."""
    shown: dict[tuple[str, str], str] = {}
    counted = {listed.label: listed.tasks for listed in suite_17()}
    for score in sorted(published(), key=lambda score: PREFERRED.index(score.source), reverse=True):
        if score.model in models:
            signs = "" if score.confirmed else UNCONFIRMED
            signs += OTHER_TASKS if score.tasks not in (None, counted.get(score.benchmark, score.tasks)) else ""
            shown[score.model, score.benchmark] = f"{score.score:.2f}{signs}"
    return shown


def best() -> dict[str, str]:
    """Return the best published score of each benchmark, of a model with every task."""
    return {score.benchmark: f"{score.score:.2f}" for score in published() if score.source == "best"}


def benchmark_table(report: Mapping[str, Any], beside: Sequence[str] = BESIDE) -> list[list[str]]:
    """Return the table of benchmarks as rows of texts; the first row has the titles."""
    shown, top = published_beside(beside), best()
    cuts = [_cut_name(cut) for cut in report["cuts"]]
    rows = [["benchmark", "tasks", "done", "contaminated", *cuts, *[f"{cut}, unseen" for cut in cuts], *beside, "best"]]
    for label, suite in report["benchmarks"].items():
        name = label + (INFERRED if suite["confirmed"] is False else "")
        seen = str(suite["contaminated"]) + (f" ({suite['unchecked']} unchecked)" if suite["unchecked"] else "")
        own = [_shown(cell["mean"], cell["mean_of_done"]) for cell in suite["cuts"]]
        unseen = [_shown(cell["mean_unseen"], None) for cell in suite["cuts"]]
        others = [shown.get((model, label), "") for model in beside]
        rows.append([name, str(suite["tasks"]), str(suite["done"]), seen, *own, *unseen, *others, top.get(label, "")])
    if "all17" in report:
        means = [_shown(mean, None) for mean in report["all17"]["cuts"]]
        others = [shown.get((model, MEAN), "") for model in beside]
        whole = report["all17"]["tasks"]
        rows.append(["mean of the 17", str(whole), "", "", *means, *["" for _ in means], *others, ""])
    return rows


def task_table(report: Mapping[str, Any]) -> list[list[str]]:
    """Return the table of tasks as rows of texts: a row for each slot, with the sign of its task's contamination."""
    rows = [["task", "metric", "split/subset", "mark", *[_cut_name(cut) for cut in report["cuts"]]]]
    for task, entry in report["tasks"].items():
        mark = MARKS[entry["contamination"]["status"]] if entry["contamination"] else ""
        for slot in sorted({slot for scores in entry["scores"] for slot in scores}):
            cells = [f"{scores[slot]:.4f}" if slot in scores else "" for scores in entry["scores"]]
            rows.append([task, entry["metric"], slot, mark, *cells])
    return rows


def notes(report: Mapping[str, Any]) -> list[str]:
    """Return what the signs in the tables mean, and what is not as published."""
    lines = [
        "Means over tasks of their main scores, in percent; (in brackets): of the tasks that are done. "
        "Unseen: without the tasks that the training mix contaminates.",
        LEGEND + ".",
    ]
    if report["benchmarks"]:
        lines.append(
            f"{UNCONFIRMED} not compared with the paper. {OTHER_TASKS} over another number of tasks. "
            f"{INFERRED} the version of the benchmark was inferred. Sources: train/evaluation/mteb/published.tsv."
        )
    for label, suite in report["benchmarks"].items():
        listed = next((listed for listed in suite_17() if listed.label == label), None)
        if suite["note"]:
            lines.append(f"{label}: {suite['note']}.")
        if listed is not None and suite["tasks"] != listed.tasks:
            lines.append(f"{label}: mteb {report['mteb']} has {suite['tasks']} tasks, mteb 2.26.24 {listed.tasks}.")
    return lines


def markdown(report: Mapping[str, Any], beside: Sequence[str] = BESIDE) -> str:
    """Return the report as Markdown."""
    model = report["model"]
    lines = [f"# {model['name']} on MTEB", "", f"Revision {model['revision']}, mteb {report['mteb']}.", ""]
    for table in ([benchmark_table(report, beside)] if report["benchmarks"] else []) + [task_table(report)]:
        first, *rest = table
        lines += [_row(first), "|" + " --- |" * len(first), *map(_row, rest), ""]
    lines += [f"- {note}" for note in notes(report)]
    for title, found in (("No data", report["missing"]), ("Failed", report["failed"])):
        if found:
            lines += ["", f"## {title}", "", *[f"- {task}: {why}" for task, why in found.items()]]
    return "\n".join(lines) + "\n"


def show(report: Mapping[str, Any], console: Console, beside: Sequence[str] = BESIDE) -> None:
    """Print the table of benchmarks, or of tasks if there are no benchmarks; in several parts on a narrow terminal."""
    rows = benchmark_table(report, beside) if report["benchmarks"] else task_table(report)
    for columns in _parts(rows, console.width):
        table = Table(*[rows[0][column] for column in columns])
        for row in rows[1:]:
            table.add_row(*[row[column] for column in columns])
        console.print(table)
    for note in notes(report):
        console.print(note)


def _parts(rows: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """Return the columns of each part of a table that is at most `width` wide; every part has the first column."""
    widths = [max(len(row[column]) for row in rows) + 3 for column in range(len(rows[0]))]
    parts = [[0]]
    for column in range(1, len(widths)):
        if len(parts[-1]) > 1 and 1 + sum(widths[c] for c in [*parts[-1], column]) > width:
            parts.append([0])
        parts[-1].append(column)
    return parts


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cut_name(cut: Mapping[str, int] | None) -> str:
    return "score" if cut is None else f"L{cut['layers']} d{cut['dim']} r{cut['rank']}"


def _shown(mean: float | None, partial: float | None) -> str:
    return f"{mean:.2f}" if mean is not None else f"({partial:.2f})" if partial is not None else ""
