"""Checks that every record of a rehearsal is accounted for, and that what was planted was found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.rehearsal.planting import Duplicate, Place, Truth
from benchmarks.rehearsal.steps import PROFILE
from curation.mixing.files import SPLITS, MixFiles
from open_ml_embed.core.store import Store
from sources.manifest import Manifest

JOINING = frozenset(
    ("clirmatrix", "dialogue", "judged", "message_tree", "nli", "paraphrase", "problem_solutions", "qrels", "sts")
)
"""Shapes that make a row of several records, or several rows of a record, so that the two cannot be compared."""
BANDS, VALUES = 21, 6
"""Of the MinHash signatures: a pair at the Jaccard index J is missed with the probability (1 - J^6)^21."""


@dataclass
class Findings:
    """What the checks found.

    Attributes:
        failures: what must not be, one line each.
        notes: what is worth knowing.
        planted: kind → `planted`, `found`.

    """

    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    planted: dict[str, dict[str, float]] = field(default_factory=dict)

    def expect(self, holds: bool, failure: str) -> None:  # noqa: FBT001 (reads as a sentence)
        if not holds:
            self.failures.append(failure)


class Build:
    """The results of a rehearsal in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out" / PROFILE
        self.store = Store(str(folder / "work" / PROFILE))

    def has(self, step: str) -> bool:
        """Tell whether a step has been run."""
        return (self.out / "steps" / f"{step}.json").is_file()

    def result(self, step: str) -> dict[str, Any]:
        """Return the file of a step."""
        return json.loads((self.out / "steps" / f"{step}.json").read_text())

    @cached_property
    def shards(self) -> list[dict[str, Any]]:
        columns = self.result("normalize")["shards"]
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def places(self, wanted: set[Place]) -> dict[Place, tuple[str, int]]:
        """Return the shard and the row of each record that became one."""
        found = {}
        sources = {(place.source, place.subset) for place in wanted}
        for shard in self.shards:
            source, subset = shard["source"], shard["subset"]
            if (source, subset) in sources:
                origins = self.store.read_table(f"rows/{shard['path']}.rows.arrow", ["origin"])["origin"].to_pylist()
                for row, origin in enumerate(origins):
                    place = Place(source, subset, origin["file"], origin["record"])
                    if place in wanted:
                        found[place] = shard["path"], row
        return found

    def values(self, kind: str, column: str, at: dict[Place, tuple[str, int]]) -> dict[Place, Any]:
        """Return the values of a column of the tables beside the rows, for some records."""
        paths = {path for path, _ in at.values()}
        columns = {path: self.store.read_table(f"{kind}/{path}.{kind}.arrow", [column])[column] for path in paths}
        return {place: columns[path][row].as_py() for place, (path, row) in at.items()}


def check(folder: Path, truth: Truth, manifests: list[Manifest], mixes: list[str]) -> Findings:
    """Check the results of all steps; those of `mixes` have been built."""
    build, findings = Build(folder), Findings()
    _records(build, truth, manifests, findings)
    for mix in mixes:
        _mix(build, mix, findings)
    _duplicates(build, truth.duplicates, findings)
    _leaks(build, truth, findings)
    _broken(build, truth, findings)
    return findings


def _records(build: Build, truth: Truth, manifests: list[Manifest], findings: Findings) -> None:
    """Compare the records of every file with what was written, and what became of them with the records."""
    counts, fetched = build.result("normalize")["stats"], build.result("fetch")["stats"]["files"]
    in_shards: Counter[str] = Counter()
    for shard in build.shards:
        in_shards[shard["source"]] += shard["rows"]
    compared = 0
    for manifest in manifests:
        name, of_source = manifest.name, counts["sources"][manifest.name]
        findings.expect(of_source["rows"] > 0, f"{name}: no row")
        findings.expect(
            of_source["rows"] == in_shards[name], f"{name}: {of_source['rows']} rows, {in_shards[name]} in its shards"
        )
        for subset, files in fetched[name].items():
            for file in files:
                path = file["path"].removeprefix("<local_root>/")
                read = counts["files"][name][subset][file["name"]]["records"]
                findings.expect(
                    read == truth.records[path],
                    f"{name}/{subset}: {read} records read of {truth.records[path]} in {path}",
                )
                compared += 1
        kind = manifest.shape.args.get("shape", {}).get("kind", manifest.shape.kind)
        if kind not in JOINING and "each" not in manifest.shape.args:
            outcomes = of_source["rows"] + of_source["beyond_limit"]
            outcomes += sum(of_source["quarantined"].values()) + sum(of_source["filtered"].values())
            findings.expect(
                outcomes == of_source["records"], f"{name}: {outcomes} outcomes of {of_source['records']} records"
            )
    findings.notes.append(f"{compared:,} files have as many records as were written")


