"""What is looked up before any work: every name that a profile, its mix files and its sources' manifests hold.

Settings refuse what they can refuse by themselves (`curation.settings`). Whether a source, a mix, an evaluation set or
a shape of some name exists, they cannot know. Every command looks at the whole profile, also at sections that it does
not use: what is misspelt there would otherwise be found hours later, or never.
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
from sources.normalize import check_manifest

_OWNED = {"train": "train.config_file"}
"""Section → the module whose `check_section` looks at it. By name, as for the origins of sources: the package above
this one is not imported here before it is needed."""


def check_profile(build: Build, where: str) -> None:
    """Refuse a profile in which anything is misspelt.

    Args:
        build: the profile; its root is where mixes of its own, and relative folders, are looked for.
        where: the file and the profile, for errors.

    Raises:
        CorpusError: `UnknownNameError` for a name that nothing has, with the nearest; another where a file that the
            profile names breaks its model.

    """
    known = registry.names(build.root)
    for place, names in source_names(build.profile):
        for name in names:
            if name not in known:
                raise UnknownNameError("source", name, known, where=f"{where}: {place}")
    with suppress(StageError):  # no source is chosen: the verbs that need some say so
        manifests = build.manifests()
        for manifest in manifests:
            check_manifest(manifest)
        allowed_names(build.profile, manifests)
    _check_mixes(build, where)
    check_evaluation_sets(build, where)
    for section in _OWNED:
        if getattr(build.profile, section):
            _owner(section, where).check_section(build, where)


def trained_on(build: Build, where: str) -> list[Path] | None:
    """Return the folders of the mixes that a profile trains on and, last, evaluates on; null if it trains nothing.

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
        found = getattr(sys.modules.get(package), "__file__", None)
        raise SettingsError(
            f"nobody can look at this section: `{package}` is {found or 'not there'}, not this project's package",
            where=f"{where}: {section}",
            remedy=f"rename your own {package}.py, or call the command from another folder",
        ) from None


def source_names(profile: Profile) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield each setting that names sources, and the names."""
    yield "sources.include", profile.sources.include
    yield "sources.exclude", profile.sources.exclude
    yield "languages.trust.sources", profile.languages.trust.sources
    for pool, names in profile.mining.pools.items():
        yield f"mining.pools.{pool}", names


def _check_mixes(build: Build, where: str) -> None:
    files = recipe_files(build.root)
    for name in built_mixes(build.profile, build.root):
        if name not in files:
            raise UnknownNameError("mix", name, files, where=f"{where}: mixes")
        load_recipe(name, build.root)


def check_evaluation_sets(build: Build, where: str) -> None:
    """Refuse names that no evaluation set has, and folders that are not there.

    Raises:
        CorpusError: see `check_profile`.

    """
    settings = build.profile.decontaminate
    with _at(f"{where}: decontaminate"):
        if settings.mteb.model_fields_set:
            load_catalog(build.root).choose(settings.mteb)
        for one in chosen_sets(settings, build.root):
            if isinstance(one.definition, Manifest):
                check_manifest(one.definition)
            elif isinstance(one.definition, tuple):
                check_folder(*one.definition)


@contextmanager
def _at(where: str) -> Iterator[None]:
    """Say where an unknown name stands, if the error does not say it."""
    try:
        yield
    except UnknownNameError as error:
        error.where = error.where or where
        raise
