"""The 17 benchmarks of the papers, and published scores on them: data files beside this module, with their sources.

>>> [benchmark.label for benchmark in suite_17()][:3], len(suite_17())
(['Multilingual', 'English', 'Code'], 17)

"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from open_ml_embed.core.errors import SettingsError, UnknownNameError
from open_ml_embed.core.optional import require

ALL = "all17"
"""Name that stands for all 17 benchmarks."""
MEAN = "Mean"
"""Name of the mean over the 17 benchmarks in the published scores; each benchmark counts alike."""


@dataclass(frozen=True)
class Listed:
    """One of the 17 benchmarks as it was checked against mteb 2.26.24 and the papers."""

    label: str
    name: str
    """mteb's name."""
    tasks: int
    published_tasks: int
    confirmed: bool
    """Whether a paper names this version of the benchmark; if not, it was inferred from the numbers of tasks."""
    note: str


@dataclass(frozen=True)
class Score:
    """A published score: the mean over a benchmark's tasks, in percent."""

    source: str
    model: str
    benchmark: str
    """Label of the benchmark, or `Mean`."""
    tasks: int | None
    score: float
    confirmed: bool


@dataclass(frozen=True)
class Suite:
    """A benchmark to evaluate on.

    Attributes:
        label: short name in tables.
        benchmark: mteb's benchmark.
        listed: what is known of it if it is one of the 17.

    """

    label: str
    benchmark: Any
    listed: Listed | None = None


@cache
def suite_17() -> tuple[Listed, ...]:
    """Return the 17 benchmarks, in the order of the papers' tables."""
    return tuple(
        Listed(
            label=row["label"],
            name=row["name"],
            tasks=int(row["tasks"]),
            published_tasks=int(row["published_tasks"]),
            confirmed=row["confirmed"] == "yes",
            note=row["note"],
        )
        for row in _rows("benchmarks.tsv")
    )


@cache
def listed_tasks() -> dict[str, dict[str, str]]:
    """Return the 430 distinct tasks of the 17 benchmarks: name → type, benchmarks, declared_by_f2llm_v2."""
    return {row["task"]: row for row in _rows("tasks.tsv")}


@cache
def published() -> tuple[Score, ...]:
    """Return all published scores."""
    return tuple(
        Score(
            source=row["source"],
            model=row["model"],
            benchmark=row["benchmark"],
            tasks=int(row["tasks"]) if row["tasks"] else None,
            score=float(row["score"]),
            confirmed=row["confirmed"] == "yes",
        )
        for row in _rows("published.tsv")
    )


def check_models(names: Sequence[str]) -> None:
    """Raise an UnknownNameError if nothing is published of a model."""
    known = {score.model for score in published()}
    for name in names:
        if name not in known:
            raise UnknownNameError("model with published scores", name, known, where="--beside")


def suites_named(names: Sequence[str]) -> list[Suite]:
    """Return the benchmarks with the given names, each once.

    Args:
        names: `all17`, labels of the 17 (`German`), or mteb's names of benchmarks (`MTEB(deu, v1)`).

    Raises:
        UnknownNameError: there is no benchmark of a name; the remedy has the nearest.
        SettingsError: a benchmark is not of texts alone.
        MissingPackageError: mteb is not installed.

    """
    mteb = installed_mteb()
    by_label = {listed.label: listed for listed in suite_17()}
    by_name = {listed.name: listed for listed in suite_17()}
    known = {benchmark.name: benchmark for benchmark in mteb.get_benchmarks()}
    chosen: dict[str, Suite] = {}
    for name in names:
        if name not in {ALL, *by_label, *known}:
            raise UnknownNameError("benchmark", name, {ALL, *by_label, *known}, where="--benchmark")
        for label in by_label if name == ALL else [name]:
            listed = by_label.get(label) or by_name.get(label)
            suite = Suite(listed.label, _of_mteb(known, listed), listed) if listed else Suite(label, known[label])
            chosen[suite.label] = suite
    for suite in chosen.values():
        _check_texts(suite)
    return list(chosen.values())


def tasks_named(names: Sequence[str]) -> list[Any]:
    """Return the MTEB tasks with the given names.

    Raises:
        UnknownNameError: there is no task of a name.
        MissingPackageError: mteb is not installed.

    """
    mteb = installed_mteb()
    known = {task.metadata.name for task in mteb.get_tasks(exclude_superseded=False, exclude_aggregate=False)}
    for name in names:
        if name not in known:
            raise UnknownNameError("task", name, known, where="--mteb")
    return [mteb.get_task(name) for name in dict.fromkeys(names)]


def installed_mteb() -> Any:
    """Return the package mteb.

    Raises:
        MissingPackageError: it is not installed.

    """
    return require("mteb", what="evaluation on its tasks", where="train3d evaluate")


def _of_mteb(known: dict[str, Any], listed: Listed) -> Any:
    if listed.name not in known:
        raise SettingsError(
            f"this version of mteb has no benchmark {listed.name!r}",
            where=f"--benchmark {listed.label}",
            remedy="pip install 'mteb>=2.26', or name the benchmark that took its place",
        )
    return known[listed.name]


def _check_texts(suite: Suite) -> None:
    other = [task.metadata.name for task in suite.benchmark.tasks if set(task.metadata.modalities) - {"text"}]
    if other:
        raise SettingsError(
            f"{len(other)} of its {len(suite.benchmark.tasks)} tasks are not of texts alone: {', '.join(other[:3])}",
            where=f"--benchmark {suite.label}",
            remedy="name a benchmark of texts",
        )


def _rows(name: str) -> list[dict[str, str]]:
    lines = (Path(__file__).parent / name).read_text("utf-8").splitlines()
    return list(csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t"))
