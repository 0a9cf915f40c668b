"""Validation before any work: look up all names in a profile, its mix files and the manifests of its sources.

The settings models check types and values (`curation.settings`), but not whether a source, mix, evaluation set or shape
exists. Every command checks the whole profile, also sections that it does not use. Otherwise a misspelled name would be
found hours later, or never.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType

from curation.build import Build
from curation.decontamination.evaluation_sets import load_catalog
from curation.decontamination.origins import check_folder, chosen_sets
from curation.mixing.recipe import built_mixes, load_recipe, recipe_files
from curation.normalize.yields import allowed_names
from curation.settings import Profile
from open_ml_embed.core.errors import SettingsError, StageError, UnknownNameError
from sources import registry
from sources.manifest import Manifest
from sources.manifest_checks import check_manifest

_OWNED = {"train": "train.config_file"}
"""Section → the module whose `check_section` checks it. The module is in a package that depends on this one, so it is
imported by name and only when needed."""


def check_profile(build: Build, where: str) -> None:
    """Refuse a profile with a name that does not exist.

    Args:
        build: the profile; mixes and relative folders are looked up below its root.
        where: the file and the profile, for error messages.

    Raises:
        CorpusError: `UnknownNameError` for an unknown name, with the nearest known one; another error if a file that
            the profile names is not valid.

    """
    sources = registry.names(build.root)
    for setting, names in source_names(build.profile):
        for name in names:
            if name not in sources:
                raise UnknownNameError("source", name, sources, where=f"{where}: {setting}")
    with suppress(StageError):  # no source is chosen: steps that need sources report it
        manifests = build.manifests()
        for manifest in manifests:
            check_manifest(manifest)
        allowed_names(build.profile, manifests)
        held = [manifest.name for manifest in manifests]
        for name in build.profile.sources.allow_missing:
            if name not in held:
                raise UnknownNameError("source", name, held, where=f"{where}: sources.allow_missing")
    _check_mixes(build, where)
    check_evaluation_sets(build, where)
    for section in _OWNED:
        if getattr(build.profile, section):
            _owner(section, where).check_section(build, where)


def trained_on(build: Build, where: str) -> list[Path] | None:
    """Return the folders of the mixes that a profile trains on and, last, evaluates on; null if it trains no model.

    Raises:
        CorpusError: see `check_profile`.

    """
    if not build.profile.train:
        return None
    settings = _owner("train", where).settings_of(build, where)
    return [Path(stage.mix) for stage in settings.stages] + [Path(settings.evaluation.mix)]


def _owner(section: str, where: str) -> ModuleType:
    package = _OWNED[section].partition(".")[0]
    try:
        return import_module(_OWNED[section])
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(package):
            raise
        path = getattr(sys.modules.get(package), "__file__", None)
        raise SettingsError(
            f"this section cannot be checked: `{package}` is {path or 'not there'}, not this project's package",
            where=f"{where}: {section}",
            remedy=f"rename your own {package}.py, or call the command from another folder",
        ) from None


def source_names(profile: Profile) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield (setting, source names) for each setting that names sources."""
    yield "sources.include", profile.sources.include
    yield "sources.exclude", profile.sources.exclude
    yield "languages.trust.sources", profile.languages.trust.sources
    yield "quality.sources", profile.quality.sources
    for pool, names in profile.mining.pools.items():
        yield f"mining.pools.{pool}", names
    for name, corpus in profile.mining.corpus.items():
        yield f"mining.corpus.{name}.sources", corpus.sources


def _check_mixes(build: Build, where: str) -> None:
    files = recipe_files(build.root)
    for name in built_mixes(build.profile, build.root):
        if name not in files:
            raise UnknownNameError("mix", name, files, where=f"{where}: mixes")
        load_recipe(name, build.root)


def check_evaluation_sets(build: Build, where: str) -> None:
    """Refuse evaluation sets and folders that do not exist.

    Args:
        build: the profile.
        where: the file and the profile, for error messages.

    Raises:
        CorpusError: see `check_profile`.

    """
    settings = build.profile.decontaminate
    with _at(f"{where}: decontaminate"):
        if settings.mteb.model_fields_set:
            load_catalog(build.root).choose(settings.mteb)
        for evaluation_set in chosen_sets(settings, build.root):
            if isinstance(evaluation_set.definition, Manifest):
                check_manifest(evaluation_set.definition)
            elif isinstance(evaluation_set.definition, tuple):
                check_folder(*evaluation_set.definition)


@contextmanager
def _at(where: str) -> Iterator[None]:
    """Add the location to an `UnknownNameError` that has none."""
    try:
        yield
    except UnknownNameError as error:
        error.where = error.where or where
        raise
