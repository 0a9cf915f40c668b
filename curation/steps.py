"""What the steps hand to each other: where a build keeps its files, and the list of shards each step made.

`work/<profile>/` holds shards and markers and is nobody's but the engine's; `out/<profile>/` holds what DVC tracks:
one small JSON file per step, the mixes, the report, the model.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from curation.engine import Workers
from curation.settings import Profile
from curation.store import Marker, Output, Store, canonical_json
from sources import registry
from sources.errors import StageError
from sources.manifest import Manifest

STEPS = ("fetch", "normalise", "identify", "dedup", "decontaminate", "mine")


@dataclass(frozen=True)
class Shard:
    """One rows shard and the name its row-aligned neighbours share."""

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

    @property
    def store(self) -> Store:
        """Shards and markers of this profile."""
        return Store(str(self.root / "work" / self.name))

    @property
    def raw(self) -> Path:
        """Fetched files, shared by all profiles."""
        return self.root / "work" / "raw"

    @property
    def out(self) -> Path:
        """What DVC tracks."""
        return self.root / "out" / self.name

    def mix(self, name: str) -> Path:
        """Return the folder of one of the profile's mixes."""
        return self.out / "mixes" / name

    def manifests(self) -> list[Manifest]:
        """Return the manifests of the profile's sources, in name order."""
        chosen = self.profile.sources
        found = {m.name: m for m in registry.load_all(chosen.collection)} if chosen.collection else {}
        found |= {name: registry.load(name) for name in chosen.include}
        for name in chosen.exclude:
            registry.load(name)
            found.pop(name, None)
        if not found:
            raise StageError(
                "no source is chosen", where=f"profile {self.name}", remedy="set sources.collection or include"
            )
        return [found[name] for name in sorted(found)]

    def save(self, result: StepResult) -> None:
        """Write a step's file: equal results give equal bytes."""
        out = Store(str(self.out))
        data = asdict(result)
        out.write_bytes(f"steps/{result.step}.json", canonical_json(data))

    def load(self, step: str) -> StepResult:
        """Read a step's file.

        Raises:
            StageError: the step has not been run.

        """
        path = self.out / "steps" / f"{step}.json"
        try:
            raw = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise StageError(
                f"step {step} has not been run", where=f"profile {self.name}", remedy=f"curate {step}, or dvc repro"
            ) from None
        raw["shards"] = [Shard(**shard) for shard in raw["shards"]]
        return StepResult(**raw)


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
