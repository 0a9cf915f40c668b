"""Writes the folder of a finished model: an export at full size, what the model was made from, and a model card."""

from __future__ import annotations

from pathlib import Path

from open_ml_embed.core.files import write_whole
from train.export.card import Card
from train.export.export import choose, export
from train.export.prompts import prompts_for
from train.loop.record import CARD, description
from train.loop.run import Run, describe, shape_of
from train.model.embedder import Embedder


def write_folder(run: Run, model: Embedder, folder: Path, *, until: int | None = None, writes: bool = True) -> None:
    """Write everything of a model's folder that follows from its weights; `run.json` comes last.

    Args:
        run: the run.
        model: with the weights; if it is sharded, all processes must call.
        folder: the folder, which has the weights under the trainer's own names.
        until: number of stages that the model was trained in; None: all.
        writes: whether this process writes.

    """
    instructed = run.mixes[:until][-1].instructed
    export(
        model,
        run.tokenizer,
        folder,
        cut=choose(run.shape),
        shape=run.shape,
        prompts=prompts_for(run.settings.export, instructed=instructed),
        instructed=instructed,
        keep_factors=False,  # they are among the trained weights
        writes=writes,
    )
    if writes:
        describe(folder, run, run.shape, model.config, until=until)
        write_card(run, folder)


def write_card(run: Run, folder: Path) -> None:
    """Write the card of a model whose `run.json` is written."""
    known = description(folder)
    prompts = prompts_for(run.settings.export, instructed=bool(known["instructed"]))
    card = Card.of(folder.resolve().name, known, choose(shape_of(folder)), "compatible", prompts)
    write_whole(folder / CARD, card.markdown())
