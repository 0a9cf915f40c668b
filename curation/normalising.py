"""Step `normalise`: raw files to rows shards, the one place where text is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from curation import engine
from curation.engine import Outputs, Task
from curation.fetching import raw_files
from curation.settings import NormaliseSettings
from curation.steps import Build, StepResult, shards_of
from curation.store import Store, digest
from sources.errors import StageError
from sources.manifest import Manifest
from sources.normalise import normalise, parts
from sources.parts import Part
from sources.quarantine import Quarantine
from sources.schema import QUARANTINE_SCHEMA, ROW_SCHEMA


class Normalise:
    """Operation: one part of a source to rows shards and one table of quarantined records."""

    name: ClassVar[str] = "rows"
    version: ClassVar[int] = 3

    def __init__(self, settings: NormaliseSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Stream the part; `task.payload` is (part, manifest)."""
        part, manifest = task.payload
        quarantine = Quarantine(part.source, part.subset)
        filtered: Counter[str] = Counter()
        batches = _limited(normalise(part, manifest, quarantine, filtered), self.settings.rows_per_part)
        rows = 0
        for number, shard in enumerate(_cut(batches, self.settings.shard_rows)):
            rows += out.table(f"{number:05d}.rows", shard, ROW_SCHEMA).rows
        table = quarantine.table()
        out.table("quarantine", table.to_batches(), QUARANTINE_SCHEMA)
        return {
            "rows": rows,
            "filtered": dict(sorted(filtered.items())),
            "quarantined": dict(sorted(quarantine.counts.items())),
        }


def _limited(batches: Iterator[pa.RecordBatch], most: int | None) -> Iterator[pa.RecordBatch]:
    left = most
    for batch in batches:
        if left is None:
            yield batch
            continue
        yield batch.slice(0, left)
        left -= min(left, batch.num_rows)
        if left == 0:
            return


def _cut(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[Iterator[pa.RecordBatch]]:
    """Group batches into shards of exactly `rows` rows (the last may be shorter; none is empty).

    A shard is a stream, so that one of long texts does not have to fit into memory; it has to be consumed before the
    next is asked for.
    """
    held = next(batches, None)

    def shard() -> Iterator[pa.RecordBatch]:
        nonlocal held
        room = rows
        while held is not None and room:
            piece = held.slice(0, room)
            room -= piece.num_rows
            rest = held.slice(piece.num_rows)
            held = rest if rest.num_rows else next(batches, None)
            yield piece

    while held is not None:
        yield shard()


def identity_of(manifest: Manifest) -> str:
    """Hash what of a manifest changes its rows: wording, licence and counts do not."""
    chosen = {"name", "family", "tables", "where", "shape", "subsets"}
    data = manifest.model_dump(mode="json", include=chosen)
    for subset in data["subsets"].values():
        del subset["samples"]
        for lang in (subset["query_lang"], subset["positive_lang"]):
            if isinstance(lang, dict):
                del lang["count"]
    return digest(data)


def run_normalise(build: Build) -> StepResult:
    """Normalise every part of every fetched source.

    Raises:
        StageError: `fetch` has not been run on these sources and files, or a raw file that is needed is here no more.

    """
    read = build.inputs("normalise")
    fetched = read["fetch"]
    operation = Normalise(build.profile.normalise)
    tasks, owners = [], []
    for manifest in build.manifests():
        if manifest.name in fetched.skipped:
            continue
        for subset in manifest.subsets:
            bound = manifest.bound(subset)
            files = raw_files(build, fetched, manifest.name, subset)
            for part in parts(bound, subset, files):
                inputs = (identity_of(bound), *(f"{f.table}:{f.name}:{f.identity}" for f in part.files))
                tasks.append(Task(f"{part.source}/{subset}/{part.index:05d}", inputs, (part, bound)))
                owners.append(part)
    _check_raw(build, engine.unfinished(operation, tasks, build.store))
    read.begin()
    markers = engine.run(operation, tasks, build.store, build.workers)
    result = read.result(skipped=fetched.skipped, files=[o for marker in markers for o in marker.outputs])
    for part, marker in zip(owners, markers, strict=True):
        result.shards += shards_of(part.source, part.subset, marker, operation.name, "rows")
        _add(result.stats, part, marker.stats)
    result.stats = {"sources": dict(sorted(result.stats.items()))}
    build.save(result)
    return result


def _check_raw(build: Build, tasks: list[Task]) -> None:
    """Refuse to begin where a raw file is missing or cut: people delete them once the rows are made."""
    for task in tasks:
        part, _ = task.payload
        for file in part.files:
            path = Path(file.path)
            if not path.is_file() or path.stat().st_size != file.size:
                raise StageError(
                    f"raw file {file.name} of {part.source} is not there as it was fetched",
                    where=f"profile {build.name}: {path}",
                    remedy="curate fetch, or dvc repro --force fetch",
                )


def _add(stats: dict[str, Any], part: Part, counts: dict[str, Any]) -> None:
    entry = stats.setdefault(part.source, {"rows": 0, "filtered": {}, "quarantined": {}})
    entry["rows"] += counts["rows"]
    for kind in ("filtered", "quarantined"):
        for reason, number in counts[kind].items():
            entry[kind][reason] = entry[kind].get(reason, 0) + number
