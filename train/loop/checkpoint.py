"""Checkpoints: weights and optimizer state as safetensors, the position as JSON; a folder is written atomically."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from open_ml_embed.core.errors import StageError
from open_ml_embed.core.files import whole_folder
from train.distributed.parallel import part_like, whole

KEPT = 2
MODEL, OPTIMIZER, POSITION = "model.safetensors", "optimizer.safetensors", "position.json"


@dataclass(frozen=True)
class Position:
    """The next step of a run: stage, step in the stage (both from 0), and number of steps done in all stages."""

    stage: int
    step: int
    done: int


def save(
    root: Path,
    position: Position,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    writes: bool = True,
    kept: int = KEPT,
) -> None:
    """Write a checkpoint below `root`, and delete all but the latest `kept` checkpoints.

    Args:
        root: folder of the checkpoints.
        position: the next step.
        model: if it is sharded, all processes must call, and the file holds the whole model.
        optimizer: optimizer of the model.
        writes: whether this process writes the files.
        kept: number of checkpoints to keep.

    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    weights = _gathered(model.state_dict().items(), keep=writes)
    moments = (
        (f"{key}/{names[id(parameter)]}", value)
        for parameter, values in optimizer.state.items()
        for key, value in values.items()
    )
    state = _gathered(moments, keep=writes)
    if not writes:
        return
    with whole_folder(root / f"{position.done:08d}") as filled:
        _write(filled / MODEL, weights)
        _write(filled / OPTIMIZER, state)
        (filled / POSITION).write_text(json.dumps(asdict(position)) + "\n", "utf-8")
    for old in _complete(root)[:-kept]:
        shutil.rmtree(old)


def latest(root: Path) -> Path | None:
    """Return the folder of the latest complete checkpoint below `root`; None if there is none."""
    complete = _complete(root)
    return complete[-1] if complete else None


def position_of(folder: Path) -> Position:
    """Return the position that a checkpoint was written at."""
    return Position(**json.loads((folder / POSITION).read_text("utf-8")))


def restore(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Load a checkpoint into a model and its optimizer, which may both be sharded.

    Raises:
        StageError: a file is missing, or the checkpoint belongs to another model.

    """
    load_weights(folder / MODEL, model)
    state = load_file(folder / OPTIMIZER)
    parameters = dict(model.named_parameters())
    values: dict[str, dict[str, Any]] = {}
    for name, value in state.items():
        key, parameter = name.split("/", 1)
        like = parameters[parameter]
        values.setdefault(parameter, {})[key] = part_like(value, like) if value.ndim else value.to(like.device)
    for parameter, entry in values.items():
        optimizer.state[parameters[parameter]] = entry


def save_weights(path: Path, model: nn.Module) -> None:
    """Write the state of a model as safetensors."""
    _write(path, model.state_dict())


def load_weights(path: Path, model: nn.Module) -> None:
    """Load the state of a model from safetensors.

    Raises:
        StageError: the file is missing, or belongs to another model.

    """
    try:
        current = model.state_dict()
        state = {name: part_like(value, current.get(name, value)) for name, value in load_file(path).items()}
        model.load_state_dict(state)
    except (FileNotFoundError, RuntimeError) as error:
        raise StageError(f"cannot load weights: {error}", where=str(path), remedy="run `train3d fit` again") from None


def _gathered(tensors: Iterable[tuple[str, Tensor]], *, keep: bool) -> dict[str, Tensor]:
    """Gather tensors one by one on the CPU; only the process that keeps them holds more than one whole tensor."""
    gathered = {}
    for name, tensor in tensors:
        value = whole(tensor)
        if keep:
            gathered[name] = value.cpu()
    return gathered


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, path)


def _complete(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("[0-9]*") if (path / POSITION).is_file())
