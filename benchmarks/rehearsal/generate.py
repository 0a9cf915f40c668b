"""Makes the raw files of a rehearsal: the small mirror, multiplied to a fraction of the corpus, and planted records."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rehearsal import formats, mirror
from benchmarks.rehearsal.columns import roles
from benchmarks.rehearsal.formats import Addition, Records
from benchmarks.rehearsal.mirror import Use
from benchmarks.rehearsal.planting import Planter, Truth
from benchmarks.rehearsal.rewriting import Rewriter, strings
from benchmarks.rehearsal.words import Words, generator
from sources.manifest import Manifest
from sources.normalize import normalize, parts
from sources.parts import RawFile
from sources.quarantine import Quarantine

_AT_ONCE = 4_000
"""Records whose texts are drawn at once."""
_PRECEDENCE = {"identifier": 0, "kept": 1, "code": 2}


@dataclass
class Yield:
    """What the small mirror gives: rows by (source, subset), and the records of each file that give none."""

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad: defaultdict[str, set[tuple[str, int]]] = field(default_factory=lambda: defaultdict(set))
    """Path of a file → (name in it if it is an archive, number) of records that are quarantined."""


def generate(folder: Path, manifests: list[Manifest], fraction: float, seed: int = 0) -> Truth:
    """Write `raw/`, `evaluation/` and `truth.json` below a folder.

    Args:
        folder: of the rehearsal; its `raw/` is replaced.
        manifests: of the sources to make.
        fraction: of each source's published samples that it should have rows; at least one copy of its fixture.
        seed: of all words and choices.

    """
    small, raw = folder / "fixtures", folder / "raw"
    for old in (small, raw):
        shutil.rmtree(old, ignore_errors=True)
    uses, originals = mirror.build(small, manifests)
    given = _yield(small, uses, originals)
    copies = _copies(uses, given, manifests, fraction)
    loaded = {path: _load(small / path, of) for path, of in uses.items()}
    words = Words(_texts(loaded))
    planter = Planter(words)
    for path in sorted(loaded):
        _multiply(small / path, raw / path, path, uses[path], loaded[path], given, copies[path], planter, seed)
    planter.truth.write_evaluation(folder / "evaluation" / "planted")
    planter.truth.save(folder / "truth.json")
    shutil.rmtree(small)
    return planter.truth


def _yield(small: Path, uses: dict[str, list[Use]], originals: dict[str, str]) -> Yield:
    """Normalize the subsets that have a fixture; their copies give the same."""
    given = Yield()
    files: defaultdict[tuple[str, str], list[tuple[str, Use]]] = defaultdict(list)
    for path, of in uses.items():
        for use in of:
            files[use.manifest.name, use.subset].append((path, use))
    for (source, subset), of in files.items():
        manifest = of[0][1].manifest
        if of[0][1].like is not None:
            continue
        paths = {use.name: path for path, use in of}
        raw = [RawFile(use.table, use.name, str(small / path), (small / path).stat().st_size, path) for path, use in of]
        for part in parts(manifest, subset, raw):
            quarantine = Quarantine(source, subset)
            rows = normalize(part, manifest, quarantine, Counter())
            given.rows[source, subset] += sum(batch.num_rows for batch in rows)
            for row in quarantine.table().select(["file", "record"]).to_pylist():
                name, _, member = row["file"].partition("!")
                given.bad[paths[name]].add((member, row["record"]))
    for (source, subset), of in files.items():
        if of[0][1].like is not None:
            given.rows[source, subset] = given.rows[source, of[0][1].like]
    for copy, path in originals.items():
        given.bad[copy] = given.bad[path]
    return given


def _copies(uses: dict[str, list[Use]], given: Yield, manifests: list[Manifest], fraction: float) -> dict[str, int]:
    """Return how often each file's records are repeated, the fixture's included."""
    shares = {
        (manifest.name, name): manifest.samples / len(manifest.subsets) if subset.samples is None else subset.samples
        for manifest in manifests
        for name, subset in manifest.subsets.items()
    }
    needed = {key: max(1, round(share * fraction / max(given.rows[key], 1))) for key, share in shares.items()}
    return {path: max(needed[use.manifest.name, use.subset] for use in of) for path, of in uses.items()}


def _load(path: Path, uses: list[Use]) -> tuple[str, list[Records]]:
    table = uses[0].manifest.tables[uses[0].table]
    kind = formats.kind_of(path, table)
    return kind, formats.read(path, kind, table)


def _texts(loaded: dict[str, tuple[str, list[Records]]]) -> list[str]:
    """Return the texts of the first records of every file, of which the words of the vocabularies are taken."""
    return [
        text
        for _, (kind, of) in sorted(loaded.items())
        for records in of
        for _, record in records.readable[:12]
        for value in (formats.segments(record) if kind == "tmx" else [record])
        for text in strings(value)
        if 12 < len(text) < 400 and text[0] not in "{<"
    ]


def _multiply(
    source: Path,
    target: Path,
    path: str,
    uses: list[Use],
    loaded: tuple[str, list[Records]],
    given: Yield,
    copies: int,
    planter: Planter,
    seed: int,
) -> None:
    kind, of = loaded
    additions: dict[str | None, Addition] = {}
    total = 0
    for records in of:
        rng = generator(seed, path, records.member)
        bad = {number for member, number in given.bad[path] if member == (records.member or "")}
        sound = _sound(records, bad, thinned=any(_thinned(use.manifest) for use in uses))
        added = additions[records.member] = Addition()
        if sound and copies > 1:
            rewriter = _rewriter(uses, records)
            step = max(1, _AT_ONCE // len(sound))
            for first in range(1, copies, step):
                for _, made in rewriter.copies(sound, first, min(first + step, copies), planter.words, rng):
                    added.records += made
            planter.plant(uses, kind, added, records.following, rng)
        total += records.count + len(added.records)
    planter.truth.records[path] = total
    if any(added.records for added in additions.values()):
        formats.write(source, target, kind, additions, uses[0].manifest.tables[uses[0].table])
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _thinned(manifest: Manifest) -> bool:
    """Tell whether a shape takes one of so many records, by their place in the file."""
    args = manifest.shape.args
    return "every" in args or "every" in args.get("shape", {}).get("args", {})


def _sound(records: Records, bad: set[int], *, thinned: bool) -> list[Any]:
    """Return the records that can become rows; if their places count, bad ones get the values that they lack."""
    sound: list[Any] = []
    for number, record in records.readable:
        if number not in bad:
            sound.append(record)
        elif thinned and sound and isinstance(record, dict):
            sound.append(_filled(record, sound[-1]))
    return sound


def _filled(value: Any, other: Any) -> Any:
    """Return a nested value with the texts of another one where its own are blank."""
    if isinstance(value, dict) and isinstance(other, dict):
        return {name: _filled(inner, other.get(name)) for name, inner in value.items()}
    return other if value is None or (isinstance(value, str) and not value.strip()) else value


def _rewriter(uses: list[Use], records: Records) -> Rewriter:
    merged: dict[str, str] = {}
    for use in uses:
        for column, role in roles(use.manifest, use.table).items():
            if column not in merged or _PRECEDENCE.get(role, 3) < _PRECEDENCE.get(merged[column], 3):
                merged[column] = role
    header = records.header or uses[0].manifest.tables[uses[0].table].header
    return Rewriter(uses[0].manifest.name, merged, header, dict(uses[0].scripts))
