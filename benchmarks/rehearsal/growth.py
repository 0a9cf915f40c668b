"""How the cost of each step grows between two sizes of a rehearsal, and what follows for the whole corpus."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

CORPUS = 50_513_802
"""Rows of the published corpus."""
COLUMNS = ("seconds", "cpu", "largest", "memory", "written", "work")


@dataclass
class Figures:
    """One rehearsal: its size, and the cost of each step by name, in seconds and bytes."""

    fraction: float
    rows: int
    raw: int
    generation: float
    steps: dict[str, dict[str, float]]
    planted: dict[str, dict[str, float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    workers: int = 2
    of_sources: dict[str, int] = field(default_factory=dict)
    """Rows of each source."""
    characters: dict[str, int] = field(default_factory=dict)
    """Characters of all texts of each source."""


def exponent(small: Figures, large: Figures, step: str, column: str) -> float:
    """Return the x for which a cost grows as rows to the power x between two sizes.

    >>> small = Figures(0.1, 100, 0, 0, {"mine": {"cpu": 10}})
    >>> exponent(small, Figures(0.4, 400, 0, 0, {"mine": {"cpu": 20}}), "mine", "cpu")
    0.5
    """
    ratio = max(large.steps[step][column], 1e-9) / max(small.steps[step][column], 1e-9)
    return math.log(ratio) / math.log(large.rows / small.rows)


def line(small: Figures, large: Figures, step: str, column: str) -> tuple[float, float]:
    """Return the cost of no row at all, and that of each row, of the line through two sizes."""
    each = (large.steps[step][column] - small.steps[step][column]) / (large.rows - small.rows)
    return large.steps[step][column] - each * large.rows, each


def extrapolated(small: Figures, large: Figures, step: str, column: str) -> float:
    """Return the cost for the whole corpus: on the line through two sizes, or on their power law if that grows faster.

    >>> small = Figures(0.1, 10**6, 0, 0, {"mine": {"cpu": 10}})
    >>> round(extrapolated(small, Figures(0.4, 2 * 10**6, 0, 0, {"mine": {"cpu": 15}}), "mine", "cpu"))
    258
    """
    power = exponent(small, large, step, column)
    if power > 1:
        return large.steps[step][column] * (CORPUS / large.rows) ** power
    fixed, each = line(small, large, step, column)
    return fixed + max(each, 0.0) * CORPUS


def table(figures: Figures) -> str:
    """Return the costs of one rehearsal as a Markdown table."""
    lines = [
        "| step | seconds | CPU seconds | largest process, MiB | all processes, MiB | written, MiB | `work/`, MiB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for step, cost in figures.steps.items():
        shown = [f"{cost['seconds']:,.0f}", f"{cost['cpu']:,.0f}", *(f"{cost[c] / 2**20:,.0f}" for c in COLUMNS[2:])]
        lines.append(f"| {step} | {' | '.join(shown)} |")
    total = [sum(cost[c] for cost in figures.steps.values()) for c in ("seconds", "cpu")]
    return "\n".join([*lines, f"| all | {total[0]:,.0f} | {total[1]:,.0f} | | | | |"])


def growth_table(figures: list[Figures]) -> str:
    """Return the growth between the sizes, and the whole corpus by the two largest, as a Markdown table."""
    head = [f"{a.fraction:g} → {b.fraction:g}" for a, b in itertools.pairwise(figures)]
    names = [f"{what} {sizes}" for what in ("CPU", "memory") for sizes in head]
    lines = [
        f"| step | {' | '.join(names)} | CPU fixed, s | CPU a million rows, s "
        "| whole corpus: CPU hours | memory, GiB | `work/`, GiB |",
        "| --- " * (len(names) + 6) + "|",
    ]
    small, large = figures[-2:]
    for step in (step for step in large.steps if all(step in f.steps for f in figures)):
        powers = [
            f"{exponent(a, b, step, column):.2f}"
            for column in ("cpu", "memory")
            for a, b in itertools.pairwise(figures)
        ]
        fixed, each = line(small, large, step, "cpu")
        whole = [
            f"{max(fixed, 0):,.0f}", f"{each * 1e6:,.0f}", f"{extrapolated(small, large, step, 'cpu') / 3600:,.1f}",
            f"{extrapolated(small, large, step, 'memory') / 2**30:,.1f}",
            f"{extrapolated(small, large, step, 'work') / 2**30:,.0f}",
        ]  # fmt: skip
        lines.append(f"| {step} | {' | '.join([*powers, *whole])} |")
    return "\n".join(lines)


def planted_table(figures: Figures) -> str:
    """Return what was planted and found as a Markdown table."""
    lines = ["| planted | | found |", "| --- | --- | --- |"]
    for kind, counts in figures.planted.items():
        lines.append(f"| {kind} | {counts['planted']:,} | {counts['found']:,} |")
    return "\n".join(lines)


def from_json(data: list[dict[str, Any]]) -> list[Figures]:
    """Return the figures that `as_json` gave.

    >>> one = Figures(0.1, 10, 0, 0, {"mine": {"cpu": 15}})
    >>> from_json(as_json([one])) == [one]
    True
    """
    return [Figures(**each) for each in data]


def as_json(figures: list[Figures]) -> list[dict[str, Any]]:
    """Return the figures as JSON data."""
    return [vars(f) for f in figures]
