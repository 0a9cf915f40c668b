"""Checkpoints: weights and optimizer state as safetensors, position as JSON; a folder appears whole or not at all."""

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
    """What a run does next: a step of a stage, both from 0, and the steps done over all stages."""

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
    """Write a checkpoint below `root` and delete all but the latest `kept`.

    Args:
        root: where checkpoints lie.
        position: what comes next.
        model: may be sharded: then all processes must call, and the file holds it whole.
        optimizer: of the model.
        writes: whether this process is the one that writes.
        kept: checkpoints to keep.

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
    """Return the folder of the latest complete checkpoint below `root`, if there is one."""
    found = _complete(root)
    return found[-1] if found else None


def position_of(folder: Path) -> Position:
    """Return where a checkpoint was taken."""
    return Position(**json.loads((folder / POSITION).read_text("utf-8")))


def restore(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Load a checkpoint into a model and its optimizer, which may both be sharded.

    Raises:
        StageError: it is of another model.

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
    """Write a model's state as safetensors, fsynced."""
    _write(path, model.state_dict())


def load_weights(path: Path, model: nn.Module) -> None:
    """Load a model's state.

    Raises:
        StageError: the file is missing, or of another model.

    """
    try:
        own = model.state_dict()
        state = {name: part_like(value, own.get(name, value)) for name, value in load_file(path).items()}
        model.load_state_dict(state)
    except (FileNotFoundError, RuntimeError) as error:
        raise StageError(f"cannot load weights: {error}", where=str(path), remedy="run `train3d fit` again") from None


def _gathered(tensors: Iterable[tuple[str, Tensor]], *, keep: bool) -> dict[str, Tensor]:
    """Gather tensors one by one, on the CPU; only who keeps them holds more than one whole."""
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
