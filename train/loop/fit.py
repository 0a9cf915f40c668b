"""A whole run: train what is left of it, and write the model folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from open_ml_embed.core.files import write_whole
from train.distributed.parallel import leads, leave
from train.export.card import Card
from train.export.export import choose, export
from train.export.model_folder import prompts_of, write_prompts
from train.loop.loop import Trainer
from train.loop.metrics import watched
from train.loop.run import NATIVE, Run, describe, description, finished_key, shape_of


def fit(run: Run, out: Path, *, resume: bool, say: Callable[[str], None]) -> bool:
    """Train what is left to train; returns false where the model was complete for these settings and mixes.

    Args:
        run: what to train.
        out: the model folder.
        resume: go on from the last checkpoint, or take the finished model; otherwise everything is trained anew.
        say: takes a line for whoever is watching.

    Raises:
        CorpusError: see `train`.

    """
    if not resume or finished_key(out) != run.key:
        train(run, out, resume=resume, say=say)
        return True
    if leads():
        anew = refresh(run, out)
        done = "its prompts are now those of `export.prompts`" if anew else "nothing to do"
        say(f"{out} is complete for these settings and inputs; {done}")
    return False


def train(run: Run, out: Path, *, resume: bool, say: Callable[[str], None]) -> None:
    """Train to the end and write the model, the leading process alone.

    Args:
        run: what to train.
        out: the model folder: an export at full size, the trainer's own files in it, and a card.
        resume: go on from the last checkpoint; otherwise what the run left is deleted first.
        say: takes a line for whoever is watching.

    Raises:
        CorpusError: see `train.loop.preflight.check`; or the device is not here.

    """
    say("preparing tokenizer, token ids and model")
    trainer = Trainer(run, resume=resume)
    done, total = trainer.position.done, trainer.total_steps
    entries = trainer.steps()
    if trainer.group.leads:
        say(str(trainer.memory))
        if done:
            say(f"resuming after step {done} of {total}")
        entries = watched(entries, run.settings.watching, run.folder, done=done, total=total)
    for _ in entries:
        pass
    model = trainer.finished()
    leave()
    if model is None:
        return
    (out / NATIVE).mkdir(parents=True, exist_ok=True)
    (out / NATIVE / "run.json").unlink(missing_ok=True)
    trainer.save_untrained(out)
    trainer.save_trained(model, out)
    shape, prompts, instructed = trainer.shape, run.settings.export.prompts, run.mixes[-1].instructed
    export(model, run.tokenizer, out, cut=choose(shape), shape=shape, prompts=prompts, instructed=instructed)
    describe(out, run, shape, model.config)
    _write_card(out, run)
    say(f"written to {out}")


def refresh(run: Run, out: Path) -> bool:
    """Bring a complete run's folder up to date with what may change without training; returns whether it changed.

    That is `export.prompts`, which stands beside the weights and in the card: no weight is read.
    """
    prompts = run.settings.export.prompts
    if prompts_of(out) == prompts:
        return False
    _write_card(out, run)
    write_prompts(out, prompts)  # last: what is looked at
    return True


def _write_card(out: Path, run: Run) -> None:
    cut, prompts = choose(shape_of(out)), run.settings.export.prompts
    card = Card.of(out.resolve().name, description(out), cut, "compatible", prompts)
    write_whole(out / "README.md", card.markdown())
