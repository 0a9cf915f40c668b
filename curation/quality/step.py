"""Step `measure`: figures of the quality of every row, which thresholds of the profile and the report read."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import numpy as np

from curation.build import Build, Inputs, Shard, StepResult, shards_of
from curation.quality.measures import MEASURES, QUALITY_SCHEMA, SIDES, measure
from curation.quality.usual import bins_of, quantile, usual_of, values_of
from open_ml_embed.core import engine
from open_ml_embed.core.bounds import Range
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import NoSettings, Outputs, Task

ROWS_AT_ONCE = 50_000
"""Rows whose texts are in memory at once."""


class Measure:
    """Operation: measure the rows of a shard; `task.payload` has the usual bounds by figure."""

    name: ClassVar[str] = "quality"
    version: ClassVar[int] = 1

    def __init__(self) -> None:
        self.settings = NoSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Measure one shard."""
        usual: dict[str, Range] = task.payload
        bins: dict[str, Counter[int]] = {figure: Counter() for figure in MEASURES}
        unusual = dict.fromkeys(usual, 0)
        batches, unusual_rows = [], 0
        rows = store.read_table(f"rows/{task.path}.rows.arrow", list(SIDES))
        for start in range(0, rows.num_rows, ROWS_AT_ONCE):
            part = rows.slice(start, ROWS_AT_ONCE)
            table = measure(part["query"], part["positive"])
            batches += table.to_batches()
            some = np.zeros(part.num_rows, np.bool_)
            for figure in MEASURES:
                values = values_of(table, figure)
                bins[figure].update(bins_of(figure, values))
                if figure in usual:
                    outside = usual[figure].outside(values)
                    unusual[figure] += int(np.count_nonzero(outside))
                    some |= outside
            unusual_rows += int(np.count_nonzero(some))
        out.table(self.name, batches, QUALITY_SCHEMA)
        counted = {figure: sorted(counts.items()) for figure, counts in bins.items()}
        return {"unusual": unusual, "unusual_rows": unusual_rows, "bins": counted}


def run_measure(build: Build, inputs: Inputs) -> StepResult:
    """Measure the rows of every shard, and add up statistics by source.

    Raises:
        UnknownNameError: the settings have thresholds for a source that does not exist.

    """
    for source in build.profile.quality.sources:
        build.manifest(source)
    rows = inputs["normalize"]
    inputs.begin()
    operation = Measure()
    corpora = build.corpora()
    usual = {
        name: {
            figure: bounds
            for figure, bounds in usual_of(build.manifest(name).task).items()
            if name not in corpora or figure.startswith("positive")  # rows of a corpus have no query
        }
        for name in sorted(set(rows.shards.column("source")))
    }
    tasks = [Task(s.path, (s.xxh3, _stated(usual[s.source])), usual[s.source]) for s in rows.shards]
    markers = engine.run(operation, tasks, build.store, build.workers)
    result = inputs.result()
    of_source: dict[str, list[dict[str, Any]]] = {}
    counts: Counter[str] = Counter()
    for shard, marker in zip(rows.shards, markers, strict=True):
        (made,) = shards_of(shard.source, shard.subset, marker, operation.name, operation.name)
        result.shards.append(Shard(shard.source, shard.subset, shard.path, shard.rows, made.xxh3))
        result.files += marker.outputs
        of_source.setdefault(shard.source, []).append(marker.stats)
        counts[shard.source] += shard.rows
    result.stats = {"sources": {name: _summed(shards, counts[name]) for name, shards in of_source.items()}}
    build.save(result)
    return result


def _stated(usual: dict[str, Range]) -> str:
    """Return the usual bounds as text: they decide the statistics of a shard, and are part of its marker's key."""
    return ", ".join(f"{figure} {bounds}" for figure, bounds in usual.items())


def _summed(shards: list[dict[str, Any]], rows: int) -> dict[str, Any]:
    unusual: Counter[str] = Counter()
    bins: dict[str, Counter[int]] = {figure: Counter() for figure in MEASURES}
    for stats in shards:
        unusual.update(stats["unusual"])
        for figure, counted in stats["bins"].items():
            bins[figure].update(dict(map(tuple, counted)))
    return {
        "rows": rows,
        "unusual_rows": sum(stats["unusual_rows"] for stats in shards),
        "unusual": {figure: unusual[figure] for figure in shards[0]["unusual"]},
        "spread": {figure: _spread(figure, counted) for figure, counted in bins.items() if counted.total()},
    }


def _spread(figure: str, bins: Counter[int]) -> dict[str, float]:
    return {name: quantile(figure, bins, share) for name, share in (("low", 0.01), ("median", 0.5), ("high", 0.99))}
