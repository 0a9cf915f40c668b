"""The training loop: stages of steps; each step is a function of the settings and its number."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import torch

from open_ml_embed.core.array_types import I32, I64
from open_ml_embed.core.devices import require
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.lock import NAME as LOCK
from open_ml_embed.core.sealed import seal, undamaged
from train.data.batch import Batch
from train.data.feed import Feed
from train.data.packing import imbalance, share_out
from train.data.plan import Draw, choose_rank, raw
from train.data.segments import Segments
from train.distributed.parallel import join, spread, whole
from train.loop import checkpoint
from train.loop.background import BackgroundWriter, staged_bytes
from train.loop.best import Evaluations
from train.loop.checkpoint import Position
from train.loop.finite import check_finite, check_weights
from train.loop.interruption import Interruption
from train.loop.loss_memory import loss_bytes
from train.loop.memory_estimate import estimate
from train.loop.optimizers import check_optimizer, make_optimizer, moments_of, set_rate
from train.loop.preflight import check
from train.loop.record import ROUNDING
from train.loop.run import Run, Shape, configure
from train.loop.schedule import learning_rate
from train.loop.stages import Material, StageState, feed_of, open_stage
from train.loop.step import backward
from train.model.embedder import Embedder
from train.model.flops import Cost, measured_peak, memory_used
from train.model.lora import add_lora, folded_state
from train.model.presets import Form
from train.objective.state_teacher import (
    StateTeacher,
    check_state_teacher,
    load_state_teacher,
    stages_taught,
)


class Trainer:
    """Runs the remaining steps of a run, and writes checkpoints and a log to the work folder of the run."""

    def __init__(self, run: Run, *, resume: bool = True, say: Callable[[str], None] | None = None) -> None:
        """Check the run, and prepare stages, model, optimizer and the last checkpoint.

        Args:
            run: the run.
            resume: start from the last checkpoint; otherwise delete the files of the run, after all checks have passed.
            say: receives lines to print, in the leading process.

        Raises:
            CorpusError: see `train.loop.preflight.check`, or the device does not exist on this machine.

        """
        settings = run.settings
        require(settings.device)  # joining a process group needs the device
        check_optimizer(settings)
        self.run, self.group, self.say = run, join(settings.device), say
        self.interruption = Interruption()
        configure(settings)
        with self.group.leader_first():
            check(run)
            if settings.objective.distillation is not None and settings.objective.distillation.on == "states":
                check_state_teacher(run)
            self.stages = [open_stage(run, i) for i in range(len(settings.stages))]
            if not resume and self.group.leads:
                self._clear()
        self.shape = run.shape
        # A sharded model is never whole in any process. LoRA creates its matrices at random, so it needs real weights.
        sharded = settings.parallel == "fsdp" and settings.lora is None and self.group.size > 1
        self.model = run.empty_model() if sharded else run.model()[0]
        if settings.lora is not None:
            add_lora(self.model, settings.lora)
        if settings.compile:
            self.model.compile_layers()
        self.form = Form.of(settings.objective, dims=self.shape.dims, layers=self.shape.layers)
        self.replica = spread(
            self.model,
            self.group,
            parallel=settings.parallel,
            precision=settings.arithmetic,
            device=torch.device(settings.device),
            weights=run.first_weights if sharded else None,
        )
        distillation = settings.objective.distillation
        self.taught = stages_taught(distillation, [stage.name for stage in settings.stages])
        live = distillation is not None and distillation.on == "states" and distillation.live
        self.teacher: StateTeacher | None = load_state_teacher(run) if live else None
        teacher_bytes = 0 if self.teacher is None else self.teacher.bytes
        other = self._loss_bytes() + teacher_bytes
        if settings.checkpoint_async and not settings.device.startswith("cuda"):
            other += staged_bytes(self.model)
        self.memory = estimate(self.replica, settings.memory, other, moments=moments_of(settings.optimizer))
        self.memory.check()
        self.cost = Cost.of(self.model.backbone)
        self.background = BackgroundWriter(self.group) if settings.checkpoint_async else None
        self.evaluations = Evaluations(run.folder, self.group, self._tell)
        self.at_end_of_stage: Callable[[StageState], None] | None = None
        self.position = Position(0, 0, 0)
        self.optimizer = self._optimizer()
        folder = checkpoint.latest_whole(self.checkpoints, self.group, self._tell)
        if folder is not None:
            self.position = checkpoint.position_of(folder)
            checkpoint.restore(folder, self.model, self.optimizer)
        if self.position.stage < len(self.stages):
            self.evaluations.read(self.log, self.stages[self.position.stage].settings.name, self.position.done)
        if self.group.leads:
            self._note_rounding()

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.run.folder / checkpoint.FOLDER

    @property
    def log(self) -> Path:
        """Log file with one JSON object per step."""
        return self.run.folder / "log.jsonl"

    @property
    def total_steps(self) -> int:
        """Number of batches of all stages."""
        return sum(stage.batches for stage in self.stages)

    def _optimizer(self) -> torch.optim.Optimizer:
        settings = self.run.settings.optimizer
        tokens = [p for p in self.model.embedding.parameters() if p.requires_grad]
        trained = [p for p in self.model.parameters() if p.requires_grad]
        others = [p for p in trained if all(p is not token for token in tokens)]
        groups = [
            {"params": tokens, "weight_decay": settings.weight_decay, "multiple": settings.embedding_rate},
            {"params": [p for p in others if p.ndim > 1], "weight_decay": settings.weight_decay, "multiple": 1.0},
            {"params": [p for p in others if p.ndim == 1], "weight_decay": 0.0, "multiple": 1.0},
        ]
        groups = [group for group in groups if group["params"]]
        return make_optimizer(settings, groups)

    def average(self) -> None:
        """Set the weights to the mean of the last checkpoints, if the settings want that; a collective call."""
        wanted = self.run.settings.checkpoints_averaged
        if wanted is None:
            return
        last = len(self.stages) - 1
        folders = [
            folder for folder in checkpoint.complete(self.checkpoints) if checkpoint.position_of(folder).stage >= last
        ][-wanted:]
        checkpoint.check_whole(folders, self.group)
        self._tell(f"averaging the checkpoints after batches {', '.join(str(int(f.name)) for f in folders)}")
        checkpoint.average(folders, self.model)

    def finished(self) -> Embedder | None:
        """Return the current model as a plain one, unsharded and without LoRA, on the leading process.

        A collective call. The whole model is then in memory; model folders are written without that (`train.loop.fit`).

        """
        if self.run.settings.lora is None and self.run.settings.parallel != "fsdp":
            return self.model if self.group.leads else None
        state = folded_state(self.model)
        if not self.group.leads:
            return None
        plain = self.run.empty_model()
        plain.load_state_dict({name: value.cpu() for name, value in state.items()}, assign=True)
        return plain.to(self.run.settings.device)

    def _tell(self, line: str) -> None:
        if self.group.leads and self.say is not None:
            self.say(line)

    def _clear(self) -> None:
        """Delete the files of the run, but not the lock, which is held."""
        for path in self.run.folder.glob("*"):
            if path.name != LOCK:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _note_rounding(self) -> None:
        """Say which settings that change the last bits differ from those that the run was started with."""
        path = self.run.folder / "rounding.json"
        now = {name: getattr(self.run.settings, name) for name in ROUNDING} | {"processes": self.group.size}
        before = (undamaged(path) or now) if self.position.done else now
        changed = [f"{name} {now[name]} (was {before[name]})" for name in now if before.get(name) != now[name]]
        if changed:
            self._tell(f"resuming with {', '.join(changed)}: the same training up to rounding, not bit for bit")
        write_whole(path, seal(now, path.name))

    def _loss_bytes(self) -> int:
        """Return the memory of the largest loss of the run in one process."""
        depths = len(self.shape.layers), self.shape.dims[-1]
        return max(loss_bytes(self.form, stage.settings, *depths, processes=self.group.size) for stage in self.stages)

    def steps(self) -> Iterator[dict[str, Any]]:
        """Run the remaining steps, and yield the log entry of each.

        A consumer may stop at any step. Steps after the last checkpoint are then repeated next time, with the same
        bits.

        """
        self.model.train()
        with self._log() as log, self.interruption.watched():
            while self.position.stage < len(self.stages):
                stage = self.stages[self.position.stage]
                batches = feed_of(self.run, stage, self.form, self.position.step, self.model.device)
                with self._writing(), batches as feed:
                    while self.position.stage == stage.index:
                        entry = self._step(stage, feed)
                        if self.evaluations.are_due(stage, self.position.step):
                            entry["validation"] = self.evaluations.evaluate(
                                stage, self.position, self.model, self.optimizer
                            )
                        log.write(json.dumps(entry) + "\n")
                        log.flush()
                        self._advance(stage)
                        yield entry

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Wait at the end for the checkpoint that a thread writes, also where an error ends the block."""
        try:
            yield
        except BaseException:
            if self.background is not None:
                self.background.join()
            raise
        if self.background is not None:
            self.background.finish()

    def _step(self, stage: StageState, feed: Feed[Material]) -> dict[str, Any]:
        began, step, settings = time.monotonic(), self.position.step, self.run.settings
        optimizer_step, of = step // stage.settings.accumulate, stage.settings.accumulate
        rank = choose_rank(self.shape.ranks, settings.seed, stage.index, optimizer_step)
        batch, taught = feed.take(step)
        form = self.form
        if stage.settings.name not in self.taught:
            form = replace(form, distillation=None)
        elif self.teacher is not None:
            taught = self.teacher.read(batch, self.group)
        # Dropout depends on the step and the process only, so that a run that resumes repeats it.
        draws = raw(Draw.DROPOUT, self.group.size, settings.seed, stage.index, step)
        torch.manual_seed(int(draws[self.group.rank]))
        self.model.embedding.rank = rank
        loss = backward(
            self.replica,
            batch,
            form,
            whole_tokens=self.memory.whole_tokens,
            weight=1 / of,
            taught=None if taught is None else taught.to(self.model.device),
        )
        rate = learning_rate(
            optimizer_step,
            peak=stage.rate,
            warmup=stage.settings.warmup_steps,
            steps=stage.batches // of,
            schedule=stage.settings.schedule,
        )
        self._check_finite(float(loss.total), "the loss", batch, stage, rank)
        norm = self._move(rate, batch, stage, rank) if (step + 1) % of == 0 else None
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
            "distilled": _table(loss.distilled_LM, self.shape) if form.distillation else None,
            "data_wait_seconds": round(feed.waited, 4),
            **self._effort(batch.segments, time.monotonic() - began),
        }

    def _check_finite(self, value: float, what: str, batch: Batch, stage: StageState, rank: int) -> None:
        check_finite(
            value,
            what,
            batch=batch,
            step=self.position.done,
            stage=stage.settings.name,
            rank=rank,
            checkpoints=self.checkpoints,
        )

    def _move(self, rate: float, batch: Batch, stage: StageState, rank: int) -> float:
        """Do one optimizer step; return the norm of the gradient before clipping."""
        set_rate(self.optimizer, rate)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.run.settings.optimizer.clip)
        norm_value = float(whole(norm))
        self._check_finite(norm_value, "the norm of the gradient", batch, stage, rank)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return norm_value

    def _effort(self, segments: Segments, seconds: float) -> dict[str, Any]:
        """Return the figures of a step: time, tokens, MFU, imbalance between processes, memory."""
        settings, lengths = self.run.settings, segments.lengths
        peak_tflops = settings.watching.peak_tflops
        peak = (
            peak_tflops * 1e12 if peak_tflops else measured_peak(settings.device, getattr(torch, settings.arithmetic))
        )
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
        if self.position.step % of and self.position.step < stage.batches:
            return
        if self.background is not None:
            self.background.check()
        ended = self.interruption.agreed(self.group, self.model.device)
        stopped = self.evaluations.are_over(stage)
        if stopped or self.position.step >= stage.batches:
            self._check_weights(stage)
            if stopped:
                name = stage.settings.name
                self._tell(f"{name} ends after batch {self.position.step}: no better evaluation any more")
            self.evaluations.take_best(stage, self.model, self.optimizer)
            if self.at_end_of_stage is not None:
                self.at_end_of_stage(stage)
            self.position = Position(at.stage + 1, 0, at.done + 1)
            self.optimizer = self._optimizer()
            self.evaluations.history = []
        elif self.position.step // every == (self.position.step - of) // every and not ended:
            return
        else:
            self._check_weights(stage)
        kept = self.run.settings.checkpoints_kept
        if self.background is not None:
            self.background.save(self.checkpoints, self.position, self.model, self.optimizer, kept=kept)
        else:
            checkpoint.save(self.checkpoints, self.position, self.model, self.optimizer, group=self.group, kept=kept)
        if ended:
            if self.background is not None:
                self.background.finish()
            self._tell(f"a checkpoint was saved after batch {self.position.done} of {self.total_steps}")
            raise SystemExit(128 + ended)

    def _check_weights(self, stage: StageState) -> None:
        check_weights(self.model, self.position.done - 1, stage.settings.name, self.checkpoints)

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
