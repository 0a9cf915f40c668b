"""The report's section on evaluation sets, from the statistics of step `decontaminate`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from curation.build import StepResult
from curation.decontamination.matching import REASONS
from curation.tables.contamination import SIDES

MOST_SETS = 60
"""Evaluation sets that are listed, those with the most overlaps first; `steps/decontaminate.json` has all."""
MOST_OVERLAPS = 200
"""Overlaps of a source with a set that are listed, the largest first."""


@dataclass(frozen=True)
class Overlap:
    """Overlap of a source with an evaluation set on one side.

    Attributes:
        source: name.
        task: the evaluation set.
        side: `query` or `document`.
        rows: number of overlapping rows for each of `REASONS`.
        found: texts of the set that occur in the source.

    """

    source: str
    task: str
    side: str
    rows: list[int]
    found: int


@dataclass(frozen=True)
class Contamination:
    """Content of the section.

    Attributes:
        tasks: statistics of all evaluation sets, by name.
        shown: sets with texts that occur in the rows.
        clean: number of sets without such texts.
        overlaps: of a source with a set.
        distrust: sources that hold a large part of a set, or have a large share of contaminated rows.
        contaminated: number of contaminated rows.
        skipped: set → why it was skipped.
        reasons: headings of the columns.

    """

    tasks: dict[str, Any]
    shown: list[dict[str, Any]]
    clean: int
    overlaps: list[Overlap]
    distrust: list[dict[str, Any]]
    contaminated: int
    skipped: dict[str, str]
    reasons: tuple[str, ...] = REASONS


def contamination(step: StepResult) -> Contamination:
    """Build the section from the result of step `decontaminate`, the largest figures first."""
    stats = step.stats
    with_overlap = [
        {"name": name, "sought": entry["texts"] - entry["too_short"], **entry}
        for name, entry in stats["tasks"].items()
        if entry["found"]
    ]
    with_overlap.sort(key=lambda entry: (-entry["found"], entry["name"]))
    overlaps = [
        Overlap(source, task, side, [counts[reason] for reason in REASONS], counts_of_task["found"])
        for source, entry in stats["sources"].items()
        for task, counts_of_task in entry["tasks"].items()
        for side, counts in sorted(counts_of_task["rows"].items(), key=lambda item: list(SIDES).index(item[0]))
    ]
    overlaps.sort(key=lambda o: (-sum(o.rows), o.source, o.task))
    return Contamination(
        tasks=stats["tasks"],
        shown=with_overlap[:MOST_SETS],
        clean=len(stats["tasks"]) - len(with_overlap),
        overlaps=overlaps[:MOST_OVERLAPS],
        distrust=stats["distrust"],
        contaminated=sum(entry["contaminated"] for entry in stats["sources"].values()),
        skipped=step.skipped,
    )
