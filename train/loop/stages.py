"""A stage that is ready to run: its mix as token ids, the plan of its batches, its teacher and its held-out samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from open_ml_embed.core.errors import StageError
from train.config import Stage
from train.data.batch import Batch, make_batch
from train.data.feed import Feed
from train.data.plan import Plan
from train.data.shares import batches_of
from train.data.token_store import Store
from train.evaluation.validation import Validator
from train.loop.preflight import check_warmup, peak_rate
from train.loop.run import Run
from train.model.presets import Form
from train.objective.distill import TeacherVectors, open_teacher
from train.objective.loss import Taught, TaughtStates
from train.objective.state_teacher import StoredStates, open_stored_states, stages_taught


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
        teacher: vectors or states for distillation; None: no teacher, or one that reads every batch.
        validator: evaluation while training; None: there is none.

    """

    index: int
    settings: Stage
    store: Store
    plan: Plan
    batches: int
    rate: float
    teacher: TeacherVectors | StoredStates | None
    validator: Validator | None


class Material(NamedTuple):
    """What a step needs from the disk: its batch, and the teacher's vectors if there is a teacher."""

    batch: Batch
    taught: Taught | TaughtStates | None

    def pinned(self, device: torch.device) -> Material:
        """Return it in memory that the GPU of this process can copy from by itself."""
        torch.cuda.set_device(device)  # a thread has a device of its own
        taught = None if self.taught is None else self.taught.pinned()
        return Material(replace(self.batch, targets=self.batch.targets.pinned()), taught)


def open_stage(run: Run, index: int) -> StageState:
    """Tokenize the mix of a stage if that was not done, plan its batches, and open its teacher.

    Args:
        run: the run.
        index: index of the stage, from 0.

    Raises:
        CorpusError: the warm-up is longer than the stage, the teacher cannot be followed, or evaluation is asked for
            and the mix has no held-out sample.

    """
    stage, settings = run.settings.stages[index], run.settings
    store = run.store(run.mixes[index])
    rows = [store.train.dataset.of(code) for code in range(len(store.datasets))]
    by_size = Plan(rows, stage.batch_size, settings.seed, index)
    plan = replace(by_size, chosen=batches_of(stage.sampling, store.datasets, by_size.own))
    optimizer_steps = stage.steps or math.ceil((stage.epochs or 0) * plan.steps_per_epoch / stage.accumulate)
    check_warmup(stage, optimizer_steps)
    distillation = settings.objective.distillation
    teacher: TeacherVectors | StoredStates | None = None
    if distillation is not None and stage.name in stages_taught(distillation, [s.name for s in settings.stages]):
        mix = run.mixes[index]
        if distillation.on != "states":
            teacher = open_teacher(distillation, mix, run.work, device=settings.device)
        elif not distillation.live:
            teacher = open_stored_states(run, store, mix.identity)
    rate = peak_rate(stage, run.sizes)
    validator = None if settings.validation is None else Validator(store, settings.validation)
    if validator is not None and not validator.rows:
        raise StageError(
            "the mix has no held-out samples to evaluate on while training",
            where=stage.mix,
            remedy="raise the mix's `validation` share, or leave `train.validation` out",
        )
    return StageState(index, stage, store, plan, optimizer_steps * stage.accumulate, rate, teacher, validator)


def feed_of(run: Run, stage: StageState, form: Form, step: int, device: torch.device) -> Feed[Material]:
    """Return the batches of a stage from a step on, made ahead in a thread.

    Args:
        run: the run.
        stage: the stage.
        form: form of the loss; its preset decides which texts a batch has.
        step: first step.
        device: device of the model; for a GPU, batches are put into pinned memory.

    """
    wanted, stream = stage.settings.negatives.model_dump(), (run.settings.seed, stage.index)
    store, plan, teacher, preset = stage.store, stage.plan, stage.teacher, form.preset

    def make(step: int) -> Material:
        batch = make_batch(store, plan, step, wanted=wanted, preset=preset, stream=stream)
        made = Material(batch, None if teacher is None else teacher.of(batch, torch.device("cpu")))
        return made.pinned(device) if device.type == "cuda" else made

    return Feed(make, step, stage.batches, ahead=run.settings.prefetch)
