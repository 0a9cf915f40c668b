"""What the steps hand to each other: where a build keeps its files, and the list of tables each step made.

`work/<profile>/` holds shards and markers and is nobody's but the engine's; `out/<profile>/` holds what DVC tracks: one
small JSON file per step, the mixes, the report, the model. A step's file says what the result was made from
(`curation.pipeline.dependencies`) and which files belong to it; who reads it asks `Build.load` or `Build.inputs`, which
refuse what is not current.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from curation.settings import Profile
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.hashing import FileHashes, canonical_json, digest
from open_ml_embed.core.store import Marker, Output, Store
from sources import registry
from sources.manifest import Manifest

Facts = dict[str, Any]
"""What a result depends on, by name: see `curation.pipeline.dependencies`."""
STEPS = ("fetch", "normalize", "identify", "dedup", "decontaminate", "mine")
QUARANTINE = ".quarantine.arrow"


@dataclass(frozen=True)
class Shard:
    """One rows shard and the name its row-aligned neighbors share."""

    source: str
    subset: str
    path: str
    """Below the operation's folder, without suffix: `<source>/<subset>/<part>-<shard>`."""
    rows: int
    xxh3: str


@dataclass
class StepResult:
    """The file a step leaves for the next one, for DVC, and for the report."""

    step: str
    shards: list[Shard] = field(default_factory=list)
    stats: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Source → why it is not in this build."""
    made_from: dict[str, Any] = field(default_factory=dict)
    """What the result depends on, in parts that have names: see `curation.pipeline.dependencies`."""
    files: list[Output] = field(default_factory=list)
    """Every file that a later step may read, below the folder that `Build.place` gives."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """What the command line said instead of `params.yaml`: `evaluation` folders, a `teacher`."""
    refused: dict[str, str] = field(default_factory=dict)
    """Source → why the step does not count as done: `Build.load` refuses the result until that is mended or allowed."""

    @property
    def identity(self) -> str:
        """Hash of what the step made, for the steps that read it; quarantined records are read by nobody but people."""
        shards = [[s.source, s.subset, s.path, s.rows, s.xxh3] for s in self.shards]
        return digest([shards, [[f.path, f.xxh3] for f in self.files if not f.path.endswith(QUARANTINE)]])

    def by_pool(self) -> dict[tuple[str, str], list[Shard]]:
        """Group the shards by (source, subset), in order."""
        pools: dict[tuple[str, str], list[Shard]] = defaultdict(list)
        for shard in self.shards:
            pools[shard.source, shard.subset].append(shard)
        return dict(pools)


@dataclass(frozen=True)
class Build:
    """One profile's build: settings, folders, and who works."""

    name: str
    profile: Profile
    root: Path
    workers: Workers = field(default_factory=Workers)
    overrides: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Step → what the command line says instead of the profile; it stands in the profile already."""
    options: str = ""
    """What a command needs to work on this build: ` --profile pilot`; empty where it is what commands take unasked."""

    def command(self, verb: str) -> str:
        """Return what to type to have a verb work on this build: itself, or its whole pipeline if there is one.

        >>> Build("pilot", Profile(), Path("nowhere"), options=" --profile pilot").command("curate dedup")
        'curate dedup --profile pilot'

        """
        pipeline = Path("pipelines", self.name, "dvc.yaml")
        whole = f", or dvc repro {pipeline.as_posix()}" if (self.root / pipeline).is_file() else ""
        return f"{verb}{self.options}{whole}"

    @property
    def store(self) -> Store:
        """Shards and markers of this profile."""
        return Store(str(self.root / "work" / self.name))

    @property
    def raw(self) -> Path:
        """Fetched files, shared by all profiles."""
        return self.root / "work" / "raw"

    @property
    def local_root(self) -> str | None:
        """The folder that is looked at before any network, if the profile names one."""
        chosen = self.profile.sources.local_root
        return None if chosen is None else str(self.root / chosen)

    @property
    def out(self) -> Path:
        """What DVC tracks."""
        return self.root / "out" / self.name

    def mix(self, name: str) -> Path:
        """Return the folder of one of the profile's mixes."""
        return self.out / "mixes" / name

    def manifest(self, source: str) -> Manifest:
        """Return the manifest of a source, be it of the profile or not.

        Raises:
            UnknownNameError: there is no such source; the message has the nearest names.

        """
        return registry.load(source, self.root)

    def manifests(self) -> list[Manifest]:
        """Return the manifests of the profile's sources, in name order."""
        chosen = self.profile.sources
        all_of_it = registry.load_all(chosen.collection, self.root) if chosen.collection else ()
        found = {m.name: m for m in all_of_it} | {name: self.manifest(name) for name in chosen.include}
        for name in chosen.exclude:
            self.manifest(name)
            found.pop(name, None)
        if not found:
            raise StageError(
                "no source is chosen", where=f"profile {self.name}", remedy="set sources.collection or include"
            )
        return [found[name] for name in sorted(found)]

    def place(self, step: str) -> Store:
        """Return where the files of a step lie: mixes and report in `out/`, all others in `work/`."""
        return Store(str(self.out)) if step.startswith("mix-") or step == "report" else self.store

    def save(self, result: StepResult) -> None:
        """Write a step's file: equal results give equal bytes."""
        assert result.made_from, "a result that says nothing of what it was made from would never count"
        Store(str(self.out)).write_bytes(f"steps/{result.step}.json", canonical_json(asdict(result)))

    def discard(self, step: str) -> None:
        """Remove a step's file: its tables are about to be written again, one by one."""
        Store(str(self.out)).remove(f"steps/{step}.json")

    def read(self, step: str) -> StepResult | None:
        """Read a step's file as it is, or null where there is none; nothing is checked.

        Raises:
            StageError: it is not a step's file.

        """
        path = self.out / "steps" / f"{step}.json"
        try:
            raw = json.loads(path.read_text("utf-8"))
            raw["shards"] = [Shard(**shard) for shard in raw["shards"]]
            raw["files"] = [Output(**file) for file in raw.get("files", [])]
            return StepResult(**raw)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise StageError(
                f"the file of step {title(step)} is unreadable",
                where=str(path),
                remedy=self.command(f"curate {title(step)}"),
            ) from None


