"""The report's section on evaluation sets, from what step `decontaminate` left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from curation.build import StepResult
from curation.decontamination.matching import REASONS
from curation.tables.contamination import SIDES

MOST_SETS = 60
"""Shown in full, those of which most was found; `steps/decontaminate.json` has all."""
MOST_OVERLAPS = 200


@dataclass(frozen=True)
class Overlap:
    """Rows of a source that overlap with a set on one side, by reason, and how many texts of the set it has."""

    source: str
    task: str
    side: str
    rows: list[int]
    found: int


@dataclass(frozen=True)
class Contamination:
    """What the section shows; `shown` are the sets of which something was found, `clean` counts the others."""

    tasks: dict[str, Any]
    shown: list[dict[str, Any]]
    clean: int
    overlaps: list[Overlap]
    distrust: list[dict[str, Any]]
    contaminated: int
    skipped: dict[str, str]
    reasons: tuple[str, ...] = REASONS


def contamination(step: StepResult) -> Contamination:
    """Gather the section's figures, the larger first."""
    stats = step.stats
    found = [
        {"name": name, "sought": entry["texts"] - entry["too_short"], **entry}
        for name, entry in stats["tasks"].items()
        if entry["found"]
    ]
    found.sort(key=lambda entry: (-entry["found"], entry["name"]))
    overlaps = [
        Overlap(source, task, side, [counts[reason] for reason in REASONS], held["found"])
        for source, entry in stats["sources"].items()
        for task, held in entry["tasks"].items()
        for side, counts in sorted(held["rows"].items(), key=lambda item: list(SIDES).index(item[0]))
    ]
    overlaps.sort(key=lambda o: (-sum(o.rows), o.source, o.task))
    return Contamination(
        tasks=stats["tasks"],
        shown=found[:MOST_SETS],
        clean=len(stats["tasks"]) - len(found),
        overlaps=overlaps[:MOST_OVERLAPS],
        distrust=stats["distrust"],
        contaminated=sum(entry["contaminated"] for entry in stats["sources"].values()),
        skipped=step.skipped,
    )
