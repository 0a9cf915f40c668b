"""`curate build`: files of one's own become a project, with drafted manifests, settings and a mix."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from curation.build import Build
from curation.pipeline.opening import open_build
from curation.probe.drafting import Place, draft_source
from curation.settings import Profile, load_profile
from open_ml_embed.core.errors import SettingsError, UnknownNameError
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.params import read_profiles
from sources import registry
from sources.draft.sample import proposed_name
from sources.manifest import ManualOrigin

PROFILE = MIX = "own"
NEGATIVES = 8
"""Hard negatives a row, where nobody says."""
PREFIX = "own_"
"""Before the name of a file that a source of another origin has already."""


@dataclass(frozen=True)
class OwnSource:
    """A file as a source.

    Attributes:
        name: of the source.
        manifest: path of its manifest.
        guesses: section of the manifest → why it was guessed so; empty where the manifest was there before.

    """

    name: str
    manifest: Path
    guesses: dict[str, str]


def own_project(
    files: Sequence[Path],
    root: Path,
    *,
    instruction: str | None = None,
    negatives: int | None = None,
    evaluations: Sequence[Path] = (),
    workers: int = 0,
) -> tuple[list[OwnSource], Build]:
    """Write what is missing of the project, and open it. Settings, manifests and a mix that are there stay as they are.

    Args:
        files: jsonl, json, csv, tsv or parquet.
        root: the folder of the project; made if it is not there.
        instruction: of all queries; null: the mix has none.
        negatives: hard negatives a row; null: `NEGATIVES`, or what the settings say.
        evaluations: evaluation sets, folders in BEIR's layout.
        workers: tasks at once; 0: one per core.

    Returns:
        The sources, in the order of the files, and the build.

    Raises:
        UnknownNameError: there is no such file; the message has the nearest.
        SettingsError: two files would be one source, or the folder has settings for something else, or other ones than
            were asked for.
        CorpusError: a file cannot be drafted from (`sources.draft.draft.draft_manifest`).

    """
    for file in files:
        if not file.is_file():
            beside = file.parent.iterdir() if file.parent.is_dir() else ()
            raise UnknownNameError("file", str(file), [str(path) for path in beside if path.is_file()])
    names = [_name(file, root) for file in files]
    for name in names:
        if names.count(name) > 1:
            both = " and ".join(str(file) for file, other in zip(files, names, strict=True) if other == name)
            raise SettingsError(f"both would be the source {name}", where=both, remedy="rename one of the files")
    params = root / "params.yaml"
    asked = {"num_negatives": negatives, "sets": [str(path.resolve()) for path in evaluations] or None}
    if params.exists():
        settings = _checked_settings(params, names, asked)
    else:
        settings = Profile.model_validate(_settings(names, _above(files, root), asked)[PROFILE])
    place = Place(root.resolve(), params, PROFILE, settings)
    mix = root / "mixes" / f"{MIX}.yaml"
    if mix.exists() and instruction is not None:
        remedy = "change `instruction` in the manifests, and `instructions` in the mix"
        raise SettingsError("the project is there, and says its instruction", where="--instruction", remedy=remedy)
    drafts = [_drafted(file, name, place, instruction) for file, name in zip(files, names, strict=True)]
    for path, text in ((source.manifest, text) for source, text in drafts if text is not None):
        write_whole(path, text)
    if not mix.exists():
        told = instruction is not None
        recipe = {"name": MIX, "title": "Own data", "sources": names, "cap": None, "instructions": told}
        write_whole(mix, _yaml(recipe))
    if not params.exists():
        write_whole(params, _yaml(_settings(names, _above(files, root), asked)))
    return [source for source, _ in drafts], open_build(PROFILE, params, workers)


def _name(file: Path, root: Path) -> str:
    """Return the name of a file's source; of one that has another file's name by chance, with `PREFIX`."""
    name = proposed_name(str(file))
    known = registry.source_files(root).get(name)
    return name if known is None or known.resolve() == _manifest_path(root, name).resolve() else PREFIX + name


def _manifest_path(root: Path, name: str) -> Path:
    return root / registry.FOLDER / "sources" / f"{name}.yaml"


def _drafted(file: Path, name: str, place: Place, instruction: str | None) -> tuple[OwnSource, str | None]:
    """Return a source, and the text of its manifest; null: it is there.

    Raises:
        SettingsError: the manifest that is there is of another file.

    """
    path = _manifest_path(place.root, name)
    if path.exists():
        origin = registry.read_manifest(path).origin
        if origin.kind != "manual" or _folder(place, origin) != file.resolve().parent:
            remedy = "rename the file, or name another folder with --project"
            raise SettingsError(f"the source {name} is of another file", where=str(path), remedy=remedy)
        return OwnSource(name, path, {}), None
    draft = draft_source(str(file), place.options, name)
    text = draft.yaml
    if instruction is not None:
        line = next(one for one in text.splitlines() if one.startswith("instruction:"))
        text = text.replace(line, _yaml({"instruction": instruction}).rstrip("\n"))
    return OwnSource(name, path, draft.guesses), text


def _folder(place: Place, origin: ManualOrigin) -> Path:
    return (Path(place.options.local_root or place.root) / origin.folder).resolve()


def _above(files: Sequence[Path], root: Path) -> str:
    """Return the folder that all files are below: the project's, if it is above them, else the nearest one."""
    folders = [file.resolve().parent for file in files]
    if all(folder.is_relative_to(root.resolve()) for folder in folders):
        return "."
    return os.path.commonpath(folders)


def _settings(names: list[str], local_root: str, asked: dict[str, Any]) -> dict[str, Any]:
    trust = {"policy": "trust-identified"}  # the manifest has one language, that of most texts
    profile: dict[str, Any] = {
        "sources": {"include": names, "local_root": local_root},
        "languages": {"trust": {"default": trust}},
        "mining": {"teacher": "bm25", "num_negatives": asked["num_negatives"] or NEGATIVES},
        "mixes": {MIX: {}},
    }
    if asked["sets"]:
        profile["decontaminate"] = {"sets": asked["sets"]}
    return {"profile": PROFILE, PROFILE: profile}


def _checked_settings(params: Path, names: list[str], asked: dict[str, Any]) -> Profile:
    """Return the settings that are there: they must be of these files, and say what was asked for.

    Raises:
        SettingsError: they are not, or do not.

    """
    profiles, _ = read_profiles(params)
    own = profiles.get(PROFILE)
    known = load_profile(params, PROFILE)[1].sources.include if own is not None else []
    if own is None or set(known) != set(names):
        what = f"is of other files: {', '.join(known)}" if own is not None else f"has no profile {PROFILE}"
        remedy = "name another folder with --project; or go on with this project by `curate plan` and `curate status`"
        raise SettingsError(what, where=str(params), remedy=remedy)
    settings = load_profile(params, PROFILE)[1]
    said = {"num_negatives": settings.mining.num_negatives, "sets": settings.decontaminate.sets}
    for key, value in asked.items():
        if value is not None and value != said[key]:
            option = {"num_negatives": "--negatives", "sets": "--evaluation"}[key]
            raise SettingsError(
                f"the settings say {key}: {said[key]}", where=option, remedy=f"change it in {params}, or leave it out"
            )
    return settings


def _yaml(data: dict[str, Any]) -> str:
    return str(yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=10_000))
