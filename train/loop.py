"""The training loop: stages of steps, each a function of the settings and the step's number."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from train import checkpoint
from train.batch import Batch, make_batch
from train.checkpoint import Position
from train.config import Stage
from train.objective import Loss, objective
from train.plan import Plan, choose_rank
from train.presets import PRESETS
from train.run import NATIVE, Run, Shape, configure
from train.store import Store


@dataclass(frozen=True)
class StageState:
    """A stage ready to run: its settings, tokenised mix, plan and length."""

    index: int
    settings: Stage
    store: Store
    plan: Plan
    steps: int


def learning_rate(step: int, *, peak: float, warmup: int, steps: int) -> float:
    """Return the rate of a step: linear warm-up to the peak, then half a cosine to zero, where it stays.

    >>> [round(learning_rate(s, peak=1.0, warmup=2, steps=6), 3) for s in (0, 1, 2, 4, 6, 100)]
    [0.5, 1.0, 1.0, 0.5, 0.0, 0.0]

    """
    if step < warmup:
        return peak * (step + 1) / warmup
    share = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * 0.5 * (1 + math.cos(math.pi * share))


class Trainer:
    """Runs what is left of a run and keeps checkpoints and a log of it in the run's work folder."""

    def __init__(self, run: Run) -> None:
        configure(run.settings)
        self.run = run
        self.model, self.shape = run.model()
        self.preset = PRESETS[run.settings.objective.preset]
        self.stages = [self._stage(i) for i in range(len(run.settings.stages))]
        self.position = Position(0, 0, 0)
        self.optimiser = self._optimiser()
        folder = checkpoint.latest(self.checkpoints)
        if folder is not None:
            self.position = checkpoint.position_of(folder)
            checkpoint.restore(folder, self.model, self.optimiser)

    @property
    def checkpoints(self) -> Path:
        """Where the run's checkpoints lie."""
        return self.run.folder / "checkpoints"

    @property
    def log(self) -> Path:
        """One JSON object a step."""
        return self.run.folder / "log.jsonl"

    @property
    def total_steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def _stage(self, index: int) -> StageState:
        stage, settings = self.run.settings.stages[index], self.run.settings
        store = self.run.store(self.run.mixes[index])
        codes = store.train.dataset
        rows = tuple(np.flatnonzero(codes == code) for code in range(len(store.datasets)))
        plan = Plan(rows, stage.batch_size, settings.seed, index)
        steps = stage.steps or math.ceil((stage.epochs or 0) * plan.steps_per_epoch)
        return StageState(index, stage, store, plan, steps)

    def _optimiser(self) -> torch.optim.AdamW:
        settings = self.run.settings.optimiser
        tokens = list(self.model.embedding.parameters())
        others = [p for p in self.model.parameters() if all(p is not own for own in tokens)]
        groups = [
            {"params": tokens, "weight_decay": settings.weight_decay, "multiple": settings.embedding_rate},
            {"params": [p for p in others if p.ndim > 1], "weight_decay": settings.weight_decay, "multiple": 1.0},
            {"params": [p for p in others if p.ndim == 1], "weight_decay": 0.0, "multiple": 1.0},
        ]
        return torch.optim.AdamW(groups, lr=0.0, betas=settings.betas, fused=True)

    def save_untrained(self, out: Path) -> None:
        """Write the model as it is before the first step, made anew from the seed."""
        checkpoint.save_weights(out / NATIVE / "untrained.safetensors", self.run.model()[0])

    def save_trained(self, out: Path) -> None:
        """Write the model as it is now."""
        checkpoint.save_weights(out / NATIVE / "trained.safetensors", self.model)

    def steps(self) -> Iterator[dict[str, Any]]:
        """Run to the end from wherever the run stands, yielding each step's log entry.

        A consumer may stop at any step: what was not checkpointed is done again next time, to the same bits.
        """
        self._cut_log()
        self.model.train()
        with self.log.open("a", encoding="utf-8") as log:
            while self.position.stage < len(self.stages):
                stage = self.stages[self.position.stage]
                entry = self._step(stage)
                log.write(json.dumps(entry) + "\n")
                log.flush()
                self._advance(stage)
                yield entry

    def _step(self, stage: StageState) -> dict[str, Any]:
        began, step, settings = time.monotonic(), self.position.step, self.run.settings
        rank = choose_rank(self.shape.ranks, settings.seed, stage.index, step)
        batch = make_batch(
            stage.store,
            stage.plan,
            step,
            wanted=stage.settings.negatives.model_dump(),
            preset=self.preset,
            place=(settings.seed, stage.index),
        )
        rate = learning_rate(
            step, peak=stage.settings.learning_rate, warmup=stage.settings.warmup_steps, steps=stage.steps
        )
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["multiple"]
        self.model.embedding.rank = rank
        loss = self._backward(batch)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.optimiser.clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return {
            "step": self.position.done,
            "stage": stage.settings.name,
            "source": batch.source,
            "family": batch.family,
            "rank": rank,
            "learning_rate": rate,
            "loss": float(loss.total.detach()),
            "gradient_norm": float(norm),
            "hard": _table(loss.hard_LM, self.shape),
            "in_batch": _table(loss.in_batch_LM, self.shape) if batch.targets.in_batch else None,
            "tokens": len(batch.segments.ids),
            "padding": round(batch.segments.padding(settings.chunk_tokens), 4),
            "seconds": round(time.monotonic() - began, 4),
        }

    def _backward(self, batch: Batch) -> Loss:
        """Encode, score and back-propagate one batch: the place for cached gradients and for gathering rows."""
        pooled = self.model(batch.segments)
        loss = objective(
            pooled[:, : batch.queries],
            pooled[:, batch.queries :],
            batch.targets.to(self.model.device),
            dims=self.shape.dims,
            temperature=self.run.settings.objective.temperature,
            preset=self.preset,
        )
        loss.total.backward()  # type: ignore[no-untyped-call]
        return loss

    def _advance(self, stage: StageState) -> None:
        at = self.position
        self.position = Position(at.stage, at.step + 1, at.done + 1)
        if self.position.step >= stage.steps:
            self.position = Position(at.stage + 1, 0, at.done + 1)
            self.optimiser = self._optimiser()
        elif self.position.done % self.run.settings.checkpoint_every:
            return
        checkpoint.save(self.checkpoints, self.position, self.model, self.optimiser)

    def _cut_log(self) -> None:
        """Drop the entries of steps that will be done again."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        lines = self.log.read_text("utf-8").splitlines(keepends=True) if self.log.is_file() else []
        partial = self.log.with_suffix(".partial")
        partial.write_text("".join(lines[: self.position.done]), "utf-8")
        partial.replace(self.log)


def forget(run: Run) -> None:
    """Delete what a run left in its work folder, so that it starts anew."""
    shutil.rmtree(run.folder, ignore_errors=True)


def _table(values: torch.Tensor, shape: Shape) -> dict[str, dict[str, float]]:
    """Return a layers × dims tensor as nested dictionaries."""
    rows = values.float().tolist()
    return {
        str(layer): {str(dim): round(value, 5) for dim, value in zip(shape.dims, row, strict=True)}
        for layer, row in zip(shape.layers, rows, strict=True)
    }
