"""Stops a run whose numbers are no longer finite, so that nothing is trained on, saved or exported with them."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from open_ml_embed.core.errors import DivergenceError
from train.data.batch import Batch
from train.loop import checkpoint
from train.model.sharding import local_part

SHOWN_ROWS = 8


def check_finite(value: float, what: str, *, batch: Batch, step: int, stage: str, rank: int, checkpoints: Path) -> None:
    """Raise an error if a loss or gradient norm is not finite.

    Args:
        value: the number.
        what: its name, for the error message.
        batch: the batch that it belongs to.
        step: number of the batch in the run.
        stage: name of the stage.
        rank: rank of the token embedding in the step.
        checkpoints: folder of the checkpoints.

    Raises:
        DivergenceError: it is not.

    """
    if math.isfinite(value):
        return
    rows = ", ".join(map(str, batch.query_rows[:SHOWN_ROWS]))
    more = ", …" if batch.queries > SHOWN_ROWS else ""
    raise DivergenceError(
        f"{what} is {value} in batch {step}: {batch.queries} queries of {batch.source}/{batch.subset} "
        f"(rows {rows}{more} of the mix's training samples), embedding rank {rank}",
        where=f"stage {stage}",
        remedy=f"{_kept(checkpoints)}. Lower the stage's `learning_rate` or raise its `warmup_steps`; with "
        "`precision: bfloat16` try float32; if it is always the same batch, look at its texts",
    )


def check_weights(model: nn.Module, step: int, stage: str, checkpoints: Path) -> None:
    """Raise an error if a trained weight is not finite; on a sharded model, one that this process holds.

    Raises:
        DivergenceError: one is not.

    """
    for name, parameter in model.named_parameters():
        local: Tensor = local_part(parameter.detach())
        if parameter.requires_grad and not bool(torch.isfinite(local).all()):
            raise DivergenceError(
                f"{name} is no longer finite after batch {step}",
                where=f"stage {stage}",
                remedy=f"{_kept(checkpoints)}. Lower the stage's `learning_rate`",
            )


def _kept(checkpoints: Path) -> str:
    folder = checkpoint.latest(checkpoints)
    if folder is None:
        return "There is no checkpoint yet; nothing was exported"
    return f"Nothing was exported; the last good checkpoint, after batch {int(folder.name)}, is kept in {folder}"
