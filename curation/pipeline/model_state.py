"""What the trainer left beside the mixes: whether model and `evaluation.json` are of the mixes there are now.

The trainer's own settings are its own business: `train3d evaluate` and `train3d export` compare them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from curation.build import Build, StepResult, title
from curation.pipeline.freshness import Checker, State
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.hashing import digest

FIT, EVALUATE = "train3d fit", "train3d evaluate"


def mix_identity(result: StepResult) -> str:
    """Return the hash of what a mix holds, as the trainer takes it of the folder (`train.data.mix.Mix.identity`)."""
    files = sorted((Path(file.path), file) for file in result.files if file.path.endswith(".parquet"))
    kinds = (("samples", "train-"), ("samples", "validation-"), ("documents", ""))
    return digest(
        [
            [folder, path.name, file.bytes, file.xxh3]
            for folder, start in kinds
            for path, file in files
            if path.parent.name == folder and path.name.startswith(start)
        ]
    )


def evaluation_of(build: Build) -> dict[str, Any] | None:
    """Read a profile's `evaluation.json`, which must be of the mix and the model there are; null where there is none.

    Raises:
        StageError: it is unreadable, or was measured on something else.

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
    """Return how `evaluation.json` stands."""
    try:
        data = _read(build, build.out / "evaluation.json")
    except StageError as error:
        return State("stale", None, error.what, error.remedy)
    if data is None:
        return State("missing", None, "the model has not been evaluated", build.command(EVALUATE))
    why = _measured_elsewhere(build, data, checker)
    return State("stale", None, f"evaluation.json is stale: {why}", build.command(EVALUATE)) if why else State("done")


def model_state(build: Build, checker: Checker) -> State:
    """Return how the profile's model stands beside the mixes; its settings are compared by `train3d`."""
    record = _run_record(build)
    if record is None:
        return State("missing", None, "no model has been trained", build.command(FIT))
    trained_on = record.get("made_from", {}).get("mixes", {})
    for stage in build.profile.train.get("stages") or ():
        made = _own_mix(build, stage.get("mix"), checker)
        if made is not None and mix_identity(made) != trained_on.get(stage.get("name")):
            why = f"the model is stale: stage {stage.get('name')} was trained on another {title(made.step)}"
            return State("stale", None, why, build.command(FIT))
    return State("done")


def _measured_elsewhere(build: Build, data: dict[str, Any], checker: Checker) -> str | None:
    """Say on what else than the mix, the settings and the model of now a model was evaluated; null: on these."""
    section = build.profile.train.get("evaluation") or {}
    try:
        said = data["measured_on"]
        mix, settings, model = said["mix"], said["settings"], said["model"]
        changed = [name for name, value in section.items() if name != "mix" and settings.get(name) != value]
        made = _own_mix(build, section.get("mix"), checker)
        if changed:
            return f"setting train.evaluation.{changed[0]} changed"
        if made is not None and mix_identity(made) != mix["identity"]:
            return f"it was measured on another {title(made.step)}"
        record = _run_record(build)
        if record is not None and not model["named"] and record.get("key") != model["key"]:
            return "it was measured on another model"
    except (KeyError, TypeError, AttributeError):
        return "it does not say what it was measured on"
    return None


def _own_mix(build: Build, path: object, checker: Checker) -> StepResult | None:
    """Return the step of a mix of this build; null for a folder from elsewhere, or a mix that was never made here."""
    folder = (build.root / str(path) if "/" in str(path) else build.mix(str(path))).resolve()
    if folder.parent != (build.out / "mixes").resolve():
        return None
    return checker.state(f"mix-{folder.name}").result


def _run_record(build: Build) -> dict[str, Any] | None:
    try:
        return _read(build, build.out / "model" / "train3d" / "run.json")
    except StageError:
        return None


def _read(build: Build, path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise StageError("the file is unreadable", where=str(path), remedy=build.command(EVALUATE)) from None
    return data if isinstance(data, dict) else {}
