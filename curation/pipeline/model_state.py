"""Freshness of the trained model and of `evaluation.json`: whether they were made from the current mixes.

The settings of training are not compared here, but by `train3d evaluate` and `train3d export`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curation.build import Build, StepResult, title
from curation.mixing.files import LOCATIONS
from curation.pipeline.freshness import Checker, State
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.sealed import DamagedRecordError, read_record, read_sealed

FIT, EVALUATE = "train3d fit", "train3d evaluate"


def mix_identity(result: StepResult) -> str:
    """Return the hash of a mix's files, equal to the one that the trainer computes (`train.data.mix.Mix.identity`)."""
    files = sorted((Path(file.path), file) for file in result.files if file.path.endswith(".parquet"))
    return digest(
        [
            [folder, path.name, file.bytes, file.xxh3]
            for folder, start in LOCATIONS.values()
            for path, file in files
            if path.parent.name == folder and path.name.startswith(start)
        ]
    )


def evaluation_of(build: Build) -> dict[str, Any] | None:
    """Read the `evaluation.json` of a profile; null if there is none.

    Raises:
        StageError: the file is unreadable, or was measured on another mix, model or settings than the current ones.

    """
    data = _read(build, build.out / "evaluation.json")
    if data is None:
        return None
    why = _measured_elsewhere(build, data, Checker(build))
    if why:
        raise StageError(
            f"evaluation.json is stale: {why}", where=f"profile {build.name}", remedy=build.command(EVALUATE)
        )
    return data


def evaluation_state(build: Build, checker: Checker) -> State:
    """Return the state of `evaluation.json`."""
    try:
        data = _read(build, build.out / "evaluation.json")
    except StageError as error:
        return State("stale", None, error.what, error.remedy)
    if data is None:
        return State("missing", None, "the model has not been evaluated", build.command(EVALUATE))
    why = _measured_elsewhere(build, data, checker)
    return State("stale", None, f"evaluation.json is stale: {why}", build.command(EVALUATE)) if why else State("done")


def model_state(build: Build, checker: Checker) -> State:
    """Return the state of the profile's model with respect to the mixes; `train3d` compares its settings."""
    try:
        record = read_sealed(_run_path(build), remedy=build.command(FIT))
    except DamagedRecordError as error:
        return State("stale", None, f"run.json of the model: {error.what}", error.remedy)
    if record is None:
        return State("missing", None, "no model has been trained", build.command(FIT))
    trained_on = record["made_from"]["mixes"]
    for stage in build.profile.train.get("stages") or ():
        mix_result = _own_mix(build, stage.get("mix"), checker)
        if mix_result is not None and mix_identity(mix_result) != trained_on.get(stage.get("name")):
            why = f"the model is stale: stage {stage.get('name')} was trained on another {title(mix_result.step)}"
            return State("stale", None, why, build.command(FIT))
    return State("done")


def _measured_elsewhere(build: Build, data: dict[str, Any], checker: Checker) -> str | None:
    """Return why an evaluation does not belong to the current mix, settings and model; null if it does."""
    section = build.profile.train.get("evaluation") or {}
    try:
        measured_on = data["measured_on"]
        mix, settings, model = measured_on["mix"], measured_on["settings"], measured_on["model"]
        changed = [name for name, value in section.items() if name != "mix" and settings.get(name) != value]
        mix_result = _own_mix(build, section.get("mix"), checker)
        if changed:
            return f"setting train.evaluation.{changed[0]} changed"
        if mix_result is not None and mix_identity(mix_result) != mix["identity"]:
            return f"it was measured on another {title(mix_result.step)}"
        record = _run_record(build)
        if record is not None and not model["named"] and record.get("key") != model["key"]:
            return "it was measured on another model"
    except (KeyError, TypeError, AttributeError):
        return "it does not say what it was measured on"
    return None


def _own_mix(build: Build, path: object, checker: Checker) -> StepResult | None:
    """Return the result of step `mix` for a mix of this build; null for other folders, or if there is no result."""
    folder = (build.root / str(path) if "/" in str(path) else build.mix(str(path))).resolve()
    if folder.parent != (build.out / "mixes").resolve():
        return None
    return checker.state(f"mix-{folder.name}").result


def _run_path(build: Build) -> Path:
    return build.out / "model" / "train3d" / "run.json"


def _run_record(build: Build) -> dict[str, Any] | None:
    try:
        return read_sealed(_run_path(build))
    except DamagedRecordError:
        return None


def _read(build: Build, path: Path) -> dict[str, Any] | None:
    return read_record(path, remedy=build.command(EVALUATE))
