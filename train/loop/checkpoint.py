"""Checkpoints: weights and optimizer state as safetensors, the position as JSON; a folder is written atomically.

A model on one process, or replicated on several, is one file of weights and one of the optimizer. Of a sharded model,
every process writes its own shards (torch.distributed.checkpoint, in its safetensors format), so that no process holds
more. Either kind can be loaded into either kind of model, with any number of processes.
"""

from __future__ import annotations

import errno
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from open_ml_embed.core.errors import StageError, StorageError
from open_ml_embed.core.files import whole_folder
from open_ml_embed.core.hashing import hash_file
from open_ml_embed.core.sealed import DamagedRecordError, read_sealed, seal
from train.distributed.parallel import ALONE, Group, whole
from train.model.sharding import local_part, part_like
from train.model.tensor_files import LazyTensor, write_tensors

KEPT = 2
FOLDER = "checkpoints"
"""Folder of the checkpoints in the folder of a run."""
MODEL, OPTIMIZER, POSITION = "model.safetensors", "optimizer.safetensors", "position.json"
SHARDS = "shards"
"""Folder of the shards of a sharded model's checkpoint, in place of the two files."""
PART, NUMBER = ":", "number"
"""What stands between the name of a moment and that of a part of it; and the name of a part that is a number."""
MOMENTS = "optimizer/"
"""What the names of the optimizer's tensors begin with among the shards."""


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
    group: Group = ALONE,
    kept: int = KEPT,
) -> None:
    """Write a checkpoint below `root`, and delete all but the latest `kept` checkpoints.

    If the model is sharded, all processes must call; otherwise only the leading one writes.

    Args:
        root: folder of the checkpoints.
        position: the next step.
        model: the model.
        optimizer: optimizer of the model.
        group: the processes.
        kept: number of checkpoints to keep.

    Raises:
        StorageError: the disk is full. Earlier checkpoints are kept.

    """
    try:
        if isinstance(model, FSDPModule):
            _save_shards(root / f"{position.done:08d}", position, model, optimizer, group)
        elif group.leads:
            moments = moments_by_name(model, optimizer)
            write_folder(root / f"{position.done:08d}", position, model.state_dict(), moments)
    except OSError as error:
        raise refusal(error, root, model) from error
    if group.leads:
        drop_old(root, kept)


def write_folder(
    folder: Path, position: Position, weights: Mapping[str, Tensor], moments: Mapping[str, Tensor]
) -> None:
    """Write the checkpoint of a model that is not sharded; the folder appears when it is whole."""
    with whole_folder(folder) as filled:
        write_tensors(filled / MODEL, _lazy(weights))
        write_tensors(filled / OPTIMIZER, _lazy(moments))
        _write_position(filled, position)


def drop_old(root: Path, kept: int) -> None:
    """Delete all but the latest checkpoints."""
    for old in complete(root)[:-kept]:
        shutil.rmtree(old)


def _save_shards(
    folder: Path, position: Position, model: nn.Module, optimizer: torch.optim.Optimizer, group: Group
) -> None:
    from torch.distributed.checkpoint.state_dict_saver import save

    writer = shard_writer(folder, group)
    save(sharded_state(model, optimizer), storage_writer=writer)
    dist.barrier()
    if group.leads:
        put_shards(folder, position)
    dist.barrier()


def sharded_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the weights and moments of a sharded model by their names in a checkpoint."""
    state: dict[str, Any] = dict(model.state_dict())
    return state | {MOMENTS + name: value for name, value in moments_by_name(model, optimizer).items()}


def shard_writer(folder: Path, group: Group) -> Any:
    """Return what writes shards into a folder beside the checkpoint's; a collective call."""
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter

    partial_folder = _partial(folder)
    if group.leads:
        shutil.rmtree(partial_folder, ignore_errors=True)
        partial_folder.mkdir(parents=True)
    dist.barrier()
    return HuggingFaceStorageWriter(str(partial_folder / SHARDS), save_distributed=True)


def put_shards(folder: Path, position: Position) -> None:
    """Make a checkpoint of the shards that all processes have written; the folder appears when it is whole."""
    with whole_folder(folder) as filled:
        (_partial(folder) / SHARDS).rename(filled / SHARDS)
        _write_position(filled, position)
    shutil.rmtree(_partial(folder))


