"""Settings as read: one profile of `params.yaml`, and the sizes that follow from it and the backbone's."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from curation.params import read_section
from sources.errors import SettingsError
from train.config import SMALLEST_DIM, TrainSettings

LAYER_SET = (1, 2, 4, 8, 16, 24, 32, 40, 48)
SMALLEST_RANK = 64


def dims_of(settings: TrainSettings, hidden_size: int) -> tuple[int, ...]:
    """Return the prefix dimensions, ascending, ending in the hidden size.

    Raises:
        SettingsError: a given dimension is larger than the hidden size.

    """
    chosen = settings.objective.dims
    if chosen is None:
        doubling = [SMALLEST_DIM << i for i in range(hidden_size.bit_length()) if SMALLEST_DIM << i < hidden_size]
        return (*doubling, hidden_size)
    return _nested("objective.dims", chosen, hidden_size)


def layers_of(settings: TrainSettings, depth: int) -> tuple[int, ...]:
    """Return the trained depths, ascending, ending in the backbone's own.

    Raises:
        SettingsError: a given layer is deeper than the backbone.

    """
    chosen = settings.objective.layers
    if chosen is None:
        return (*(layer for layer in LAYER_SET if layer < depth), depth)
    return _nested("objective.layers", chosen, depth)


def ranks_of(settings: TrainSettings, hidden_size: int) -> tuple[int, ...]:
    """Return the embedding ranks, ascending; the last is the rank stored.

    Raises:
        SettingsError: a given rank is larger than the hidden size.

    """
    if settings.ranks is None:
        largest = max(min(512, hidden_size // 2), min(SMALLEST_RANK, hidden_size))
        return (*range(SMALLEST_RANK, largest, SMALLEST_RANK), largest)
    ranks = tuple(sorted(set(settings.ranks))) or (hidden_size,)
    if not 1 <= ranks[0] <= ranks[-1] <= hidden_size:
        raise SettingsError(
            f"{settings.ranks} are no ranks of a {hidden_size} wide embedding",
            where="train.ranks",
            remedy=f"give ranks from 1 to {hidden_size}, or none for the published ones",
        )
    return ranks


def _nested(where: str, chosen: Collection[int], full: int) -> tuple[int, ...]:
    nested = tuple(sorted({*chosen, full}))
    if nested[-1] > full:
        raise SettingsError(
            f"{sorted(chosen)} must lie between 1 and {full}",
            where=f"train.{where}",
            remedy=f"leave out what is larger than the backbone's {full}",
        )
    if isinstance(chosen, dict) and full not in chosen:
        raise SettingsError(
            f"the full size, {full}, has no weight", where=f"train.{where}", remedy=f"add `{full}: 1.0`"
        )
    return nested


def load_settings(path: Path, profile: str | None) -> tuple[str, TrainSettings]:
    """Read the `train` section of one profile.

    Args:
        path: `params.yaml`.
        profile: its name; null takes the file's `profile` entry.

    Returns:
        The profile's name and its settings.

    Raises:
        SettingsError: no such file, not YAML, no `train` section, or a value or key that it refuses.
        UnknownNameError: no such profile.

    """
    name, section = read_section(path, profile)
    if not section.get("train"):
        raise SettingsError("this profile trains nothing", where=f"{path}: {name}", remedy=f"add `{name}.train`")
    try:
        return name, TrainSettings.model_validate(section["train"])
    except ValidationError as error:
        raise _explained(error, f"{path}: {name}.train") from None


def _explained(error: ValidationError, where: str) -> SettingsError:
    """Turn the first thing pydantic refuses into our own error."""
    first = error.errors()[0]
    place = ".".join([where, *(str(part) for part in first["loc"])])
    if first["type"] != "extra_forbidden":
        return SettingsError(f"{first['msg']} (got {first['input']!r})", where=place)
    key = str(first["loc"][-1])
    known = sorted(_fields_at(TrainSettings, first["loc"][:-1]))
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
    remedy = f"did you mean {' or '.join(near)}?" if near else f"one of: {', '.join(known)}"
    return SettingsError(f"unknown setting {key!r}", where=place, remedy=remedy)


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> Iterator[str]:
    """Yield the fields of the model that stands at `loc` below `model`."""
    if not loc:
        yield from model.model_fields
        return
    part, rest = loc[0], loc[1:]
    below: list[Any] = [model.model_fields[part].annotation] if part in model.model_fields else []
    while below:
        annotation = below.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            # A union's tag and a tuple's index are part of the place but not fields: step over them.
            yield from _fields_at(annotation, tuple(p for p in rest if p in annotation.model_fields))
        below.extend(get_args(annotation))
