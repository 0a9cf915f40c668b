"""Fits the rates of `curate plan` to the costs of rehearsals: seconds of rows, of characters and of subsets."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import yaml
from scipy.optimize import nnls

from benchmarks.rehearsal.growth import Figures
from benchmarks.rehearsal.sums import Build
from sources import registry

_HEAD = """\
# What the steps of a build take, for `curate plan`: seconds of a worker for a million rows, a million characters and
# a subset, which are added up, and growth above linear. `characters` are the mean lengths of a sample by task: of its
# query, positive and given negatives together. `settings` are those of the profile that a rate depends on, as they
# were when it was measured: the plan says where a profile has others. `benchmarks.rehearsal --rates` writes this file.
"""
_SETTINGS: dict[str, dict[str, Any]] = {
    "identify": {"languages.backend": "bundled"},
    "dedup": {"dedup.num_perm": 128, "dedup.bands": 21},
    "decontaminate": {"decontaminate.mteb.benchmarks": [], "decontaminate.sets": ["evaluation/planted"]},
    "mine": {"mining.teacher.model": "bm25", "mining.num_negatives": 24},
}
_UNMEASURED = {
    "fetch": "it depends on the network, and on what the origins allow",
    "train": "it depends on backbone and accelerator; docs/training.md says what a run reports",
}
_MIXES = ("mix retrieval", "mix instruction")
_STEPS = ("normalize", "identify", "measure", "dedup", "decontaminate", "mine", "mix")
_GROWING = ("mine",)
"""Steps whose time may grow faster than their rows: a query is compared with the documents of its pool."""


def characters(build: Build) -> dict[str, int]:
    """Return source → characters of all texts of its rows."""
    found: dict[str, int] = defaultdict(int)
    for shard in build.shards:
        table = build.store.read_table(f"rows/{shard['path']}.rows.arrow", ["query", "positive", "negatives"])
        columns = [table["query"], table["positive"], pc.list_flatten(table["negatives"])]
        found[shard["source"]] += sum(int(pc.sum(pc.utf8_length(column)).as_py() or 0) for column in columns)
    return dict(sorted(found.items()))


def lengths(figures: list[Figures]) -> dict[str, float]:
    """Return task → mean characters of a sample, of the largest run that has each source."""
    of_source = {
        name: (each.of_sources[name], count) for each in figures for name, count in sorted(each.characters.items())
    }
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, (rows, count) in of_source.items():
        pair = sums[registry.load(name).task]
        pair[0] += rows
        pair[1] += count
    return {task: round(count / rows, 1) for task, (rows, count) in sorted(sums.items()) if rows}


def fit(figures: list[Figures], of_task: dict[str, float]) -> dict[str, dict[str, float]]:
    """Return step → rate, by least squares of relative errors without negative rates.

    Args:
        figures: of runs of different sizes, and of sources with short and with long texts. A run that ended before a
            step tells nothing about that one.
        of_task: mean characters by task, with which the plan will reckon.

    """
    found = {}
    for step in _STEPS:
        ran = [each for each in figures if _names(step) <= each.steps.keys()]
        if not ran:
            continue
        sizes = np.array([_size(each, of_task) for each in ran])
        largest = int(sizes[:, 0].max())
        cpu = np.array([sum(each.steps[name]["cpu"] for name in _names(step)) for each in ran])
        best: tuple[float, float, np.ndarray] | None = None
        for growth in np.arange(1, 1.51, 0.02) if step in _GROWING else (1.0,):
            grown = (sizes[:, :1] / largest) ** (growth - 1)
            columns = np.hstack([sizes[:, :2] / 1e6 * grown, sizes[:, 2:]]) / cpu[:, None]
            rate, residual = nnls(columns, np.ones(len(cpu)))
            if best is None or residual < best[0] - 1e-9:
                best = float(residual), float(growth), rate
        assert best is not None
        _, growth, (rows, texts, subsets) = best
        named = {
            "seconds_per_million_rows": rows,
            "seconds_per_million_characters": texts,
            "seconds_per_subset": subsets,
        }
        found[step] = {name: float(f"{value:.3g}") for name, value in named.items() if value > 1e-9}
        if growth > 1:
            found[step] |= {"growth": round(float(growth), 2), "at_rows": largest}
    return found


def write(figures: list[Figures], path: Path, machine: str) -> None:
    """Write the file of rates."""
    of_task = lengths(figures)
    steps = {step: rate | ({"settings": _SETTINGS[step]} if step in _SETTINGS else {}) for step, rate in
             fit(figures, of_task).items()}  # fmt: skip
    content = {
        "measured_on": f"rehearsals of the corpus (docs/scale.md) and of parts of it, {machine}",
        "command": ".venv/bin/python -m benchmarks.rehearsal --earlier FIGURES... --rates",
        "caution": "the texts were made up, with lengths like those of the corpus; the lengths of your own may differ",
        "characters": of_task,
        "steps": steps,
        "unmeasured": _UNMEASURED,
    }
    path.write_text(_HEAD + yaml.safe_dump(content, sort_keys=False, width=120), "utf-8")


def _size(figures: Figures, of_task: dict[str, float]) -> tuple[float, float, float]:
    manifests = {name: registry.load(name) for name in figures.of_sources}
    count = sum(rows * of_task[manifests[name].task] for name, rows in figures.of_sources.items())
    return float(figures.rows), count, float(sum(len(manifest.subsets) for manifest in manifests.values()))


def _names(step: str) -> set[str]:
    return set(_MIXES) if step == "mix" else {step}
