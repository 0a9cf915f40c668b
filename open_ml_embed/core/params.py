"""Reads the profiles of `params.yaml`; `curation.settings` validates the sections of one profile."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any

from open_ml_embed.core.errors import SettingsError, UnknownNameError
from open_ml_embed.core.names import NAME
from open_ml_embed.core.yaml_file import read_yaml

DEFAULT = "profile"
"""The only key of the file that is not a profile: it names the profile that commands use without `--profile`."""
_NAME = re.compile(NAME)
_RESERVED = ("raw", "evaluations", "langid")
"""Folders of `work/` that all profiles share; no profile may have such a name."""


def read_section(path: Path, name: str | None) -> tuple[str, dict[str, Any]]:
    """Return the name and the content of a profile.

    Args:
        path: the file.
        name: the profile; None: the one that the file's `profile` entry names, else `sample`.

    Raises:
        SettingsError: no such file, not YAML, a duplicate key, or an entry that is neither a profile nor `profile`.
        UnknownNameError: no such profile.

    """
    profiles, default = read_profiles(path)
    name = name or default or "sample"
    if name not in profiles:
        raise UnknownNameError("profile", name, profiles, where=str(path))
    return name, profiles[name]


def read_profiles(path: Path) -> tuple[dict[str, dict[str, Any]], str | None]:
    """Return all profiles by name, in the order of the file, and the value of its `profile` entry, None without one.

    Raises:
        SettingsError: see `read_section`.

    """
    data = read_yaml(path, SettingsError, remedy="`curate init` makes a project; run in its folder, or give --params")
    if not isinstance(data, dict):
        content = "nothing" if data is None else {list: "a list"}.get(type(data), f"only {data!r}")
        raise SettingsError(
            f"no profiles: the file holds {content}",
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
    content = "nothing" if value is None else f"{value!r}"
    return SettingsError(
        f"{key!r} is no profile: it holds {content}",
        where=where,
        remedy=f"did you mean {DEFAULT}?"
        if near
        else f"write its sections under it, as `{key}: {{sources: …}}`; "
        f"beside profiles the file has only `{DEFAULT}: NAME`",
    )


def _checked(name: str, where: str) -> str:
    if _NAME.fullmatch(name) and name not in _RESERVED:
        return name
    reason = f"work/{name} is not a profile's" if name in _RESERVED else "work/ and out/ have a folder of this name"
    raise SettingsError(
        f"a profile cannot be called {name!r}: {reason}",
        where=where,
        remedy="use letters, digits, `_`, `-` and `.`, a letter or digit first, and none of " + ", ".join(_RESERVED),
    )


def from_root(value: str, root: Path) -> str:
    """Convert a path in a settings file, relative to that file, to a path relative to the current directory.

    Args:
        value: the value in the file: a path relative to the file's folder, or something else (a reference to the Hub).
        root: the folder of the settings file.

    Returns:
        The relative path. The value itself if the current directory is `root` (so that keys that hold a path do not
        depend on the machine), if the path is absolute, or if it does not exist below `root`.

    """
    path = root / value
    if Path(value).is_absolute() or not path.exists() or root.resolve() == Path.cwd():
        return value
    return os.path.relpath(path)
