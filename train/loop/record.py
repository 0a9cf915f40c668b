"""What a finished model was made from: its key, its record in the model folder, and whether its files are whole.

Nothing here loads torch, so that a complete run is seen at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from open_ml_embed.core.hashing import digest, hash_file
from open_ml_embed.core.listing import damaged_in
from open_ml_embed.core.sealed import DamagedRecordError, read_sealed
from train.config import Pretrained, TrainSettings
from train.data.mix import Mix
from train.export.prompts import PROMPTS, has_prompts, prompts_for
from train.loop.keys import content_digest
from train.native import MODEL_LISTING, RUN, STORED, TRAINED

CARD = "README.md"
STAGES = "-stages"
"""What the name of the folder beside the finished model ends with that holds the models after the earlier stages."""
REFRESHED = (CARD, PROMPTS, RUN)
"""Files that are not in the listing of a model folder: `fit.refresh` writes them anew, and `run.json` has a digest."""
VERSION = 3
ROUNDING = ("chunk_tokens", "compile", "parallel", "threads", "device")
"""Settings that change the order of sums, and so the last bits of the results."""
NOT_IN_KEY = {
    "evaluation", "export", "watching", "memory", "checkpoint_every", "checkpoint_async", "checkpoints_kept",
    "prefetch", "precision", *ROUNDING
}  # fmt: skip
"""Settings that a run may change without starting again. The precision is in the key as what it comes to."""
DIGESTS = "digests.json"


def mixes_of(settings: TrainSettings, work: Path) -> tuple[Mix, ...]:
    """Return the mixes of the stages, in the order of the stages."""
    return tuple(Mix(Path(stage.mix), work / DIGESTS) for stage in settings.stages)


def key_of(settings: TrainSettings, mixes: Sequence[Mix], work: Path) -> str:
    """Return the hash of the settings that training depends on and of all its inputs."""
    return digest(made_from(settings, mixes, work, {}))


def made_from(settings: TrainSettings, mixes: Sequence[Mix], work: Path, then: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that training depends on, and hashes of all its inputs.

    Args:
        settings: the `train` section of the profile.
        mixes: the mixes of the stages.
        work: the work folder, where hashes of files are remembered.
        then: the same for a model that was trained before; inputs that are no longer on this machine keep the hashes
            that they have there. Empty: all inputs must be on this machine.

    Raises:
        StageError: an input is missing.

    """
    section = settings.model_dump(mode="json", exclude=NOT_IN_KEY)
    section["precision"] = settings.arithmetic
    if settings.checkpoints_averaged is not None:
        section["checkpoint_every"] = settings.checkpoint_every
    stages = {stage.pop("name"): stage for stage in section.pop("stages")}
    before, found = then.get("mixes", {}), {}
    for name, mix in zip(stages, mixes, strict=True):
        del stages[name]["mix"]
        found[name] = before[name] if name in before and not mix.root.is_dir() else mix.identity
    backbone = None
    if isinstance(settings.backbone, Pretrained):
        folder = Path(settings.backbone.path)
        files = sorted(p for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
        files += [folder / name for name in STORED if (folder / name).is_file()]
        backbone = content_digest(files, remembered=work / DIGESTS) if files else then.get("backbone")
        if backbone is not None:  # the path of a folder differs between machines
            del section["backbone"]["path"]
    section["stages"] = stages
    return {
        "version": VERSION,
        "settings": {"train": section},
        "stage_order": list(stages),
        "mixes": found,
        "backbone": backbone,
    }


def description(folder: Path) -> dict[str, Any]:
    """Return what `run.describe` wrote about the complete run in a model folder; empty if there is none.

    Raises:
        DamagedRecordError: the file is damaged.

    """
    return read_sealed(folder / RUN, remedy="run `train3d fit` again") or {}


def finished_key(folder: Path) -> str | None:
    """Return the key of the complete run in a model folder; None if there is none, or if its record is damaged."""
    try:
        return description(folder).get("key")
    except DamagedRecordError:
        return None


def damage(folder: Path) -> dict[str, str]:
    """Return the files of a model's folder that are not as they were written: path below the folder → what is wrong.

    If the listing itself is damaged, only the weights are believed, of which `run.json` has the hash too.
    """
    wrong = "is missing"
    try:
        found = damaged_in(folder, MODEL_LISTING)
    except DamagedRecordError as error:
        found, wrong = None, error.what
    if found is not None:
        return found
    weights = folder / TRAINED
    try:
        whole = weights.is_file() and description(folder).get("weights") == hash_file(weights)
    except DamagedRecordError:
        whole = False
    return {MODEL_LISTING: wrong} if whole else {MODEL_LISTING: wrong, TRAINED: "cannot be checked"}


def stage_folder(out: Path, stage: str) -> Path:
    """Return the folder of the model after an earlier stage, beside the finished model `out`."""
    return out.with_name(out.name + STAGES) / stage


def stage_folders(settings: TrainSettings, out: Path) -> dict[Path, int]:
    """Return the folders of the models after earlier stages that there are, and how many stages each was trained in."""
    if not settings.export.stages:
        return {}
    folders = {stage_folder(out, stage.name): number for number, stage in enumerate(settings.stages[:-1], 1)}
    return {folder: number for folder, number in folders.items() if folder.is_dir()}


def key_after(key: str, stages: int) -> str:
    """Return what is recorded as the key of the model after some of the stages of a run."""
    return f"{key} after {stages} stages"


def is_complete(settings: TrainSettings, work: Path, out: Path) -> bool:
    """Return whether a model folder is that of a finished run with these settings and mixes, and nothing is damaged.

    Args:
        settings: the `train` section of the profile.
        work: the work folder.
        out: the model folder.

    Raises:
        StageError: a mix is missing.

    """
    key = finished_key(out)
    if key is None or key != key_of(settings, mixes_of(settings, work), work):
        return False
    keys = {out: key} | {folder: key_after(key, number) for folder, number in stage_folders(settings, out).items()}
    return all(finished_key(folder) == wanted and _is_whole(settings, folder) for folder, wanted in keys.items())


def _is_whole(settings: TrainSettings, folder: Path) -> bool:
    prompts = prompts_for(settings.export, instructed=bool(description(folder)["instructed"]))
    return not damage(folder) and (folder / CARD).is_file() and has_prompts(folder, prompts)