def _partial(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.partial")


def _write_position(folder: Path, position: Position) -> None:
    """Write the position, and sizes and hashes of all files beside it, by which damage is found later."""
    files = {
        str(path.relative_to(folder)): [path.stat().st_size, hash_file(path)]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / POSITION).write_bytes(seal(asdict(position) | {"files": files}, POSITION))


def latest(root: Path) -> Path | None:
    """Return the folder of the latest complete checkpoint below `root`; None if there is none."""
    folders = complete(root)
    return folders[-1] if folders else None


def latest_whole(root: Path, group: Group, say: Callable[[str], None]) -> Path | None:
    """Return the folder of the latest checkpoint that is not damaged; None if there is no checkpoint.

    A collective call. Files are compared with the hashes that were taken when they were written.

    Args:
        root: folder of the checkpoints.
        group: the processes; each checks a share of the files.
        say: receives a line about each damaged checkpoint.

    Raises:
        StageError: all checkpoints are damaged.

    """
    folders = complete(root)
    for folder in reversed(folders):
        damage = _damage(folder, group)
        if damage is None:
            return folder
        say(f"{folder} is damaged ({damage}); going back to the checkpoint before it")
    if folders:
        raise StageError(
            "every checkpoint is damaged",
            where=str(root),
            remedy="check the disk; then start again from the first step with `train3d fit --no-resume`",
        )
    return None


def check_whole(folders: Sequence[Path], group: Group) -> None:
    """Check that checkpoints have the bytes that were written; a collective call.

    Raises:
        StageError: one is damaged.

    """
    for folder in folders:
        damage = _damage(folder, group)
        if damage is not None:
            remedy = "set a smaller `checkpoints_averaged`, or train again with `train3d fit --no-resume`"
            raise StageError(f"the checkpoint is damaged: {damage}", where=str(folder), remedy=remedy)


def _damage(folder: Path, group: Group) -> str | None:
    """Return what is wrong with a checkpoint, the same on all processes; None if nothing is."""
    wrong = ""
    try:
        files: dict[str, tuple[int, str]] = _record_of(folder)["files"]
        for name in sorted(files)[group.rank :: group.size]:
            path = folder / name
            if not path.is_file():
                wrong = f"{name} is missing"
            elif [path.stat().st_size, hash_file(path)] != list(files[name]):
                wrong = f"{name} has changed since it was written"
    except DamagedRecordError as error:
        wrong = f"{POSITION}: {error.what}"
    except OSError as error:
        wrong = str(error)
    found = [wrong]
    if group.size > 1:
        found = [""] * group.size
        dist.all_gather_object(found, wrong)
    return next((one for one in found if one), None)


def position_of(folder: Path) -> Position:
    """Return the position that a checkpoint was written at.

    Raises:
        DamagedRecordError: the record of it is damaged.

    """
    data = _record_of(folder)
    return Position(data["stage"], data["step"], data["done"])


def _record_of(folder: Path) -> dict[str, Any]:
    record = read_sealed(
        folder / POSITION, remedy="delete the folder: `train3d fit` goes on from the checkpoint before"
    )
    assert record is not None, "a folder without it is no checkpoint"
    return record


def restore(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Load a checkpoint into a model and its optimizer, which may both be sharded, by any number of processes.

    Raises:
        StageError: a file is missing, or the checkpoint belongs to another model.

    """
    parameters = dict(model.named_parameters())
    if (folder / SHARDS).is_dir():
        _restore_shards(folder / SHARDS, model, optimizer, parameters)
        return
    load_weights(folder / MODEL, model)
    if not isinstance(optimizer, torch.optim.AdamW):
        _restore_packed(load_file(folder / OPTIMIZER), optimizer, parameters)
        return
    values: dict[str, dict[str, Any]] = {}
    for name, value in load_file(folder / OPTIMIZER).items():
        key, parameter = name.split("/", 1)
        like = parameters[parameter]
        values.setdefault(parameter, {})[key] = part_like(value, like) if value.ndim else value.to(like.device)
    for parameter, entry in values.items():
        optimizer.state[parameters[parameter]] = entry


def _restore_packed(
    stored: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]
) -> None:
    """Fill the state of another package's optimizer, which makes its moments itself, in a step that moves nothing."""
    names = {name.split("/", 1)[1] for name in stored}
    if not names:
        return
    for name in names:
        parameters[name].grad = torch.zeros_like(parameters[name])
    assert not any(float(group["lr"]) for group in optimizer.param_groups)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    for name, value in stored.items():
        key, parameter = name.split("/", 1)
        key, _, part = key.partition(PART)
        entry = optimizer.state[parameters[parameter]]
        if part == NUMBER:
            entry[key] = type(entry[key])(value.item())
        else:
            (getattr(entry[key], part) if part else entry[key]).copy_(value)


def _restore_shards(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]
) -> None:
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader

    reader = HuggingFaceStorageReader(str(folder))
    stored = reader.read_metadata().state_dict_metadata
    state: dict[str, Any] = dict(model.state_dict())
    values: dict[str, dict[str, Tensor]] = {}
    for name in sorted(stored):
        if name.startswith(MOMENTS):
            key, parameter = name.removeprefix(MOMENTS).split("/", 1)
            like = parameters[parameter]
            values.setdefault(parameter, {})[key] = state[name] = (
                torch.zeros((), device=like.device) if key == "step" else torch.zeros_like(like.detach())
            )
    _load_shards(folder, state)
    for parameter, entry in values.items():
        optimizer.state[parameters[parameter]] = entry


def _load_shards(folder: Path, state: dict[str, Any]) -> None:
    """Read tensors from the shards of a checkpoint, in place.

    Raises:
        StageError: a tensor is missing or has another shape.

    """
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
    from torch.distributed.checkpoint.state_dict_loader import load

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # one process is meant
            load(state, storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=not dist.is_initialized())
    except (RuntimeError, ValueError, OSError, CheckpointException) as error:
        raise StageError(
            f"cannot load the checkpoint: {error}", where=str(folder), remedy="run `train3d fit` again"
        ) from None


@torch.no_grad()
def average(folders: Sequence[Path], model: nn.Module) -> None:
    """Set the weights of a model, which may be sharded, to the mean of those of some checkpoints.

    Raises:
        StageError: see `restore`.

    """
    sums: dict[str, Tensor] = {}
    for folder in folders:
        restore_weights(folder, model)
        for name, value in model.state_dict().items():
            local = local_part(value).double()
            sums[name] = sums[name] + local if name in sums else local
    for name, value in model.state_dict().items():
        local_part(value).copy_(sums[name] / len(folders))


def restore_weights(folder: Path, model: nn.Module) -> None:
    """Load the weights of a checkpoint into a model, which may be sharded.

    Raises:
        StageError: see `restore`.

    """
    if (folder / SHARDS).is_dir():
        _load_shards(folder / SHARDS, dict(model.state_dict()))
    else:
        load_weights(folder / MODEL, model)


def load_weights(path: Path, model: nn.Module) -> None:
    """Load the state of a model from safetensors; weights on the device `meta` are created.

    Raises:
        StageError: the file is missing, or belongs to another model.

    """
    try:
        current = model.state_dict()
        empty = any(value.is_meta for value in current.values())
        loaded = load_file(path)
        state = (
            loaded if empty else {name: part_like(value, current.get(name, value)) for name, value in loaded.items()}
        )
        model.load_state_dict(state, assign=empty)
    except (FileNotFoundError, RuntimeError, SafetensorError) as error:
        raise StageError(f"cannot load weights: {error}", where=str(path), remedy="run `train3d fit` again") from None


def moments_by_name(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's tensors by `key/parameter`."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        f"{key}/{names[id(parameter)]}": tensor
        for parameter, values in optimizer.state.items()
        for name, value in values.items()
        for key, tensor in _flat(name, value)
    }


def _flat(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the plain tensors of a value in an optimizer's state: numbers, and tensors that are made of several."""
    if not isinstance(value, Tensor):
        yield f"{name}{PART}{NUMBER}", torch.tensor(float(value), dtype=torch.float64)
        return
    flatten = None if isinstance(value, DTensor) else getattr(value, "__tensor_flatten__", None)
    if flatten is None:
        yield name, value
    else:
        for part in flatten()[0]:
            yield f"{name}{PART}{part}", getattr(value, part)


def _lazy(tensors: Mapping[str, Tensor]) -> dict[str, LazyTensor]:
    return {name: LazyTensor(tuple(value.shape), value.dtype, partial(whole, value)) for name, value in tensors.items()}


def refusal(error: OSError, root: Path, model: nn.Module) -> Exception:
    """Return what to raise where a checkpoint cannot be written."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    parameters = list(model.parameters())
    needed = sum(p.numel() * p.element_size() * (3 if p.requires_grad else 1) for p in parameters)
    return StorageError(
        f"no space left for a checkpoint: it takes {needed / 1e9:,.1f} GB, "
        f"{shutil.disk_usage(root).free / 1e9:,.1f} GB are free",
        where=str(root),
        remedy="free space, or give a folder on another disk with --work, and run the same command again: it goes on "
        "from the checkpoint before",
    )


def complete(root: Path) -> list[Path]:
    """Return the folders of all complete checkpoints below `root`, the latest last."""
    return sorted(path for path in root.glob("[0-9]*") if (path / POSITION).is_file())
