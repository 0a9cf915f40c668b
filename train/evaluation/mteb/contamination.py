"""Which tasks the training mixes contaminate, from the step files of the builds that the mixes belong to.

Step `decontaminate` compares the rows of a build with evaluation sets, and the mixes leave contaminated rows out. A
task may still be known to a mix: by overlaps on a side that `decontaminate.drop` keeps, and by a source that holds so
much of the task that other texts of it, in other words, are likely in it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from curation.build import Build, StepResult
from curation.pipeline.opening import open_build
from curation.tables.contamination import SIDES
from train.loop.upstream import steps_beside

Status = Literal["contaminated", "suspect", "removed", "clean", "unchecked"]
STATUSES: tuple[Status, ...] = ("contaminated", "suspect", "removed", "unchecked", "clean")
"""From the worst to the best."""
KNOWN: tuple[Status, ...] = ("contaminated", "suspect")
"""Statuses of tasks that a score does not count as unseen for."""
MARKS: dict[Status, str] = {"contaminated": "!", "suspect": "?", "removed": "", "clean": "", "unchecked": "~"}
"""Status → its sign in tables."""
LEGEND = (
    "! the training mix holds texts of the task; ? a source of the mix holds much of the task, and only copies were "
    "left out; ~ the mix was not compared with the task"
)


@dataclass(frozen=True)
class Mark:
    """What a training mix has of a task.

    Attributes:
        status: `contaminated`: rows of the mix hold texts of the task. `suspect`: such rows were left out, but a source
            holds so much of the task that step `decontaminate` lists it as not trustworthy. `removed`: such rows were
            left out. `clean`: no row holds a text of it. `unchecked`: the mix was not compared with the task.
        rows: rows of the mix's sources with texts of the task that stay in the mix.
        rows_left_out: such rows that the mix leaves out.
        sources: sources of the mix that hold texts of the task, sorted.

    """

    status: Status
    rows: int = 0
    rows_left_out: int = 0
    sources: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the mark as data for JSON."""
        return asdict(self) | {"sources": list(self.sources)}


UNCHECKED = Mark("unchecked")


def marks(params: Path, mixes: Iterable[str], tasks: Iterable[Any]) -> dict[str, Mark]:
    """Return the mark of each task, the worst over all mixes; an aggregate task has the worst of its parts.

    Args:
        params: the settings file; only builds in its folder are known.
        mixes: folders of the mixes that the model is trained on.
        tasks: MTEB tasks.

    """
    audits = [_audit(params, Path(mix)) for mix in dict.fromkeys(mixes)]
    return {
        task.metadata.name: _worst([_mark(audit, part) for audit in audits for part in _parts(task)]) for task in tasks
    }


def _parts(task: Any) -> list[str]:
    return (
        [part for inner in task.metadata.tasks for part in _parts(inner)] if task.is_aggregate else [task.metadata.name]
    )


def _audit(params: Path, mix: Path) -> tuple[StepResult, StepResult] | None:
    """Return the results of `decontaminate` and of a mix; None if the mix was compared with nothing."""
    profile = steps_beside(params, mix)
    if profile is None:
        return None
    build: Build = open_build(profile, params)
    audit, made = build.read("decontaminate"), build.read(f"mix-{mix.resolve().name}")
    if audit is None or made is None or made.made_from.get("contamination") != audit.identity:
        return None
    return audit, made


def _mark(audit: tuple[StepResult, StepResult] | None, task: str) -> Mark:
    if audit is None or task not in audit[0].stats["tasks"]:
        return UNCHECKED
    found, made = audit
    dropped = found.made_from["settings"]["decontaminate"]["drop"]
    stays = left_out = 0
    sources = []
    for source, funnel in made.stats["sources"].items():
        entry = found.stats["sources"].get(source, {"tasks": {}})["tasks"].get(task)
        if entry is None or not funnel["train"]:
            continue
        sources.append(source)
        for side in SIDES:
            rows = sum(entry["rows"].get(side, {}).values())
            left_out += rows if side in dropped else 0
            stays += 0 if side in dropped else rows
    distrusted = any(d["task"] == task and d["source"] in sources for d in found.stats["distrust"])
    status: Status = "contaminated" if stays else "suspect" if distrusted else "removed" if left_out else "clean"
    return Mark(status, stays, left_out, tuple(sorted(sources)))


def _worst(found: Sequence[Mark]) -> Mark:
    """Return one mark for all: the worst status, the sums, and all sources."""
    if not found:
        return UNCHECKED
    status = min((mark.status for mark in found), key=STATUSES.index)
    return Mark(
        status,
        sum(mark.rows for mark in found),
        sum(mark.rows_left_out for mark in found),
        tuple(sorted({source for mark in found for source in mark.sources})),
    )
