"""A whole run: train what is left of it, and write the model folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from train.card import Card
from train.distributed import leads, leave
from train.export import choose, export
from train.loop import Trainer, forget
from train.run import NATIVE, Run, describe, description
from train.watching import watched


def train(run: Run, out: Path, *, resume: bool, say: Callable[[str], None]) -> None:
    """Train to the end and write the model, the leading process alone.

    Args:
        run: what to train.
        out: the model folder: an export at full size, the trainer's own files in it, and a card.
        resume: go on from the last checkpoint; otherwise what the run left is deleted first.
        say: takes a line for whoever is watching.

    Raises:
        CorpusError: see `train.preflight.check`.

    """
    if not resume and leads():
        forget(run)
    say("preparing tokenizer, token ids and model")
    trainer = Trainer(run)
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
    shape, settings = trainer.shape, run.settings
    cut, prompts = choose(shape), settings.export.prompts
    export(model, run.tokenizer, out, cut=cut, shape=shape, prompts=prompts)
    describe(out, run, shape, model.config)
    card = Card.of(out.resolve().name, description(out), cut, "compatible", prompts)
    (out / "README.md").write_text(card.markdown(), "utf-8")
    say(f"written to {out}")
