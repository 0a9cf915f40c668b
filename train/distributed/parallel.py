"""Several processes, one model: who encodes what, states gathered with their exact gradient, DDP or FSDP.

A loss on one process covers its own queries against everybody's documents. The gradient of a state is the sum of what
all processes' losses say of it, so gathering is differentiable: forth it collects rows, back it sums and scatters
gradients. DDP and FSDP take the mean of the weights' gradients over processes; a step's loss is therefore multiplied
by their number (`train.loop.step`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from open_ml_embed.core.array_types import I64
from open_ml_embed.core.errors import SettingsError
from train.model.embedder import Embedder
from train.objective.gradcache import Encode

PATIENCE = timedelta(hours=12)


@dataclass(frozen=True)
class Group:
    """The processes that train together.

    Attributes:
        rank: which this is, from 0.
        size: how many there are.

    """

    rank: int = 0
    size: int = 1

    def gather(self, own_LnH: Tensor, rows: Sequence[I64]) -> Tensor:
        """Return everybody's rows in one order, on every process; differentiable.

        Args:
            own_LnH: this process's states.
            rows: for every process, which of the N texts its states are of; every text is with one process.

        Returns:
            Layers × N × hidden size.

        """
        if self.size == 1:
            place = torch.from_numpy(np.argsort(rows[0])).to(own_LnH.device)
            return own_LnH.index_select(1, place)
        gathered: Tensor = _Gather.apply(own_LnH, rows, self.rank)  # type: ignore[no-untyped-call] # torch's `apply`
        return gathered

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and talks."""
        return self.rank == 0

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """Let the leading process go through a block alone and the others follow, who then find its work done."""
        if not self.leads:
            dist.barrier()
        yield
        if self.leads and self.size > 1:
            dist.barrier()

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over the processes."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def least(self, values: Tensor) -> Tensor:
        """Return the least of each value over the processes."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values, dist.ReduceOp.MIN)
        return values


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own_LnH: Tensor, rows: Sequence[I64], rank: int) -> Tensor:
        ctx.rows, ctx.rank = rows, rank
        most = max(map(len, rows))
        parts = [own_LnH.new_empty(len(own_LnH), most, own_LnH.shape[2]) for _ in rows]
        dist.all_gather(parts, _filled(own_LnH, most))
        together = torch.cat([part[:, : len(own)] for part, own in zip(parts, rows, strict=True)], dim=1)
        return together.index_select(1, torch.from_numpy(np.argsort(np.concatenate(rows))).to(own_LnH.device))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient_LNH,) = gradients
        most = max(map(len, ctx.rows))
        places = [torch.from_numpy(own).to(gradient_LNH.device) for own in ctx.rows]
        parts = [_filled(gradient_LNH.index_select(1, place), most) for place in places]
        own_LnH = torch.empty_like(parts[0])
        dist.reduce_scatter(own_LnH, parts)
        return own_LnH[:, : len(ctx.rows[ctx.rank])], None, None


def _filled(states_LnH: Tensor, most: int) -> Tensor:
    return torch.nn.functional.pad(states_LnH, (0, 0, 0, most - states_LnH.shape[1])).contiguous()


@dataclass(frozen=True)
class Replica:
    """A model as one process of a group holds it.

    Attributes:
        model: itself; with FSDP its parameters are shards.
        group: the processes.
        encode: calls it, so that gradients are added up over the processes in the backward pass.
        deferred: a context in which they are not, yet.

    """

    model: Embedder
    group: Group
    encode: Encode
    deferred: Callable[[], AbstractContextManager[None]]


def join(device: str) -> Group:
    """Join the processes that torchrun started, if it did; each takes the GPU of its number on its machine.

    Args:
        device: `cpu` or `cuda`.

    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Group()
    if device.startswith("cuda"):
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    if not dist.is_initialized():
        # The others wait while the first one tokenizes.
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=PATIENCE)
    return Group(dist.get_rank(), size)


def leads() -> bool:
    """Whether this is the process that writes and talks, asked before it has joined the others."""
    return os.environ.get("RANK", "0") == "0"


def leave() -> None:
    """Take leave of the other processes, if there are any."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor whole, on every process, if it is sharded; all processes must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def part_like(value: Tensor, like: Tensor) -> Tensor:
    """Return a whole tensor where and as another is kept: this process's part of it, if that is sharded."""
    value = value.to(like.device)
    return distribute_tensor(value, like.device_mesh, like.placements) if isinstance(like, DTensor) else value


def spread(
    model: Embedder,
    group: Group,
    *,
    parallel: Literal["ddp", "fsdp"] = "ddp",
    precision: Literal["float32", "bfloat16"] = "float32",
) -> Replica:
    """Make a model, the same on every process, one that they train together. Optimizers are made afterwards.

    Args:
        model: on its device; FSDP changes it in place.
        group: the processes.
        parallel: each process holds all of it (DDP), or a shard of every parameter (FSDP).
        precision: of the backbone's arithmetic.

    Raises:
        SettingsError: FSDP with one process.

    """
    half = torch.bfloat16 if precision == "bfloat16" else None
    if parallel == "fsdp":
        if group.size == 1:
            raise SettingsError(
                "one process has nothing to shard",
                where="train.parallel: fsdp",
                remedy="start with torchrun, or use ddp",
            )
        _shard(model, half)
        return Replica(model, group, model, nullcontext)
    model.autocast = half
    if group.size == 1:
        return Replica(model, group, model, nullcontext)
    replicated = torch.nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True, broadcast_buffers=False)
    return Replica(model, group, replicated, replicated.no_sync)


def _shard(model: Embedder, half: torch.dtype | None) -> None:
    """Shard layer by layer; what is left (embedding and norm) is one more unit."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    policy = MixedPrecisionPolicy(param_dtype=half, reduce_dtype=torch.float32 if half else None)
    options: dict[str, Any] = {
        "mesh": init_device_mesh(model.device.type, (dist.get_world_size(),)),
        "mp_policy": policy,
    }
    for layer in model.backbone.layers:
        fully_shard(layer, **options)
    fully_shard(model, **options)
