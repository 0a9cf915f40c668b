"""Step `normalize`: convert raw files to rows shards. Only this step writes the texts of rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pyarrow as pa

from curation.build import Build, Inputs, StepResult, output_ending, shards_of
from curation.failures import Failures
from curation.normalize.identity import identity_of
from curation.normalize.pilot_rows import limited
from curation.normalize.settings import NormalizeSettings
from curation.normalize.shared_tables import parse_shared, remove_shared
from curation.normalize.yields import MOST_FILES, Example, Shortfall, explained, shortfalls
from curation.raw_copies import RawCopies
from curation.raw_files import raw_files
from open_ml_embed.core import engine
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.store import Marker, Store
from open_ml_embed.core.task import Outputs, Task
from sources.checks import RowChecks
from sources.manifest import Manifest
from sources.masking import Masker
from sources.normalize import Read, normalize, parts
from sources.parts import Part, RawFile
from sources.quarantine import OTHERS, Quarantine
from sources.record_counts import Tally
from sources.schema import QUARANTINE_SCHEMA, ROW_SCHEMA
from sources.shapes import shape


class Normalize:
    """Operation: convert one part of a source to rows shards and a table of quarantined records."""

    name: ClassVar[str] = "rows"
    version: ClassVar[int] = 7

    def __init__(self, settings: NormalizeSettings) -> None:
        # the yield limits do not change rows
        self.settings = settings.model_copy(update={"least_yield": 0.0, "allow": []})

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Convert one part as a stream; `task.payload` is (part, manifest, copies of raw files, shared tables)."""
        part, manifest, copies, shared = task.payload
        parsed = shared.of(part, manifest)
        with copies.here([file for file in part.files if file not in parsed]) as here:
            files = iter(here)
            readable = tuple(file if file in parsed else next(files) for file in part.files)
            return self._convert(replace(part, files=readable), manifest, out, shared.reader(parsed))

    def _convert(self, part: Part, manifest: Manifest, out: Outputs, read: Read) -> dict[str, Any]:
        quarantine = Quarantine(part.source, part.subset)
        filtered: Counter[str] = Counter()
        tally = Tally(part)
        masker = Masker(self.settings.mask, self.settings.phone_regions) if self.settings.mask else None
        row_batches = normalize(part, manifest, quarantine, filtered, tally, read, masker)
        batches = limited(row_batches, part, manifest, self.settings.rows_per_part, tally, read)
        checks = RowChecks(manifest.family)
        rows = 0
        for number, shard in enumerate(_cut(batches, self.settings.shard_rows)):
            rows += out.table(f"{number:05d}.rows", _checked(shard, checks), ROW_SCHEMA).rows
            checks.end_shard()
        table = quarantine.table()
        out.table("quarantine", table.to_batches(), QUARANTINE_SCHEMA)
        files = tally.files(quarantine, filtered, per_file=shape(manifest.shape.kind).PER_FILE)
        return {
            "records": sum(counts.records for counts in files.values()),
            "rows": rows,
            "beyond_limit": tally.beyond_limit,
            "filtered": dict(sorted(filtered.items())),
            "quarantined": dict(sorted(quarantine.counts.items())),
            "files": {name: counts.as_json() for name, counts in files.items()},
            "masked": dict(masker.counts) if masker else {},
            "unreadable": [list(entry) for entry in quarantine.unreadable],
            "checks": checks.as_json(),
        }


def _checked(batches: Iterator[pa.RecordBatch], checks: RowChecks) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        checks.add(batch)
        yield batch


