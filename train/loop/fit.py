"""A whole training run: run the remaining steps, then write the model folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from open_ml_embed.core.files import remove
from open_ml_embed.core.lock import locked
from train.config import Pretrained
from train.distributed.parallel import leads, leave
from train.export.adapter import FOLDER as ADAPTER
from train.export.adapter import write_adapter
from train.export.export import choose
from train.export.prompts import has_prompts, prompts_for, write_prompts
from train.loop.finished import write_card, write_folder
from train.loop.loop import Trainer
from train.loop.metrics import watched
from train.loop.record import description, finished_key, stage_folder, stage_folders
from train.loop.repair import has_weights, mend
from train.loop.run import Run
from train.loop.stages import StageState
from train.model.lora import plain_state
from train.model.tensor_files import write_tensors
from train.native import RUN, TRAINED, UNTRAINED


def fit(run: Run, out: Path, *, resume: bool, say: Callable[[str], None]) -> bool:
    """Train what is left to train; returns false where the model was complete for these settings and mixes.

    What is damaged of a complete model is written again from its weights, or from the last checkpoint.

    Args:
        run: what to train.
        out: the model folder.
        resume: go on from the last checkpoint, or take the finished model; otherwise everything is trained anew.
        say: takes a line for whoever is watching.

    Raises:
        CorpusError: see `train` and `train.loop.repair`.

    """
    if not resume or finished_key(out) != run.key or not has_weights(run, out):
        train(run, out, resume=resume, say=say)
        return True
    if leads():
        done = "what was damaged is written again" if mend(run, out, say) else "nothing to do"
        refreshed = [refresh(run, folder) for folder in (out, *stage_folders(run.settings, out))]
        if any(refreshed):
            done = "its prompts are now those of `export.prompts`"
        say(f"{out} is complete for these settings and inputs; {done}")
    return False


def train(run: Run, out: Path, *, resume: bool, say: Callable[[str], None]) -> None:
    """Run the remaining steps, and write the model folder.

    Args:
        run: the run.
        out: model folder: an export at full size, the trainer's own files, and a model card.
        resume: start from the last checkpoint; otherwise delete the files of the run first.
        say: receives lines to print.

    Raises:
        CorpusError: see `train.loop.preflight.check`; the device does not exist on this machine; another process trains
            this run; numbers are no longer finite; or the disk is full.

    """
    busy = "another process is training this run"
    with locked(run.folder, what=busy, remedy="wait for it, or end it") if leads() else nullcontext():
        say("preparing tokenizer, token ids and model")
        trainer = Trainer(run, resume=resume, say=say)
        done, total = trainer.position.done, trainer.total_steps
        if run.settings.export.stages:
            trainer.at_end_of_stage = lambda stage: _write_stage(trainer, stage, out)
        entries = trainer.steps()
        if trainer.group.leads:
            say(str(trainer.memory))
            if done:
                say(f"resuming after step {done} of {total}")
            entries = watched(entries, run.settings.watching, run.folder, done=done, total=total)
        try:
            for _ in entries:
                pass
            trainer.average()
            _write_model(trainer, out)
        except SystemExit:  # all processes end at the same step
            leave()
            raise
        leave()
        if leads():
            say(f"written to {out}")


def _write_model(trainer: Trainer, out: Path) -> None:
    """Write the model folder, one tensor at a time; only the leading process writes."""
    run, writes = trainer.run, trainer.group.leads
    if writes:
        remove(out / RUN)
        write_tensors(out / UNTRAINED, run.first_weights())
    write_tensors(out / TRAINED, plain_state(trainer.model), writes=writes)
    _write_adapter(trainer, out / ADAPTER)
    write_folder(run, trainer.model, out, writes=writes)


def _write_adapter(trainer: Trainer, folder: Path) -> None:
    """Write the low-rank updates alone if there are some, and a backbone that they belong to."""
    settings, backbone = trainer.run.settings.lora, trainer.run.settings.backbone
    if settings is None or not isinstance(backbone, Pretrained):
        if trainer.group.leads:
            shutil.rmtree(folder, ignore_errors=True)
        return
    hub = None if Path(backbone.path).is_dir() else backbone.path
    cut, writes = choose(trainer.shape), trainer.group.leads
    write_adapter(trainer.model, settings, folder, backbone=hub, cut=cut, writes=writes)


def _write_stage(trainer: Trainer, stage: StageState, out: Path) -> None:
    """Write the model as it is after a stage; after the last stage, the model folder holds it."""
    number, writes = stage.index + 1, trainer.group.leads
    if number == len(trainer.stages):
        return
    folder = stage_folder(out, stage.settings.name)
    if writes:
        remove(folder / RUN)
    write_tensors(folder / TRAINED, plain_state(trainer.model), writes=writes)
    write_folder(trainer.run, trainer.model, folder, until=number, writes=writes)


def refresh(run: Run, out: Path) -> bool:
    """Update the folder of a complete run where settings changed that need no training; return whether it was changed.

    These are `export.prompts`, which are written beside the weights and into the model card. No weights are read.

    """
    prompts = prompts_for(run.settings.export, instructed=bool(description(out)["instructed"]))
    if has_prompts(out, prompts):
        return False
    write_card(run, out)
    write_prompts(out, prompts)  # last, because this file is what the check above reads
    return True
