"""Reading `params.yaml`: which profiles it has, before `curation.settings` looks into one."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any

from open_ml_embed.core.errors import SettingsError, UnknownNameError
from open_ml_embed.core.yaml_file import read_yaml

DEFAULT = "profile"
"""The one entry of the file that is no profile: the name of the one that commands take without `--profile`."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_TAKEN = ("raw", "evaluations", "langid")
"""Folders of `work/` that belong to no profile."""


def read_section(path: Path, name: str | None) -> tuple[str, dict[str, Any]]:
    """Return a profile's name and what stands under it.

    Args:
        path: the file.
        name: the profile; null takes the file's `profile` entry.

    Raises:
        SettingsError: no such file, not YAML, a key twice, or entries that are neither a profile nor `profile`.
        UnknownNameError: no such profile.

    """
    profiles, default = read_profiles(path)
    name = name or default or "sample"
    if name not in profiles:
        raise UnknownNameError("profile", name, profiles, where=str(path))
    return name, profiles[name]


def read_profiles(path: Path) -> tuple[dict[str, dict[str, Any]], str | None]:
    """Return all profiles of a file by name, in its order, and the one that its `profile` entry names.

    Raises:
        SettingsError: see `read_section`.

    """
    data = read_yaml(path, SettingsError, remedy="`curate init` makes a project; run in its folder, or give --params")
    if not isinstance(data, dict):
        found = "nothing" if data is None else {list: "a list"}.get(type(data), f"only {data!r}")
        raise SettingsError(
            f"no profiles: the file holds {found}",
            where=str(path),
            remedy="write one section a profile, as `sample: {sources: {collection: offline}}`, "
            "or take the one that `curate init` writes",
        )
    profiles: dict[str, dict[str, Any]] = {}
    for key, value in data.items():
        if key == DEFAULT:
            if not isinstance(value, str):
                raise SettingsError(f"{value!r} is no name", where=f"{path}: {DEFAULT}", remedy="name a profile")
        elif not isinstance(value, dict):
            raise _no_profile(str(key), value, str(path))
        else:
            profiles[_checked(str(key), str(path))] = value
    return profiles, data.get(DEFAULT)


def _no_profile(key: str, value: object, where: str) -> SettingsError:
    near = difflib.get_close_matches(key, [DEFAULT], cutoff=0.5)
    found = "nothing" if value is None else f"{value!r}"
    return SettingsError(
        f"{key!r} is no profile: it holds {found}",
        where=where,
        remedy=f"did you mean {DEFAULT}?"
        if near
        else f"write its sections under it, as `{key}: {{sources: …}}`; "
        f"beside profiles the file has only `{DEFAULT}: NAME`",
    )


def _checked(name: str, where: str) -> str:
    if _NAME.fullmatch(name) and name not in _TAKEN:
        return name
    taken = f"work/{name} is not a profile's" if name in _TAKEN else "work/ and out/ have a folder of this name"
    raise SettingsError(
        f"a profile cannot be called {name!r}: {taken}",
        where=where,
        remedy="use letters, digits, `_`, `-` and `.`, a letter or digit first, and none of " + ", ".join(_TAKEN),
    )


def from_root(value: str, root: Path) -> str:
    """Return a path of a settings file as a path from the current directory.

    Args:
        value: what the file says: a path, relative to the file's folder, or something else (a reference to the Hub).
        root: that folder.

    Returns:
        The value as it is from the folder itself, so that keys with a path in them are the same for everybody; and
        wherever nothing lies at that place below `root`.

    """
    place = root / value
    if Path(value).is_absolute() or not place.exists() or root.resolve() == Path.cwd():
        return value
    return os.path.relpath(place)
