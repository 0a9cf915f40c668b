"""Statistics of step `decontaminate` by task and by source: counts, examples, and sources that are not trustworthy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from curation.build import Shard
from curation.decontamination.index import Index
from curation.decontamination.matching import REASONS
from curation.decontamination.settings import DistrustSettings
from curation.decontamination.step.rows import EXAMPLE_SCHEMA, Contaminate, first_examples
from curation.tables.contamination import SIDES
from open_ml_embed.core.array_types import Mask
from open_ml_embed.core.store import Marker, Store


def summarize(
    shards: Sequence[Shard],
    markers: list[Marker],
    store: Store,
    index: Index,
    names: tuple[str, ...],
    indexed: dict[str, Any],
) -> dict[str, Any]:
    """Return the statistics for the step's file.

    Args:
        shards: the rows shards.
        markers: markers of `Contaminate`, one for each shard.
        store: the store with the tables of `Contaminate`.
        index: the index of evaluation texts.
        names: names of the sets, by number.
        indexed: set → number of texts and of texts that are too short, from `BuildIndex`.

    Returns:
        ``tasks``: for each task the number of its texts, how many of them occur in the rows, and examples;
        ``sources``: for each source rows, contaminated rows, and by task the texts found and the rows by side and
        reason; ``given_up``: n-grams that were not extended.

    """
    by_source: dict[str, list[int]] = {}
    touched = [any(marker.stats["overlaps"].values()) for marker in markers]
    for number, shard in enumerate(shards):
        by_source.setdefault(shard.source, []).append(number)
    everything = np.zeros(len(index), bool)
    sources = {}
    for source, numbers in by_source.items():
        held = np.zeros(len(index), bool)
        for number in filter(touched.__getitem__, numbers):
            held[store.read_table(f"{Contaminate.name}/{shards[number].path}.found.arrow")["text"].to_numpy()] = True
        everything |= held
        found_texts = _by_set(held, index, names)
        stats = [markers[number].stats for number in numbers]
        overlapping = _added(entry["overlaps"] for entry in stats)
        sources[source] = {
            "rows": sum(entry["rows"] for entry in stats),
            "contaminated": sum(entry["contaminated"] for entry in stats),
            "tasks": {
                name: {"found": found_texts[name], "rows": overlapping[name]} for name in names if found_texts[name]
            },
        }
    found_texts = _by_set(everything, index, names)
    examples = _examples([shard for shard, some in zip(shards, touched, strict=True) if some], store)
    tasks = {name: indexed[name] | {"found": found_texts[name], "examples": examples.get(name, [])} for name in names}
    given_up = sum(marker.stats["given_up"] for marker in markers)
    return {"tasks": tasks, "sources": sources, "given_up": given_up}


def _by_set(held: Mask, index: Index, names: tuple[str, ...]) -> dict[str, int]:
    """Count the texts of each set that rows contain (`held`); a text that a set has twice counts twice."""
    owned = np.repeat(held, np.diff(index.owner_starts))
    return dict(zip(names, np.bincount(index.owner_set[owned], minlength=len(names)).tolist(), strict=True))


def _added(overlaps: Iterable[dict[str, Any]]) -> dict[str, dict[str, dict[str, int]]]:
    """Add up the overlaps of shards: task → side → reason → number of rows."""
    total: dict[str, dict[str, dict[str, int]]] = {}
    for shard in overlaps:
        for side in SIDES:
            for task, counts in shard[side].items():
                entry = total.setdefault(task, {}).setdefault(side, dict.fromkeys(REASONS, 0))
                for reason, count in counts.items():
                    entry[reason] += count
    return total


def _examples(shards: Sequence[Shard], store: Store) -> dict[str, list[dict[str, Any]]]:
    tables = [EXAMPLE_SCHEMA.empty_table().append_column("source", pa.array([], pa.string()))]
    for shard in shards:
        table = store.read_table(f"{Contaminate.name}/{shard.path}.examples.arrow")
        tables.append(table.append_column("source", pa.array([shard.source] * table.num_rows, pa.string())))
        if len(tables) > 1000:
            tables = [first_examples(pa.concat_tables(tables))]
    by_task: dict[str, list[dict[str, Any]]] = {}
    for row in first_examples(pa.concat_tables(tables)).to_pylist():
        row["score"] = round(row["score"], 3)
        by_task.setdefault(row.pop("task"), []).append(row)
    return by_task


def distrusted(summary: dict[str, Any], settings: DistrustSettings) -> list[dict[str, Any]]:
    """Return the sources that are not trustworthy, the highest share first.

    Returns:
        Entries with ``source``; ``task``, or None for the source as a whole; ``share``; ``found`` and ``of``: texts of
        the task, or contaminated rows and all rows of the source.

    """
    listed = []
    for source, entry in summary["sources"].items():
        if entry["contaminated"] >= max(1, settings.contaminated * entry["rows"]):
            listed.append(_entry(source, None, entry["contaminated"], entry["rows"]))
        for task, counts in entry["tasks"].items():
            searched = summary["tasks"][task]["texts"] - summary["tasks"][task]["too_short"]
            if counts["found"] >= max(settings.at_least, settings.found * searched):
                listed.append(_entry(source, task, counts["found"], searched))
    return sorted(listed, key=lambda entry: (-entry["share"], entry["source"], entry["task"] or ""))


def _entry(source: str, task: str | None, found: int, of: int) -> dict[str, Any]:
    return {"source": source, "task": task, "share": round(found / of, 4), "found": found, "of": of}