def _cut(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[Iterator[pa.RecordBatch]]:
    """Group batches into shards of exactly `rows` rows; the last one may be shorter, and none is empty.

    Each shard is an iterator, so that a shard of long texts need not fit into memory. It must be consumed before the
    next one is requested.
    """
    pending = next(batches, None)

    def shard() -> Iterator[pa.RecordBatch]:
        nonlocal pending
        room = rows
        while pending is not None and room:
            piece = pending.slice(0, room)
            room -= piece.num_rows
            remainder = pending.slice(piece.num_rows)
            pending = remainder if remainder.num_rows else next(batches, None)
            yield piece

    while pending is not None:
        yield shard()


def run_normalize(build: Build, read: Inputs) -> StepResult:
    """Normalize every part of every fetched source.

    All sources are processed. If one fails or its yield is too low (`curation.normalize.yields`), the step fails after
    the last one. The rows are kept and can be inspected, but no later step uses them until the source is repaired or
    allowed.

    Args:
        build: the profile.
        read: results of the steps before.

    Raises:
        StageError: `fetch` has not been run on these sources and files, or a required raw file is missing.
        RefusedError: sources failed; the message has files, counts, reasons and remedies.
        UnknownNameError: `normalize.allow` names a source or subset that the profile does not have, or
            `normalize.phone_regions` a region without phone numbers.
        MissingPackageError: `normalize.mask` needs an extra that is not installed.

    """
    fetched = read["fetch"]
    settings = build.profile.normalize
    Masker(settings.mask, settings.phone_regions)  # what it needs is asked for before any work
    manifests = [manifest for manifest in build.manifests() if manifest.name not in fetched.skipped]
    operation = Normalize(build.profile.normalize)
    failures = Failures("normalize", "sources", "normalized")
    tasks: list[Task] = []
    files: dict[str, dict[str, list[RawFile]]] = {}
    for manifest in manifests:
        with failures.of(manifest.name):
            of_source = {subset: raw_files(build, fetched, manifest.name, subset) for subset in manifest.subsets}
            tasks += [
                task for subset, raw in of_source.items() for task in _tasks(manifest, subset, raw, build.raw_copies)
            ]
            files[manifest.name] = of_source
    todo = engine.unfinished(operation, tasks, build.store)
    _check_raw(build, todo)
    read.begin()
    shared = parse_shared([task.payload[:2] for task in todo], build.raw_copies, build.store, build.workers)
    tasks = [replace(task, payload=(*task.payload, shared)) for task in tasks]
    outcomes = engine.run_all(operation, tasks, build.store, build.workers)
    remove_shared(build.store)
    result = read.result(skipped=fetched.skipped)
    markers: dict[str, list[Marker]] = {source: [] for source in files}
    subsets = {source: {subset: _no_counts() for subset in of_source} for source, of_source in files.items()}
    for task, outcome in zip(tasks, outcomes, strict=True):
        part: Part = task.payload[0]
        if isinstance(outcome, Marker):
            result.shards += shards_of(part.source, part.subset, outcome, operation.name, "rows")
            result.files += outcome.outputs
            markers[part.source].append(outcome)
            _add(subsets[part.source][part.subset], outcome.stats)
        else:
            failures.add(part.source, outcome)
    result.stats = {
        "sources": {source: _summed(of.values()) for source, of in subsets.items()},
        "files": _by_subset(subsets, "files"),
        "checks": _by_subset(subsets, "checks"),
        "unreadable": _by_subset(subsets, "unreadable"),
        "allowed": sorted(build.profile.normalize.allow),
    }
    whole = [manifest for manifest in manifests if manifest.name not in failures.by_name]
    for shortfall in shortfalls(build.profile, whole, files, subsets):
        failures.add(shortfall.source, _too_little(shortfall, build, markers[shortfall.source]), at_once=False)
    result.refused = failures.refused
    build.save(result)
    if failures:
        failures.end(of=len(manifests), where=f"profile {build.name}", result=result)
    return result


def _check_raw(build: Build, tasks: list[Task]) -> None:
    """Refuse to start if a raw file of these tasks is missing or truncated; it may have been deleted after use."""
    source_of: dict[RawFile, str] = {}
    for task in tasks:
        part: Part = task.payload[0]
        for file in part.files:
            source_of.setdefault(file, part.source)
    missing = build.raw_copies.missing(source_of)  # one question for all: several parts may read one file
    if missing is not None:
        raise StageError(
            f"raw file {missing.name} of {source_of[missing]} is not there as it was fetched",
            where=f"profile {build.name}: {missing.path}",
            remedy=build.command("curate fetch"),
        )


def _tasks(manifest: Manifest, subset: str, files: list[RawFile], copies: RawCopies) -> list[Task]:
    bound = manifest.bound(subset)
    return [
        Task(
            f"{part.source}/{subset}/{part.index:05d}",
            (identity_of(bound), *(f"{f.table}:{f.name}:{f.identity}" for f in part.files)),
            (part, bound, copies),
        )
        for part in parts(bound, subset, files)
    ]


def _no_counts() -> dict[str, Any]:
    return {
        "records": 0, "rows": 0, "beyond_limit": 0, "filtered": {}, "quarantined": {}, "files": {}, "unreadable": [],
        "checks": {}, "masked": {},
    }  # fmt: skip


def _add(total: dict[str, Any], counts: dict[str, Any]) -> None:
    """Add counts to a total, by name and recursively; lists are concatenated."""
    for name, value in counts.items():
        if isinstance(value, dict):
            _add(total.setdefault(name, {}), value)
        elif isinstance(value, list):
            total.setdefault(name, []).extend(value)
        else:
            total[name] = total.get(name, 0) + value


def _summed(subsets: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Add up the counts of a source's subsets without those of files; count files that were not read to the end."""
    total = _no_counts()
    for counts in subsets:
        _add(total, counts)
    del total["files"]
    unread = {(file, why): size for file, why, size in total.pop("unreadable")}  # several subsets may read one file
    unread_files = sum(int(why.split()[0]) if file == OTHERS else 1 for file, why in unread)
    return total | {"unread_files": unread_files, "unread_bytes": sum(unread.values())}


def _by_subset(subsets: dict[str, dict[str, dict[str, Any]]], name: str) -> dict[str, dict[str, Any]]:
    """Return one of the counts as source → subset → count, without subsets that have none."""
    return {
        source: {subset: counts[name] for subset, counts in of_source.items() if name == "files" or counts[name]}
        for source, of_source in subsets.items()
    }


def _too_little(shortfall: Shortfall, build: Build, markers: list[Marker]) -> StageError:
    """Build the error for the shortfall of one source, with an example record for each of the main reasons."""
    wanted = {
        (counted.file, reason)
        for counted in filter(None, (shortfall.whole, *shortfall.pieces[:MOST_FILES]))
        for reason, _ in counted.main_reasons
    }
    examples: dict[tuple[str | None, str], Example] = {}
    for marker in markers if wanted else ():
        table = build.store.read_table(output_ending(marker, "quarantine").path)
        for row in table.select(["file", "record", "reason", "excerpt"]).to_pylist():
            for key in ((file, row["reason"]) for file in (None, row["file"], row["file"].partition("!")[0])):
                if key in wanted and key not in examples:
                    examples[key] = Example(row["file"], row["record"], row["excerpt"])
        if examples.keys() >= wanted:
            break
    names = json.dumps(shortfall.names[:MOST_FILES], ensure_ascii=False)
    return StageError(
        explained(shortfall, examples).replace("\n", "\n  "),
        remedy=f"look: `curate show {shortfall.source} --quarantined{build.options}`; mend its manifest or its files; "
        f"or, if it is meant, allow it: `normalize: {{allow: {names}}}`",
    )
