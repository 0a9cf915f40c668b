"""Finds the mix that a command names."""

from __future__ import annotations

from pathlib import Path

from curation.build import Build
from curation.pipeline.opening import open_build
from open_ml_embed.core.errors import SettingsError, UnknownNameError


def find_mix(mix: str, profile: str | None, params: Path) -> tuple[Path, Build | None]:
    """Return the folder of a mix, and the build that made it; null for a folder that is no mix of the profile.

    Args:
        mix: a folder, or the name of a mix of the profile, which must be current.
        profile: name of the profile; null: the default one.
        params: the settings file.

    Raises:
        UnknownNameError: the profile has no such mix; the message has the nearest.
        SettingsError: the folder is no mix.
        StageError: the mix is not current.

    """
    from curation.mixing.recipe import built_mixes
    from curation.pipeline.freshness import Checker

    if (Path(mix) / "samples").is_dir():
        return Path(mix), None
    build = open_build(profile, params)
    names = built_mixes(build.profile, build.root)
    if mix not in names:
        if Path(mix).exists() or len(Path(mix).parts) > 1:
            raise SettingsError("no mix: there is no folder samples/", where=mix, remedy=f"a mix: {', '.join(names)}")
        raise UnknownNameError("mix", mix, names, where=f"profile {build.name}")
    if any((build.out / "steps").glob("*.json")):  # a mix folder alone, copied here, is enough
        Checker(build, away=True).require(f"mix-{mix}")
    return build.mix(mix), build
