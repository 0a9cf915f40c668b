"""Load the `train` section of a profile of `params.yaml`, and derive the nested sizes from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from curation.build import Build
from curation.mixing.recipe import built_mixes, recipe_files
from curation.settings import load_profile
from open_ml_embed.core.errors import SettingsError, UnknownNameError
from open_ml_embed.core.params import from_root
from open_ml_embed.core.validation_errors import refusal
from train.config import SMALLEST_DIM, Pretrained, TrainSettings
from train.overrides import with_overrides

LAYER_SET = (1, 2, 4, 8, 16, 24, 32, 40, 48)
SMALLEST_RANK, LARGEST_RANK = 64, 512


def dims_of(settings: TrainSettings, hidden_size: int) -> tuple[int, ...]:
    """Return the prefix dimensions, ascending; the last is the hidden size.

    Raises:
        SettingsError: a given dimension exceeds the hidden size, or the full size has no weight.

    """
    chosen = settings.objective.dims
    if chosen is None:
        doubling = [SMALLEST_DIM << i for i in range(hidden_size.bit_length()) if SMALLEST_DIM << i < hidden_size]
        return (*doubling, hidden_size)
    return _nested("objective.dims", chosen, hidden_size)


def layers_of(settings: TrainSettings, depth: int) -> tuple[int, ...]:
    """Return the trained depths, ascending; the last is the depth of the backbone.

    Raises:
        SettingsError: a given depth exceeds that of the backbone, or the full depth has no weight.

    """
    chosen = settings.objective.layers
    if chosen is None:
        return layer_set(depth)
    return _nested("objective.layers", chosen, depth)


def layer_set(depth: int) -> tuple[int, ...]:
    """Return the published depths of a model with so many layers, ascending; the last is its own."""
    return (*(layer for layer in LAYER_SET if layer < depth), depth)


def ranks_of(settings: TrainSettings, hidden_size: int, stored: int | None = None) -> tuple[int, ...]:
    """Return the ranks of the token embedding, ascending; the last is the stored rank.

    Args:
        settings: the `train` section.
        hidden_size: width of the backbone.
        stored: rank of the factors that the backbone's token embedding is stored as; None: it is a table.

    Raises:
        SettingsError: a given rank is below 1, above the hidden size, or above the stored rank.

    """
    if settings.ranks is None:
        largest = min(LARGEST_RANK, hidden_size, stored or hidden_size)
        doublings = [SMALLEST_RANK << i for i in range(largest.bit_length()) if SMALLEST_RANK << i < largest]
        return (*doublings, largest)
    ranks = tuple(sorted(set(settings.ranks))) or (hidden_size,)
    if not 1 <= ranks[0] <= ranks[-1] <= hidden_size:
        raise SettingsError(
            f"{settings.ranks} are not all ranks of an embedding of width {hidden_size}",
            where="train.ranks",
            remedy=f"give ranks from 1 to {hidden_size}, or leave `ranks` out for the published ones",
        )
    if stored is not None and ranks != (hidden_size,) and ranks[-1] > stored:
        raise SettingsError(
            f"rank {ranks[-1]}, but the backbone's token embedding was trained at rank {stored} and below",
            where="train.ranks",
            remedy=f"give ranks up to {stored}, or leave `ranks` out",
        )
    return ranks


def _nested(where: str, chosen: Collection[int], full: int) -> tuple[int, ...]:
    nested = tuple(sorted({*chosen, full}))
    if nested[-1] > full:
        raise SettingsError(
            f"{sorted(chosen)} must lie between 1 and {full}",
            where=f"train.{where}",
            remedy=f"remove sizes above {full}, the backbone's",
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
        profile: its name; None: the profile that the file names under `profile`.

    Returns:
        The profile's name and its settings; mixes and folders are resolved to paths.

    Raises:
        SettingsError: the file does not exist, is not YAML or has no `train` section, or a value is invalid.
        UnknownNameError: the profile, a key or a mix does not exist.

    """
    name, settings = load_profile(path, profile)
    return name, settings_of(Build(name, settings, path.resolve().parent), f"{path}, profile {name}")


def settings_of(build: Build, where: str, overrides: Sequence[str] = ()) -> TrainSettings:
    """Return the `train` settings of a profile; mixes and folders are resolved to paths.

    Args:
        build: the profile.
        where: the file and the profile, for error messages.
        overrides: changes of single settings, as `key=value` (`train.overrides`).

    Raises:
        CorpusError: see `load_settings`.

    """
    if not build.profile.train:
        raise SettingsError("this profile trains nothing", where=where, remedy=f"add `{build.name}.train`")
    settings = check_section(build, where, overrides)
    evaluation = settings.evaluation.model_copy(update={"mix": str(mix_folder(build, settings.evaluation.mix))})
    stages = tuple(stage.model_copy(update={"mix": str(mix_folder(build, stage.mix))}) for stage in settings.stages)
    changed: dict[str, Any] = {"stages": stages, "evaluation": evaluation}
    if isinstance(settings.backbone, Pretrained):
        path = from_root(settings.backbone.path, build.root)
        changed["backbone"] = settings.backbone.model_copy(update={"path": path})
    if settings.objective.distillation is not None:
        teacher = from_root(settings.objective.distillation.teacher, build.root)
        distillation = settings.objective.distillation.model_copy(update={"teacher": teacher})
        changed["objective"] = settings.objective.model_copy(update={"distillation": distillation})
    return settings.model_copy(update=changed)


def check_section(build: Build, where: str, overrides: Sequence[str] = ()) -> TrainSettings:
    """Return the `train` section of a profile as it is written, after validation.

    Args:
        build: the profile.
        where: the file and the profile, for error messages.
        overrides: see `settings_of`.

    Raises:
        SettingsError: a value is invalid, or the profile does not build a mix that the section names.
        UnknownNameError: a key or a mix does not exist.

    """
    try:
        settings = TrainSettings.model_validate(with_overrides(build.profile.train, overrides))
    except ValidationError as error:
        raise refusal(error, TrainSettings, SettingsError, where=where, section="train", what="setting") from None
    for setting, mix in named_mixes(settings):
        _check_mix(build, mix, f"{where}: train.{setting}")
    return settings


def named_mixes(settings: TrainSettings) -> Iterator[tuple[str, str]]:
    """Yield (setting, value) for each setting that names a mix; the value is a name or a folder."""
    for number, stage in enumerate(settings.stages):
        yield f"stages.{number}.mix", stage.mix
    yield "evaluation.mix", settings.evaluation.mix


def model_folder(build: Build) -> Path:
    """Return where a profile's finished model goes."""
    return build.out / "model"


def work_folder(build: Build) -> Path:
    """Return where a profile's token ids, checkpoints and logs go."""
    return build.local_work / build.name / "train"


def mix_folder(build: Build, mix: str) -> Path:
    """Return the folder of a mix, which is given by its name or as a folder (a value with a slash)."""
    return build.root / mix if is_folder(mix) else build.mix(mix)


def is_folder(mix: str) -> bool:
    """Return whether a value is a folder (it has a slash) and not the name of a mix."""
    return "/" in mix


def _check_mix(build: Build, mix: str, where: str) -> None:
    built = built_mixes(build.profile, build.root)
    if is_folder(mix) or mix in built:
        return
    known = recipe_files(build.root)
    if mix not in known:
        raise UnknownNameError("mix", mix, {*known, *built}, where=where)
    raise SettingsError(
        f"the profile does not build the mix {mix}",
        where=where,
        remedy=f"add `{mix}: {{}}` to its section `mixes`; a folder needs a slash, as `./{mix}`",
    )
