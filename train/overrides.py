"""`--set key=value`: changes of single settings from the command line."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from open_ml_embed.core.errors import SettingsError, UnknownNameError

EXAMPLE = "--set seed=1 --set stages.retrieval.steps=200"


def with_overrides(section: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a section of settings with some values changed.

    Args:
        section: the section `train`, as it is in the file.
        overrides: `key=value`; the parts of a key are divided by dots, and an entry of a list is given by its `name` or
            its number, from 0. A value is YAML, as in the file.

    Raises:
        SettingsError: an override is no such pair, or its value is not YAML.
        UnknownNameError: a list has no entry of that name. Unknown settings are found when the section is checked.

    """
    changed = copy.deepcopy(dict(section))
    for override in overrides:
        key, equals, text = override.partition("=")
        where = f"--set {override}"
        if not equals or not all(part.strip() for part in key.split(".")):
            raise SettingsError("this is no key=value", where=where, remedy=f"as {EXAMPLE}")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise SettingsError(f"{text!r} is not YAML", where=where, remedy=f"as {EXAMPLE}") from None
        *path, last = key.split(".")
        place: Any = changed
        for part in path:
            place = _inside(place, part, where)
        if isinstance(place, list):
            place[_index(place, last, where)] = value
        else:
            place[last] = value
    return changed


def _inside(place: Any, part: str, where: str) -> Any:
    """Return what is at a part of a key; a mapping that is not there yet is created."""
    if isinstance(place, list):
        return place[_index(place, part, where)]
    if place.get(part) is None:
        place[part] = {}
    if not isinstance(place[part], dict | list):
        raise SettingsError(f"{part} is {place[part]!r}, which has no settings inside", where=where)
    return place[part]


def _index(entries: list[Any], part: str, where: str) -> int:
    names = [str(entry.get("name", at)) if isinstance(entry, dict) else str(at) for at, entry in enumerate(entries)]
    if part in names:
        return names.index(part)
    if part.isdecimal() and int(part) < len(entries):
        return int(part)
    raise UnknownNameError("entry", part, names, where=where)
