"""A part of a profile: some of its sources, as a build of its own beside that of the profile.

Duplicates, negatives and mixes depend on which sources there are. So a part has folders of its own,
`work/PROFILE@SOURCES` and `out/PROFILE@SOURCES`, and no result of the profile is read or written. Raw files are shared.
Every verb takes a part in the place of a profile: `curate show squad --profile sample@squad`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from curation.build import Build
from curation.mixing.recipe import built_mixes, load_recipe
from curation.normalize.yields import Allowed
from curation.settings import Profile
from open_ml_embed.core.errors import SettingsError, UnknownNameError
from sources.manifest import Manifest
from sources.spoken import speaks

BEFORE, BETWEEN = "@+"
"""What stands before the sources in the name of a part, and between them. No name of a profile has the first, and no
name of a source the second."""
LONGEST = 200
"""Most characters of the name of a part, which is that of its folders."""


def names_of(name: str | None) -> tuple[str | None, list[str]]:
    """Split the name of a part into the profile, null for the default one, and the sources; none: the whole profile.

    >>> names_of("sample@fever+squad"), names_of("@squad"), names_of("sample")
    (('sample', ['fever', 'squad']), (None, ['squad']), ('sample', []))

    """
    profile, mark, sources = (name or "").partition(BEFORE)
    return profile or None, sources.split(BETWEEN) if mark else []


def part_name(profile: str, sources: Iterable[str]) -> str:
    """Return the name of a part; the order of the sources does not matter."""
    return f"{profile}{BEFORE}{BETWEEN.join(sorted(set(sources)))}"


def is_part(build: Build) -> bool:
    """Tell whether a build is of some sources of its profile."""
    return BEFORE in build.name


def check_whole(build: Build, what: str) -> None:
    """Refuse a part of a profile.

    Raises:
        SettingsError: the build is a part.

    """
    if is_part(build):
        raise SettingsError(
            f"{what} is written for whole profiles",
            where=f"profile {build.name}",
            remedy="name the profile without sources, or write a profile of these sources into the settings file",
        )


def part_of(build: Build, sources: Sequence[str], where: str, params: str) -> Build:
    """Return the part of a build that has only some sources; the build itself if these are all of them.

    Its mixes are those of the profile that hold one of the sources. If the profile builds others too, the part trains
    nothing.

    Args:
        build: the whole profile, checked.
        sources: their names, in any order.
        where: what names the sources, for error messages.
        params: the option that names the settings file; empty for the default.

    Raises:
        UnknownNameError: the profile does not have such a source; the message has the nearest.
        SettingsError: the sources are too many for a name.

    """
    manifests = {manifest.name: manifest for manifest in build.sources()}
    for source in sources:
        if source not in manifests:
            raise UnknownNameError("source", source, manifests, where=where)
    chosen = [manifest for name, manifest in manifests.items() if name in sources]
    if len(chosen) == len(manifests):
        return build
    name = part_name(build.name, sources)
    if len(name) > LONGEST:
        raise SettingsError(
            f"{len(chosen)} sources are too many for a part of a profile",
            where=where,
            remedy="write a profile with these names under `sources.include` into the settings file",
        )
    return replace(build, name=name, profile=_restricted(build, chosen), options=f" --profile {name}{params}")


def mixes_left_out(build: Build, whole: Profile) -> list[str]:
    """Return the mixes of a profile that a part of it does not build, because they hold none of its sources."""
    return sorted({*built_mixes(whole, build.root)} - {*built_mixes(build.profile, build.root)})


def _restricted(build: Build, chosen: list[Manifest]) -> Profile:
    """Return the settings of a profile for some of its sources, without what they say of other sources."""
    profile, names = build.profile, [manifest.name for manifest in chosen]
    settings = profile.sources
    sources = settings.model_copy(
        update={
            "collection": None,
            "include": names,
            "exclude": [],
            "languages": [code for code in settings.languages if any(speaks(m, code) for m in chosen)],
            "allow_missing": [name for name in settings.allow_missing if name in names],
        }
    )
    allow = [allowed for allowed in profile.normalize.allow if Allowed.parse(allowed).source in names]
    corpora = {}
    for name, corpus in build.corpora().items():
        if searching := [source for source in corpus.sources if source in names]:
            corpora[name] = profile.mining.corpus[name].model_copy(update={"sources": searching})
    all_mixes = built_mixes(profile, build.root)
    held = {name: load_recipe(name, build.root) for name in all_mixes}
    mixes = {name: mix for name, mix in profile.mixes.items() if name in held and any(map(held[name].holds, names))}
    return profile.model_copy(
        update={
            "sources": sources,
            "mining": profile.mining.model_copy(update={"corpus": corpora}),
            "normalize": profile.normalize.model_copy(update={"allow": allow}),
            "mixes": mixes,
            "train": profile.train if len(mixes) == len(all_mixes) else {},
        }
    )
