"""`curate sources new` and `curate sources check`: a manifest drafted from a dataset, and one that is tried.

Neither needs a profile; where there is a settings file, the Hub's endpoint and `local_root` are its default profile's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from curation.build import Build
from curation.probe.run import Probed, run_probe
from curation.settings import Profile, load_profile
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.files import write_whole
from sources import registry
from sources.draft.draft import Draft, draft_manifest
from sources.draft.sample import proposed_name
from sources.fetch import FetchOptions

_NAME = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True)
class Place:
    """Where a project is, and what its settings say of origins.

    Attributes:
        root: the folder of the settings file.
        params: the settings file, which need not exist.
        profile: name of its default profile; empty without a settings file.
        settings: of that profile, or the defaults.

    """

    root: Path
    params: Path
    profile: str
    settings: Profile

    @property
    def options(self) -> FetchOptions:
        """Where files may come from; without `local_root`, local files are named from the folder of the settings."""
        local = self.root / (self.settings.sources.local_root or "")
        raw = Build(self.profile or "default", self.settings, self.root).raw
        return FetchOptions(str(raw), endpoint=self.settings.sources.endpoint, local_root=str(local))


def place_of(params: Path) -> Place:
    """Return the project that a settings file is of, whether or not the file exists.

    Raises:
        SettingsError: the file exists and is invalid.

    """
    name, settings = load_profile(params, None) if params.is_file() else ("", Profile())
    return Place(params.resolve().parent, params, name, settings)


def draft_source(dataset: str, options: FetchOptions, name: str | None = None) -> Draft:
    """Draft the manifest of a dataset, with the languages of its texts identified; writes nothing.

    Raises:
        SettingsError: `name` is none that a source can have.
        CorpusError: see `sources.draft.draft.draft_manifest`.

    """
    _check_name(name)
    return draft_manifest(dataset, options, _tags, name)


def _check_name(name: str | None) -> None:
    if name is not None and not _NAME.fullmatch(name):
        remedy = "use small letters, digits and underscores, such as lighthouse_logs"
        raise SettingsError(f"{name!r} cannot be the name of a source", where="--name", remedy=remedy)


def _tags(texts: list[str]) -> list[str]:
    """Return the language tag of each text."""
    from curation.langid import identify

    found = identify(pa.array(texts, pa.string()))
    codes, scripts = found["code"].to_pylist(), found["script"].to_pylist()
    return [f"{code}-{script}" for code, script in zip(codes, scripts, strict=True)]


def manifest_path(place: Place, dataset: str, name: str | None = None) -> Path:
    """Return the path that the manifest of a dataset would be written to.

    Raises:
        SettingsError: the name cannot be a source's, or there is a source of that name.

    """
    _check_name(name)
    name = name or proposed_name(dataset)
    path = place.root / registry.FOLDER / "sources" / f"{name}.yaml"
    known = registry.source_files(place.root).get(name)
    if path.exists() or known is not None:
        remedy = "give another name with --name, or change that file by hand; it is never overwritten"
        where = str(path if path.exists() else known)
        raise SettingsError(f"there is a source {name} already", where=where, remedy=remedy)
    return path


def write_draft(place: Place, dataset: str, name: str | None = None) -> tuple[Draft, Path]:
    """Draft the manifest of a dataset, and write it beside the settings file.

    Raises:
        SettingsError: there is a source of that name.
        CorpusError: the dataset cannot be drafted from.

    """
    path = manifest_path(place, dataset, name)
    draft = draft_source(dataset, place.options, name)
    write_whole(path, draft.yaml)
    return draft, path


def next_steps(place: Place, draft: Draft, path: Path) -> list[str]:
    """Return what to do after a manifest was drafted, a line each."""
    option = "" if place.params == Path("params.yaml") else f" --params {place.params}"
    lines = [
        f"{path}: written; {len(draft.guesses)} lines are guessed, and each says why",
        "next:",
        f"  read every line with `# guessed`: {', '.join(draft.guesses)}",
        f"  curate sources check {draft.name}{option}",
        f"  add {draft.name} to `sources.include` of {place.params}",
    ]
    if draft.manifest.origin.kind == "manual" and place.settings.sources.local_root is None:
        lines.append(f"  set `sources.local_root: .` in {place.params}: local files are looked for there")
    return [*lines, f"  curate fetch{option}; curate normalize{option}; curate show {draft.name}{option}"]


def check_source(place: Place, name: str) -> Probed:
    """Probe the head of one source anew, whether or not a profile takes it.

    Raises:
        UnknownNameError: there is no such source; the message suggests the nearest names.
        ManifestError: its manifest is invalid.
        ProbeFailedError: it cannot be used as it is; the error has what was found.
        ProbeFailedForNowError: the same, and it may pass by itself.

    """
    registry.load(name, place.root)
    sources = place.settings.sources.model_copy(update={"local_root": place.options.local_root})
    settings = place.settings.model_copy(update={"sources": sources})
    return run_probe(Build(place.profile or "default", settings, place.root), [name], again=True)
