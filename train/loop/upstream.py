"""Whether what the trainer reads is current: mixes beside their build's own steps, a model beside its settings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from curation.pipeline.freshness import Checker, differences
from curation.pipeline.opening import open_build
from open_ml_embed.core.errors import StageError
from train.config import TrainSettings
from train.loop.run import Run, description


def check_mixes(params: Path, mixes: Iterable[str]) -> None:
    """Refuse a mix that the build it belongs to says is stale.

    A mix folder alone is enough to train on. Where the files of the build's steps lie beside it, they have to agree;
    shards and raw files need not be on this machine.

    Args:
        params: the settings file; only builds of its own folder are looked at.
        mixes: folders of mixes.

    Raises:
        StageError: a mix is stale, or its files are not those that were made; the remedy is the first verb to run.

    """
    root = params.resolve().parent
    for folder in sorted({Path(mix).resolve() for mix in mixes}):
        out = folder.parent.parent
        if folder.parent.name != "mixes" or out.parent != root / "out" or not any((out / "steps").glob("*.json")):
            continue
        build = open_build(out.name, params)
        Checker(build, away=True).require(f"mix-{folder.name}")


def check_model(run: Run, folder: Path) -> None:
    """Refuse a finished model that was trained with other settings, or on other mixes, than those of now.

    Raises:
        StageError: it was, or there is no finished model.

    """
    record = description(folder)
    if not record:
        raise StageError("no finished model", where=str(folder), remedy="run `train3d fit` first")
    then = record.get("made_from")
    if not isinstance(then, dict):
        differing = ["it was made by an older version"]
    else:
        differing = list(differences(then, run.made_from(then)))
    if differing:
        raise StageError(
            f"the model is stale: {differing[0]}",
            where=str(folder),
            remedy="run `train3d fit`, or name the model with --model to take it as it is",
        )


def mixes_of(settings: TrainSettings) -> list[str]:
    """Return the folders of all mixes that a profile trains on or evaluates with."""
    return [*(stage.mix for stage in settings.stages), settings.evaluation.mix]
