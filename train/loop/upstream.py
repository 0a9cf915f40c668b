"""Checks that inputs are current: a mix against the steps of its build, a model against its settings and mixes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from curation.pipeline.freshness import Checker, differences
from curation.pipeline.opening import open_build
from open_ml_embed.core.errors import StageError
from train.config import TrainSettings
from train.loop.record import description, made_from
from train.loop.record import mixes_of as mixes_trained_on


def check_mixes(params: Path, mixes: Iterable[str]) -> None:
    """Raise an error if a mix is stale according to the build that it belongs to.

    A mix folder is enough to train on. If the step files of its build are next to it, they must agree with it; shards
    and raw files need not be on this machine.

    Args:
        params: the settings file; only builds in its folder are checked.
        mixes: folders of mixes.

    Raises:
        StageError: a mix is stale, or its files are not those that the build wrote; the remedy names the first verb to
            run.

    """
    for folder in sorted({Path(mix).resolve() for mix in mixes}):
        profile = steps_beside(params, folder)
        if profile is not None:
            Checker(open_build(profile, params), away=True).require(f"mix-{folder.name}")


def steps_beside(params: Path, mix: Path) -> str | None:
    """Return the profile whose build a mix belongs to; None if the step files of a build are not next to it.

    Args:
        params: the settings file; only builds in its folder are known.
        mix: folder of the mix.

    """
    folder = mix.resolve()
    out = folder.parent.parent
    if folder.parent.name != "mixes" or out.parent != params.resolve().parent / "out":
        return None
    return out.name if any((out / "steps").glob("*.json")) else None


def check_model(settings: TrainSettings, work: Path, folder: Path) -> None:
    """Raise an error if a finished model was trained with other settings or on other mixes than the present ones.

    Args:
        settings: the `train` section of the profile.
        work: the work folder.
        folder: the model folder.

    Raises:
        StageError: it was, or there is no finished model.

    """
    record = description(folder)
    if not record:
        raise StageError("no finished model", where=str(folder), remedy="run `train3d fit` first")
    then = record.get("made_from")
    if not isinstance(then, dict):
        changes = ["it was made by an older version"]
    else:
        now = made_from(settings, mixes_trained_on(settings, work), work, then)
        changes = list(differences(then, now))
    if changes:
        raise StageError(
            f"the model is stale: {changes[0]}",
            where=str(folder),
            remedy="run `train3d fit`, or name the model with --model to use it as it is",
        )


def mixes_of(settings: TrainSettings) -> list[str]:
    """Return the folders of all mixes that a profile trains on or evaluates with."""
    return [*(stage.mix for stage in settings.stages), settings.evaluation.mix]
