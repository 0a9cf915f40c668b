"""A build: the folders of one profile, and the JSON file in which each step records its tables for later steps.

`work/<profile>/` holds shards and markers; only the engine writes there. The setting `work` puts it on another disk or
into an object store. `out/<profile>/` holds what DVC tracks: one
small JSON file per step, the mixes, the report and the model. A step's file records what the result was made from
(`curation.pipeline.dependencies`) and which files belong to it. Later steps read it with
`curation.pipeline.freshness.load` or `curation.pipeline.freshness.inputs_of`, which refuse a stale result.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.raw_copies import RawCopies
from curation.settings import Profile
from open_ml_embed.core.address import is_remote
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.errors import SettingsError, StageError
from open_ml_embed.core.hashing import FileHashes, digest
from open_ml_embed.core.names import inside
from open_ml_embed.core.records import Records
from open_ml_embed.core.sealed import DamagedRecordError, seal, unseal
from open_ml_embed.core.store import Marker, Output, Store
from sources import registry
from sources.manifest import Manifest
from sources.spoken import speaks, within

if TYPE_CHECKING:
    from curation.tables.corpora import Corpus

Facts = dict[str, Any]
"""The inputs that a result depends on, by name: see `curation.pipeline.dependencies`."""
STEPS = ("fetch", "normalize", "identify", "measure", "dedup", "decontaminate", "mine")
QUARANTINE = ".quarantine.arrow"


@dataclass(frozen=True)
class Shard:
    """One rows shard, and the path that all tables row-aligned with it share."""

    source: str
    subset: str
    path: str
    """Relative to the operation's folder, without suffix: `<source>/<subset>/<part>-<shard>`."""
    rows: int
    xxh3: str


@dataclass
class StepResult:
    """The content of a step's JSON file, which later steps, DVC and the report read."""

    step: str
    shards: Records[Shard] = field(default_factory=lambda: Records(Shard))
    stats: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Source → the reason why it is not in this build."""
    made_from: dict[str, Any] = field(default_factory=dict)
    """The inputs that the result depends on, by name: see `curation.pipeline.dependencies`."""
    files: Records[Output] = field(default_factory=lambda: Records(Output))
    """Every file that a later step may read, relative to the root of the store that `Build.place` returns."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Settings that the command line replaced: `evaluation` folders, a `teacher`."""
    refused: dict[str, str] = field(default_factory=dict)
    """Source → the reason why the step does not count as done. `curation.pipeline.freshness.load` refuses the result
    until the fault is fixed or the profile allows it."""

    @cached_property
    def identity(self) -> str:
        """Hash of the step's tables, for later steps; it excludes quarantined records, since no step reads them.

        It is computed once, so it must not be read before the result is complete; a step's file holds it.
        """
        files = zip(self.files.column("path"), self.files.column("xxh3"), strict=True)
        return digest([self.shards.columns, [file for file in files if not file[0].endswith(QUARANTINE)]])

    def as_json(self) -> dict[str, Any]:
        """Return the content of the step's file, as data for JSON."""
        columns = {"shards": self.shards.columns, "files": self.files.columns}
        return {f.name: columns.get(f.name, getattr(self, f.name)) for f in fields(self)} | {"identity": self.identity}

    def by_pool(self) -> dict[tuple[str, str], list[Shard]]:
        """Group the shards by (source, subset), in the order of their first shards."""
        pools: dict[tuple[str, str], list[Shard]] = defaultdict(list)
        for shard in self.shards:
            pools[shard.source, shard.subset].append(shard)
        return dict(pools)


