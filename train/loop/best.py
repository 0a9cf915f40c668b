"""Evaluations while a stage trains: when they are due, which weights are the best, and whether the stage ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from open_ml_embed.core.errors import StageError
from open_ml_embed.core.json_text import loads
from train.distributed.parallel import Group
from train.evaluation.validation import METRIC, is_over, mean
from train.loop import checkpoint
from train.loop.checkpoint import Position
from train.loop.stages import StageState
from train.model.embedder import Embedder

FOLDER = "best"
"""Name of the folder of the best weights, in the folder of the run."""


class Evaluations:
    """The evaluations of the stage that trains.

    Attributes:
        history: mean nDCG@10 of each evaluation of the stage so far.

    """

    def __init__(self, folder: Path, group: Group, tell: Callable[[str], None]) -> None:
        """Start without an evaluation.

        Args:
            folder: folder of the run.
            group: the processes that train together.
            tell: receives lines to print.

        """
        self.folder, self.group, self.tell = folder, group, tell
        self.history: list[float] = []

    @staticmethod
    def are_due(stage: StageState, step: int) -> bool:
        """Return whether the model is evaluated after a batch of a stage, counted from 0."""
        if stage.validator is None:
            return False
        done, of, every = step + 1, stage.settings.accumulate, stage.validator.settings.every
        return done % of == 0 and (done // every != (done - of) // every or done >= stage.batches)

    def evaluate(
        self, stage: StageState, at: Position, model: Embedder, optimizer: torch.optim.Optimizer
    ) -> dict[str, Any]:
        """Evaluate the model, and keep its weights if they are the best of the stage; a collective call.

        Args:
            stage: the stage.
            at: position of the batch that was trained on last.
            model: the model, sharded or whole.
            optimizer: its optimizer, whose moments are kept with the weights.

        Returns:
            What the log says: `mean`, `sets` (nDCG@10 of each data set) and `best`.

        """
        assert stage.validator is not None
        found = self.group.from_leader(stage.validator.evaluate(model))
        value = mean(found)
        best = not self.history or value > max(self.history)
        self.history.append(value)
        self.tell(f"after batch {at.done + 1}: {METRIC} {value:.4f}" + (", the best so far" if best else ""))
        if best and stage.validator.settings.best:
            after = Position(stage.index, at.step + 1, at.done + 1)
            checkpoint.save(self._best(stage), after, model, optimizer, group=self.group, kept=1)
        return {"mean": value, "sets": found, "best": best}

    def are_over(self, stage: StageState) -> bool:
        """Return whether the stage ends early, because evaluations no longer become better."""
        return stage.validator is not None and is_over(self.history, stage.validator.settings.patience)

    def take_best(self, stage: StageState, model: Embedder, optimizer: torch.optim.Optimizer) -> None:
        """Go back to the best weights of a stage, if the settings want them."""
        if stage.validator is None or not stage.validator.settings.best:
            return
        folder = checkpoint.latest_whole(self._best(stage), self.group, self.tell)
        if folder is not None:
            self.tell(f"{stage.settings.name}: the weights after batch {int(folder.name)} are the best")
            checkpoint.restore(folder, model, optimizer)

    def read(self, log: Path, stage: str, done: int) -> None:
        """Take the history of a stage from the log of a run that goes on; a collective call.

        Args:
            log: file with a JSON object for each batch.
            stage: name of the stage.
            done: number of batches that the run goes on from; later entries are of batches that are trained on again.

        Raises:
            StageError: the log is damaged.

        """
        values: list[float] = []
        if self.group.leads and log.is_file():
            try:
                entries = [loads(line) for line in log.read_text("utf-8").splitlines()[:done]]
                values = [e["validation"]["mean"] for e in entries if e["stage"] == stage and e.get("validation")]
            except (ValueError, KeyError, TypeError):
                what = "the log is damaged, whose evaluations say when the stage ends"
                raise StageError(what, where=str(log), remedy="run `train3d fit --no-resume`") from None
        self.history = self.group.from_leader(values)

    def _best(self, stage: StageState) -> Path:
        return self.folder / FOLDER / stage.settings.name