def _mix(build: Build, mix: str, findings: Findings) -> None:
    """Compare the verdicts of a mix with the rows, and its files with the verdicts."""
    rows = build.result("normalize")["stats"]["sources"]
    stats = build.result(f"mix-{mix}")["stats"]
    kept: Counter[str] = Counter()
    for source, verdicts in stats["sources"].items():
        findings.expect(
            sum(verdicts.values()) == rows[source]["rows"],
            f"mix {mix}: {sum(verdicts.values())} verdicts on the {rows[source]['rows']} rows of {source}",
        )
        kept.update({split: verdicts[split] for split in SPLITS})
        if not any(verdicts[split] for split in SPLITS):
            why = ", ".join(f"{name} {count}" for name, count in verdicts.items() if count)
            findings.expect(bool(why), f"mix {mix}: {source} is empty, and no verdict says why")
            findings.notes.append(f"mix {mix}: nothing of {source}: {why}")
    files = MixFiles(build.out / "mixes" / mix)
    for split in SPLITS:
        try:
            paths = files.files(split)
        except Exception:
            paths = []
        count = sum(pq.ParquetFile(path).metadata.num_rows for path in paths)
        findings.expect(
            count == kept[split] == stats["counts"][split],
            f"mix {mix}: {count} rows in files of {split}, {stats['counts'][split]} counted, {kept[split]} verdicts",
        )


def _duplicates(build: Build, duplicates: list[Duplicate], findings: Findings) -> None:
    """Look every planted pair up: one of the two must be gone, except for near-duplicates that the bands miss."""
    at = build.places({place for pair in duplicates for place in (pair.first, pair.second)})
    keep = build.values("clusters", "keep", at)
    both: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    expected = 0.0
    for pair in duplicates:
        if pair.first not in at or pair.second not in at:
            findings.failures.append(f"{pair.kind} duplicate: no row of {pair.first} or {pair.second}")
            continue
        if pair.kind == "near" and pair.similarity < 0.8:
            continue
        planted[pair.kind] += 1
        expected += (1 - pair.similarity**VALUES) ** BANDS if pair.kind == "near" else 0.0
        if keep[pair.first] and keep[pair.second]:
            both[pair.kind] += 1
            findings.expect(pair.kind == "near", f"{pair.kind} duplicate: both are kept: {pair.first}, {pair.second}")
    findings.expect(
        both["near"] <= expected + 5 * expected**0.5 + 1,
        f"{both['near']} near-duplicates were missed, {expected:.2f} were to be expected",
    )
    for kind, count in sorted(planted.items()):
        findings.planted[f"{kind} duplicates"] = {"planted": count, "found": count - both[kind]}
    if planted["near"]:
        findings.planted["near duplicates"]["missed in theory"] = round(expected, 3)


def _leaks(build: Build, truth: Truth, findings: Findings) -> None:
    """Compare the contaminated rows with the planted ones: no more, no fewer."""
    leaks = {leak.place: leak.kind for leak in truth.leaks}
    at = build.places(set(leaks))
    found = build.values("contamination", "contaminated", at)
    for place, kind in leaks.items():
        findings.expect(found.get(place, False), f"{kind} leak: not contaminated: {place}")
    for kind in sorted(set(leaks.values())):
        of_kind = [place for place, own in leaks.items() if own == kind]
        findings.planted[f"{kind} leaks"] = {
            "planted": len(of_kind),
            "found": sum(found.get(p, False) for p in of_kind),
        }
    marked = {(path, row) for path, row in _contaminated(build)}
    if others := sorted(marked - set(at.values())):
        findings.failures.append(f"{len(others)} rows are contaminated without a leak, for example {others[0]}")


def _contaminated(build: Build) -> Iterator[tuple[str, int]]:
    for shard in build.shards:
        path = shard["path"]
        column = build.store.read_table(f"contamination/{path}.contamination.arrow", ["contaminated"])["contaminated"]
        if pc.any(column).as_py():
            yield from ((path, row) for row, value in enumerate(column.to_pylist()) if value)


def _broken(build: Build, truth: Truth, findings: Findings) -> None:
    """Look every broken record up in the quarantine."""
    quarantined: set[Place] = set()
    for source, subset in sorted({(place.source, place.subset) for place in truth.broken}):
        for path in sorted((build.folder / "work" / PROFILE / "rows" / source / subset).glob("*.quarantine.arrow")):
            table = build.store.read_table(f"rows/{source}/{subset}/{path.name}", ["file", "record"])
            quarantined |= {Place(source, subset, row["file"], row["record"]) for row in table.to_pylist()}
    found = [place for place in truth.broken if place in quarantined]
    findings.planted["broken records"] = {"planted": len(truth.broken), "found": len(found)}
    for place in truth.broken:
        findings.expect(place in quarantined, f"broken record: not quarantined: {place}")
