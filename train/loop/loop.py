"""The training loop: stages of steps; each step is a function of the settings and its number."""

from __future__ import annotations

import io
import json
import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import torch

from open_ml_embed.core.array_types import I32, I64
from open_ml_embed.core.devices import require
from open_ml_embed.core.files import write_whole
from train.config import Stage
from train.data.batch import make_batch
from train.data.packing import imbalance, share_out
from train.data.plan import Draw, Plan, choose_rank, raw
from train.data.segments import Segments
from train.data.token_store import Store
from train.distributed.parallel import join, spread, whole
from train.loop import checkpoint
from train.loop.checkpoint import Position
from train.loop.memory_estimate import estimate
from train.loop.preflight import check, peak_rate
from train.loop.run import NATIVE, Run, Shape, configure
from train.loop.step import backward
from train.model.embedder import Embedder
from train.model.flops import Cost, measured_peak, memory_used
from train.model.lora import add_lora, folded_state
from train.model.presets import Form
from train.objective.distill import TeacherVectors, open_teacher


@dataclass(frozen=True)
class StageState:
    """A stage that is ready to run.

    Attributes:
        index: index of the stage, from 0.
        settings: settings of the stage.
        store: the tokenized mix.
        plan: plan of the batches.
        batches: number of batches; `settings.accumulate` of them make one optimizer step.
        rate: peak learning rate.
        teacher: vectors for distillation; None: no teacher.

    """

    index: int
    settings: Stage
    store: Store
    plan: Plan
    batches: int
    rate: float
    teacher: TeacherVectors | None


def learning_rate(step: int, *, peak: float, warmup: int, steps: int) -> float:
    """Return the learning rate of an optimizer step: linear warm-up to the peak, then cosine decay to zero.

    >>> [round(learning_rate(s, peak=1.0, warmup=2, steps=6), 3) for s in (0, 1, 2, 4, 6, 100)]
    [0.5, 1.0, 1.0, 0.5, 0.0, 0.0]

    """
    if step < warmup:
        return peak * (step + 1) / warmup
    share = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * 0.5 * (1 + math.cos(math.pi * share))