@dataclass(frozen=True)
class Inputs:
    """What a step reads: results that are current, and the facts that its own result will keep."""

    build: Build
    step: str
    results: Mapping[str, StepResult]
    made_from: Facts

    def __getitem__(self, step: str) -> StepResult:
        """Return the result of a step that this one reads."""
        return self.results[step]

    def get(self, step: str) -> StepResult | None:
        """Return the result of a step, or null if this one does not read it."""
        return self.results.get(step)

    def begin(self) -> None:
        """Take back the old result: from here on tables are written over, and half of it would be another's."""
        self.build.discard(self.step)

    def result(self, **known: Any) -> StepResult:
        """Return a new result of the step that says what it was made from."""
        overrides = dict(self.build.overrides.get(self.step, {}))
        return StepResult(self.step, made_from=self.made_from, overrides=overrides, **known)


def title(step: str) -> str:
    """Return a step as the command has it: `mix retrieval` for `mix-retrieval`."""
    return step.replace("mix-", "mix ", 1) if step.startswith("mix-") else step


def shards_of(source: str, subset: str, marker: Marker, operation: str, suffix: str) -> list[Shard]:
    """Turn a marker's outputs with `suffix` into shards."""
    found = []
    for output in marker.outputs:
        if output.path.endswith(f".{suffix}.arrow"):
            stem = output.path.removeprefix(f"{operation}/").removesuffix(f".{suffix}.arrow")
            found.append(Shard(source, subset, stem, output.rows, output.xxh3))
    return found


def output_ending(marker: Marker, suffix: str) -> Output:
    """Return the marker's one output with this suffix."""
    (output,) = [o for o in marker.outputs if o.path.endswith(f".{suffix}.arrow")]
    return output


def open_hashes(build: Build) -> FileHashes:
    """Open what is remembered of files that steps read where they lie."""
    return FileHashes(build.root / "work" / "hashes.json")


def from_root(build: Build, path: Path) -> str:
    """Return a path as seen from the folder of the settings file: the same in every checkout."""
    return Path(os.path.relpath(path.resolve(), build.root.resolve())).as_posix()