@dataclass(frozen=True)
class Build:
    """One profile's build: its settings, its folders and its workers."""

    name: str
    profile: Profile
    root: Path
    workers: Workers = field(default_factory=Workers)
    overrides: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Step → the settings that the command line replaced; `profile` contains the replaced values already."""
    options: str = ""
    """The options that make a command use this build, such as ` --profile pilot`; empty for the default profile."""

    def command(self, verb: str) -> str:
        """Return the command line that runs a verb on this build, and the whole pipeline's if it has one.

        >>> Build("pilot", Profile(), Path("nowhere"), options=" --profile pilot").command("curate dedup")
        'curate dedup --profile pilot'

        """
        pipeline = Path("pipelines", self.name, "dvc.yaml")
        whole = f", or dvc repro {pipeline.as_posix()}" if (self.root / pipeline).is_file() else ""
        return f"{verb}{self.options}{whole}"

    @property
    def work(self) -> str:
        """Folder or address of the shards of all profiles, from the setting `work`."""
        return self.profile.work if self.is_remote else str(self.local_work)

    @property
    def is_remote(self) -> bool:
        """Tell whether shards lie in an object store."""
        return is_remote(self.profile.work)

    @property
    def local_work(self) -> Path:
        """Folder of what stays on this machine even if shards lie in an object store: locks, caches, downloads."""
        return self.root / ("work" if self.is_remote else self.profile.work)

    @property
    def store(self) -> Store:
        """Shards and markers of this profile."""
        return Store(f"{self.work}/{self.name}")

    @property
    def raw(self) -> Path:
        """Fetched files, shared by all profiles."""
        return self.local_work / "raw"

    @property
    def raw_copies(self) -> RawCopies:
        """Copies of the fetched files in the object store of the shards, if there is one."""
        return RawCopies(str(self.raw), f"{self.work}/raw" if self.is_remote else None)

    @property
    def local_root(self) -> str | None:
        """The folder that is searched before any download, if the profile names one."""
        chosen = self.profile.sources.local_root
        return None if chosen is None else str(self.root / chosen)

    @property
    def out(self) -> Path:
        """Results that DVC tracks."""
        return self.root / "out" / self.name

    def mix(self, name: str) -> Path:
        """Return the folder of one of the profile's mixes."""
        return inside(self.out / "mixes", name)

    def manifest(self, source: str) -> Manifest:
        """Return the manifest of a source, whether or not the profile contains the source.

        Raises:
            UnknownNameError: there is no such source; the message suggests the nearest names.

        """
        corpora = self.profile.mining.corpus
        return self.corpora()[source].manifest if source in corpora else registry.load(source, self.root)

    def corpora(self) -> dict[str, Corpus]:
        """Return the corpora that negatives are mined from, by name.

        Raises:
            CorpusError: see `curation.tables.corpora.corpora_of`.

        """
        from curation.tables.corpora import corpora_of

        return corpora_of(self, self.sources()) if self.profile.mining.corpus else {}

    def manifests(self) -> list[Manifest]:
        """Return the manifests of the profile's sources and corpora, sorted by name.

        Raises:
            CorpusError: see `sources` and `corpora`.

        """
        sources = self.sources()
        corpora = [corpus.manifest for corpus in self.corpora().values()]
        return sorted([*sources, *corpora], key=lambda manifest: manifest.name)

    def sources(self) -> list[Manifest]:
        """Return the manifests of the profile's sources, sorted by name; without corpora, which have no samples.

        Raises:
            StageError: the profile selects no source, or none with a subset in `sources.languages`.
            UnknownNameError: `sources.include` or `sources.exclude` names a source that does not exist.
            SettingsError: no chosen source has a text in one of `sources.languages`.

        """
        settings = self.profile.sources
        collection = registry.load_all(settings.collection, self.root) if settings.collection else ()
        selected = {m.name: m for m in collection} | {name: registry.load(name, self.root) for name in settings.include}
        for name in settings.exclude:
            registry.load(name, self.root)
            selected.pop(name, None)
        if not selected:
            raise StageError(
                "no source is chosen", where=f"profile {self.name}", remedy="set sources.collection or include"
            )
        chosen = [selected[name] for name in sorted(selected)]
        return self._in_languages(chosen) if settings.languages else chosen

    def _in_languages(self, manifests: list[Manifest]) -> list[Manifest]:
        """Return the parts of the sources that are in `sources.languages`."""
        languages, where = self.profile.sources.languages, f"profile {self.name}: sources.languages"
        for language in languages:
            if not any(speaks(manifest, language) for manifest in manifests):
                remedy = (
                    "codes as `deu`, `de` or `srp-Cyrl`, or a programming language; `curate sources --language` tells"
                )
                raise SettingsError(f"no chosen source has a text in {language!r}", where=where, remedy=remedy)
        parts = [part for manifest in manifests if (part := within(manifest, languages)) is not None]
        if not parts:
            what = f"no subset of the chosen sources is all in {', '.join(languages)}"
            raise StageError(what, where=where, remedy="add the language of the other side of the pairs, such as `eng`")
        return parts

    def place(self, step: str) -> Store:
        """Return the store with the files of a step: `out/` for mixes and the report, `work/` for all others."""
        return Store(str(self.out)) if step.startswith("mix-") or step == "report" else self.store

    def save(self, result: StepResult) -> None:
        """Write a step's file; equal results give equal bytes."""
        assert result.made_from, "a result must record what it was made from, or it would never count as current"
        store = Store(str(self.out))
        store.sweep("steps")
        name = f"{result.step}.json"
        store.write_bytes(f"steps/{name}", seal(result.as_json(), name))

    def discard(self, step: str) -> None:
        """Remove a step's file, before its tables are written again one by one."""
        Store(str(self.out)).remove(f"steps/{step}.json")

    def read(self, step: str) -> StepResult | None:
        """Return the content of a step's file, or None if there is no file; does not check whether it is stale.

        Raises:
            StageError: the file is not a step's file.

        """
        path = self.out / "steps" / f"{step}.json"
        try:
            raw = unseal(path.read_bytes(), path.name)
            raw["shards"] = Records.of_columns(Shard, raw["shards"])
            raw["files"] = Records.of_columns(Output, raw["files"])
            identity = raw.pop("identity")
            result = StepResult(**raw)
            result.__dict__["identity"] = identity
            return result
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = error.what if isinstance(error, DamagedRecordError) else "the file is not a step's"
            raise StageError(
                f"step {title(step)}: {why}",
                where=str(path),
                remedy=self.command(f"curate {title(step)}"),
            ) from None


