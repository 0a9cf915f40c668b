"""Reading `params.yaml`: a mapping of profiles, before `curation.settings` looks into one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sources.errors import SettingsError, UnknownNameError


def read_section(path: Path, name: str | None) -> tuple[str, dict[str, Any]]:
    """Return a profile's name and what stands under it.

    Args:
        path: the file.
        name: the profile; null takes the file's `profile` entry.

    Raises:
        SettingsError: no such file, not YAML, or YAML that is no mapping.
        UnknownNameError: no such profile.

    """
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SettingsError("no such file", where=str(path), remedy="run from the checkout, or give --params") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"not YAML: {error}", where=str(path)) from None
    if not isinstance(data, dict):
        found = "nothing" if data is None else {list: "a list"}.get(type(data), f"only {data!r}")
        raise SettingsError(
            f"no profiles: the file holds {found}",
            where=str(path),
            remedy="write one section a profile, as `sample: {sources: {collection: offline}}`, "
            "or take the checkout's own params.yaml",
        )
    profiles = {str(key): value for key, value in data.items() if isinstance(value, dict)}
    name = name or str(data.get("profile", "sample"))
    if name not in profiles:
        raise UnknownNameError("profile", name, profiles, where=str(path))
    return name, profiles[name]
