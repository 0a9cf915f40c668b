"""Checkpoints: weights and optimiser state as safetensors, position as JSON; a folder appears whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sources.errors import StageError

KEPT = 2
MODEL, OPTIMISER, POSITION = "model.safetensors", "optimiser.safetensors", "position.json"
RNG = "rng"


@dataclass(frozen=True)
class Position:
    """What a run does next: a step of a stage, both from 0, and the steps done over all stages."""

    stage: int
    step: int
    done: int


def save(
    root: Path, position: Position, model: nn.Module, optimiser: torch.optim.Optimizer, *, kept: int = KEPT
) -> None:
    """Write a checkpoint below `root` and delete all but the latest `kept`."""
    final = root / f"{position.done:08d}"
    partial = root / f".{final.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_weights(partial / MODEL, model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    state = {
        f"{key}/{names[id(parameter)]}": value.contiguous()
        for parameter, values in optimiser.state.items()
        for key, value in values.items()
    }
    _write(partial / OPTIMISER, {**state, RNG: torch.get_rng_state()})
    (partial / POSITION).write_text(json.dumps(asdict(position)) + "\n", "utf-8")
    _sync(partial / POSITION)
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    _sync(root)
    for old in _complete(root)[:-kept]:
        shutil.rmtree(old)


def latest(root: Path) -> Path | None:
    """Return the folder of the latest complete checkpoint below `root`, if there is one."""
    found = _complete(root)
    return found[-1] if found else None


def position_of(folder: Path) -> Position:
    """Return where a checkpoint was taken."""
    return Position(**json.loads((folder / POSITION).read_text("utf-8")))


def restore(folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Load a checkpoint into a model and its optimiser, and set torch's generator back.

    Raises:
        StageError: it is of another model.

    """
    load_weights(folder / MODEL, model)
    state = load_file(folder / OPTIMISER)
    torch.set_rng_state(state.pop(RNG))
    parameters = dict(model.named_parameters())
    values: dict[str, dict[str, Any]] = {}
    for name, value in state.items():
        key, parameter = name.split("/", 1)
        values.setdefault(parameter, {})[key] = value.to(parameters[parameter].device)
    for parameter, entry in values.items():
        optimiser.state[parameters[parameter]] = entry


def save_weights(path: Path, model: nn.Module) -> None:
    """Write a model's state as safetensors, fsynced."""
    _write(path, {name: tensor.contiguous() for name, tensor in model.state_dict().items()})


def load_weights(path: Path, model: nn.Module) -> None:
    """Load a model's state.

    Raises:
        StageError: the file is missing, or of another model.

    """
    try:
        model.load_state_dict(load_file(path))
    except (FileNotFoundError, RuntimeError) as error:
        raise StageError(f"cannot load weights: {error}", where=str(path), remedy="run `train3d fit` again") from None


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    save_file({name: tensor.cpu() for name, tensor in tensors.items()}, path)
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _complete(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("[0-9]*") if (path / POSITION).is_file())
