"""How a profile is opened, by the commands and from Python: its settings, its folders, and every name looked up.

Everything of a build lies in the folder of its settings file: `work/`, `out/`, `mixes/` and relative paths of the
settings, whatever the current directory is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curation.build import Build
from curation.settings import Profile, load_profile
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.params import from_root

PARAMS = Path("params.yaml")
"""The settings file of whoever names none."""


def open_build(
    profile: str | None, params: Path, workers: int = 0, engine: str = "local", ray_address: str | None = None
) -> Build:
    """Return the build of a profile, or of a part of one, in which every name has been looked up.

    Args:
        profile: its name; null: the one that the file names. `NAME@SOURCE+SOURCE` is the part of it that has only these
            sources (`curation.pipeline.part`).
        params: the settings file.
        workers: tasks at once; 0: one per core.
        engine: `local` or `ray`.
        ray_address: of a running Ray cluster.

    Raises:
        CorpusError: see `curation.settings.load_profile`, `curation.pipeline.validation.check_profile` and
            `curation.pipeline.part.part_of`.

    """
    if engine not in ("local", "ray"):
        raise SettingsError(f"unknown engine {engine!r}", where="--engine", remedy="local or ray")
    if workers < 0:
        raise SettingsError(f"{workers} workers cannot work", where="--workers", remedy="a number, or 0: one per core")
    whole, sources = _named(profile)
    name, settings = load_profile(params, whole)
    kind: Any = engine
    root = params.resolve().parent
    file_option = "" if params == PARAMS else f" --params {params}"
    options = (f" --profile {name}" if whole else "") + file_option
    build = Build(name, _rooted(settings, root), root, Workers(kind, workers, ray_address), options=options)
    from curation.pipeline.validation import check_profile  # it loads what reads raw files: not for those who only ask

    check_profile(build, f"{params}, profile {name}")
    if not sources:
        return build
    from curation.pipeline.part import part_of

    return part_of(build, sources, f"profile {name}", file_option)


def _named(profile: str | None) -> tuple[str | None, list[str]]:
    if profile is None or "@" not in profile:
        return profile, []
    from curation.pipeline.part import names_of

    return names_of(profile)


def _rooted(profile: Profile, root: Path) -> Profile:
    """Return a profile whose models are found from the current directory too (`from_root`)."""
    languages, mining = profile.languages, profile.mining
    if languages.model is not None:
        languages = languages.model_copy(update={"model": from_root(languages.model, root)})
    teacher = mining.teacher
    if teacher.dense:
        _, vectors, folder = teacher.model.rpartition("vectors:")
        teacher = teacher.model_copy(update={"model": vectors + from_root(folder, root)})
    opinion = mining.second_opinion and from_root(mining.second_opinion, root)
    mining = mining.model_copy(update={"teacher": teacher, "second_opinion": opinion})
    return profile.model_copy(update={"languages": languages, "mining": mining})