class Trainer:
    """Runs the remaining steps of a run, and writes checkpoints and a log to the work folder of the run."""

    def __init__(self, run: Run, *, resume: bool = True) -> None:
        """Check the run, and prepare stages, model, optimizer and the last checkpoint.

        Args:
            run: the run.
            resume: start from the last checkpoint; otherwise delete the files of the run, after all checks have passed.

        Raises:
            CorpusError: see `train.loop.preflight.check`, or the device does not exist on this machine.

        """
        settings = run.settings
        require(settings.device)  # joining a process group needs the device
        self.run, self.group = run, join(settings.device)
        configure(settings)
        with self.group.leader_first():
            check(run)
            self.stages = [self._stage(i) for i in range(len(settings.stages))]
            if not resume and self.group.leads:
                shutil.rmtree(run.folder, ignore_errors=True)
        self.model, self.shape = run.model()
        if settings.lora is not None:
            add_lora(self.model, settings.lora)
        if settings.compile:
            self.model.compile_layers()
        self.form = Form.of(settings.objective, dims=self.shape.dims, layers=self.shape.layers)
        self.replica = spread(self.model, self.group, parallel=settings.parallel, precision=settings.precision)
        self.memory = estimate(self.replica, settings.memory)
        self.memory.check()
        self.cost = Cost.of(self.model.backbone)
        self.position = Position(0, 0, 0)
        self.optimizer = self._optimizer()
        folder = checkpoint.latest(self.checkpoints)
        if folder is not None:
            self.position = checkpoint.position_of(folder)
            checkpoint.restore(folder, self.model, self.optimizer)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.run.folder / "checkpoints"

    @property
    def log(self) -> Path:
        """Log file with one JSON object per step."""
        return self.run.folder / "log.jsonl"

    @property
    def total_steps(self) -> int:
        """Number of batches of all stages."""
        return sum(stage.batches for stage in self.stages)

    def _stage(self, index: int) -> StageState:
        stage, settings = self.run.settings.stages[index], self.run.settings
        store = self.run.store(self.run.mixes[index])
        rows = [store.train.dataset.of(code) for code in range(len(store.datasets))]
        plan = Plan(rows, stage.batch_size, settings.seed, index)
        optimizer_steps = stage.steps or math.ceil((stage.epochs or 0) * plan.steps_per_epoch / stage.accumulate)
        distillation, teacher = settings.objective.distillation, None
        if distillation is not None:
            teacher = open_teacher(distillation, self.run.mixes[index], self.run.work, device=settings.device)
        rate = peak_rate(stage, self.run.sizes)
        return StageState(index, stage, store, plan, optimizer_steps * stage.accumulate, rate, teacher)

    def _optimizer(self) -> torch.optim.AdamW:
        settings = self.run.settings.optimizer
        tokens = list(self.model.embedding.parameters())
        trained = [p for p in self.model.parameters() if p.requires_grad]
        others = [p for p in trained if all(p is not token for token in tokens)]
        groups = [
            {"params": tokens, "weight_decay": settings.weight_decay, "multiple": settings.embedding_rate},
            {"params": [p for p in others if p.ndim > 1], "weight_decay": settings.weight_decay, "multiple": 1.0},
            {"params": [p for p in others if p.ndim == 1], "weight_decay": 0.0, "multiple": 1.0},
        ]
        return torch.optim.AdamW(groups, lr=0.0, betas=settings.betas, fused=True)

    def save_untrained(self, out: Path) -> None:
        """Write the untrained model, created again from the seed."""
        checkpoint.save_weights(out / NATIVE / "untrained.safetensors", self.run.model()[0])

    def save_trained(self, model: Embedder, out: Path) -> None:
        """Write the finished model."""
        checkpoint.save_weights(out / NATIVE / "trained.safetensors", model)

    def finished(self) -> Embedder | None:
        """Return the current model, unsharded and without LoRA, on the leading process; a collective call."""
        if self.run.settings.lora is None and self.run.settings.parallel != "fsdp":
            return self.model if self.group.leads else None
        state = {name: whole(value) for name, value in self.model.state_dict().items()}
        if not self.group.leads:
            return None
        copy = self.run.model()[0]
        if self.run.settings.lora is not None:
            add_lora(copy, self.run.settings.lora)
        copy.load_state_dict(state)
        plain = self.run.model()[0]
        plain.load_state_dict(folded_state(copy))
        return plain

    def steps(self) -> Iterator[dict[str, Any]]:
        """Run the remaining steps, and yield the log entry of each.

        A consumer may stop at any step. Steps after the last checkpoint are then repeated next time, with the same
        bits.

        """
        self.model.train()
        with self._log() as log:
            while self.position.stage < len(self.stages):
                stage = self.stages[self.position.stage]
                entry = self._step(stage)
                log.write(json.dumps(entry) + "\n")
                log.flush()
                self._advance(stage)
                yield entry

    def _step(self, stage: StageState) -> dict[str, Any]:
        began, step, settings = time.monotonic(), self.position.step, self.run.settings
        optimizer_step, of = step // stage.settings.accumulate, stage.settings.accumulate
        rank = choose_rank(self.shape.ranks, settings.seed, stage.index, optimizer_step)
        batch = make_batch(
            stage.store,
            stage.plan,
            step,
            wanted=stage.settings.negatives.model_dump(),
            preset=self.form.preset,
            stream=(settings.seed, stage.index),
        )
        # Dropout depends on the step and the process only, so that a run that resumes repeats it.
        draws = raw(Draw.DROPOUT, self.group.size, settings.seed, stage.index, step)
        torch.manual_seed(int(draws[self.group.rank]))
        self.model.embedding.rank = rank
        loss = backward(
            self.replica,
            batch,
            self.form,
            whole_tokens=self.memory.whole_tokens,
            weight=1 / of,
            taught=stage.teacher.of(batch, self.model.device) if stage.teacher is not None else None,
        )
        rate = learning_rate(
            optimizer_step, peak=stage.rate, warmup=stage.settings.warmup_steps, steps=stage.batches // of
        )
        norm = self._move(rate) if (step + 1) % of == 0 else None
        return {
            "step": self.position.done,
            "stage": stage.settings.name,
            "source": batch.source,
            "subset": batch.subset,
            "family": batch.family,
            "rank": rank,
            "learning_rate": rate,
            "loss": float(loss.total),
            "gradient_norm": norm,
            "hard": _table(loss.hard_LM, self.shape),
            "in_batch": _table(loss.in_batch_LM, self.shape) if batch.targets.in_batch else None,
            "distilled": _table(loss.distilled_LM, self.shape) if settings.objective.distillation else None,
            **self._effort(batch.segments, time.monotonic() - began),
        }

    def _move(self, rate: float) -> float:
        """Do one optimizer step; return the norm of the gradient before clipping."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["multiple"]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.run.settings.optimizer.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(whole(norm))

    def _effort(self, segments: Segments, seconds: float) -> dict[str, Any]:
        """Return the figures of a step: time, tokens, MFU, imbalance between processes, memory."""
        settings, lengths = self.run.settings, segments.lengths
        peak_tflops = settings.watching.peak_tflops
        peak = peak_tflops * 1e12 if peak_tflops else measured_peak(settings.device, getattr(torch, settings.precision))
        tokens = len(segments.ids)
        return {
            "texts": len(lengths),
            "tokens": tokens,
            "padding_avoided": round(1 - tokens / (len(lengths) * int(lengths.max())), 4),
            "seconds": round(seconds, 4),
            "tokens_per_second": round(tokens / seconds),
            "mfu": round(self.cost.step(lengths) / seconds / peak / self.group.size, 4),
            "imbalance": round(imbalance(lengths, self._shares(lengths)), 4),
            "memory_gib": round(memory_used(self.model.device) / 2**30, 3),
        }

    def _shares(self, lengths: I32) -> list[list[I64]]:
        return share_out(lengths, tokens=self.model.chunk_tokens, processes=self.group.size)

    def _advance(self, stage: StageState) -> None:
        at, of, every = self.position, stage.settings.accumulate, self.run.settings.checkpoint_every
        self.position = Position(at.stage, at.step + 1, at.done + 1)
        if self.position.step >= stage.batches:
            self.position = Position(at.stage + 1, 0, at.done + 1)
            self.optimizer = self._optimizer()
        elif self.position.step % of or self.position.step // every == (self.position.step - of) // every:
            return
        checkpoint.save(self.checkpoints, self.position, self.model, self.optimizer, writes=self.group.leads)

    @contextmanager
    def _log(self) -> Iterator[TextIO]:
        """Open the log and drop the entries of steps that will be repeated; only the leading process writes to it."""
        if not self.group.leads:
            yield io.StringIO()
            return
        lines = self.log.read_text("utf-8").splitlines(keepends=True) if self.log.is_file() else []
        write_whole(self.log, "".join(lines[: self.position.done]))
        with self.log.open("a", encoding="utf-8") as log:
            yield log


def _table(values: torch.Tensor, shape: Shape) -> dict[str, dict[str, float]]:
    """Return a layers × dims tensor as nested dictionaries by layer and dimension, rounded to five digits."""
    rows = values.float().tolist()
    return {
        str(layer): {str(dim): round(value, 5) for dim, value in zip(shape.dims, row, strict=True)}
        for layer, row in zip(shape.layers, rows, strict=True)
    }