@dataclass(frozen=True)
class Inputs:
    """The inputs of a step: the current results of earlier steps, and the facts to record in the step's own result."""

    build: Build
    step: str
    results: Mapping[str, StepResult]
    made_from: Facts

    def __getitem__(self, step: str) -> StepResult:
        """Return the result of an earlier step that this step reads."""
        return self.results[step]

    def get(self, step: str) -> StepResult | None:
        """Return the result of an earlier step, or None if this step does not read it."""
        return self.results.get(step)

    def begin(self) -> None:
        """Discard the old result, since the step now overwrites its tables one by one."""
        self.build.discard(self.step)

    def result(self, *, files: Iterable[Output] = (), **known: Any) -> StepResult:
        """Return a new result of the step that records what it was made from; `known` sets further attributes."""
        overrides = dict(self.build.overrides.get(self.step, {}))
        listed = Records(Output, files)
        return StepResult(self.step, files=listed, made_from=self.made_from, overrides=overrides, **known)


def title(step: str) -> str:
    """Return the name of a step as the command line spells it: `mix retrieval` for `mix-retrieval`."""
    return step.replace("mix-", "mix ", 1) if step.startswith("mix-") else step


def named(step: str) -> str:
    """Return a step by the name of its file, from that of the command line; see `title`."""
    return step.replace("mix ", "mix-", 1)


def shards_of(source: str, subset: str, marker: Marker, operation: str, suffix: str) -> list[Shard]:
    """Return a marker's outputs whose names end in `.<suffix>.arrow`, as shards."""
    shards = []
    for output in marker.outputs:
        if output.path.endswith(f".{suffix}.arrow"):
            stem = output.path.removeprefix(f"{operation}/").removesuffix(f".{suffix}.arrow")
            shards.append(Shard(source, subset, stem, output.rows, output.xxh3))
    return shards


def output_ending(marker: Marker, suffix: str) -> Output:
    """Return the marker's only output whose name ends in `.<suffix>.arrow`."""
    (output,) = [o for o in marker.outputs if o.path.endswith(f".{suffix}.arrow")]
    return output


def open_hashes(build: Build) -> FileHashes:
    """Open the cache of hashes of files that are read in place, without a copy in `work/raw`."""
    return FileHashes(build.local_work / "hashes.json")


def from_root(build: Build, path: Path) -> str:
    """Return a path relative to the folder of the settings file, which is the same in every checkout."""
    return Path(os.path.relpath(path.resolve(), build.root.resolve())).as_posix()
