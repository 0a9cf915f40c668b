"""Training one model on several processes: gathering states with their exact gradient, DDP and FSDP.

The loss of one process scores its queries against the documents of all processes. The gradient of a state is the sum
over the losses of all processes. So gathering is differentiable: forward, it collects rows; backward, it sums and
scatters gradients. DDP and FSDP average the gradients of the weights over processes; the loss of a step is therefore
multiplied by their number (`train.loop.step`).
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from open_ml_embed.core.array_types import I64
from open_ml_embed.core.errors import SettingsError
from train.model.architectures import layers_of
from train.model.embedder import Embedder
from train.model.sharding import fill
from train.model.tensor_files import LazyTensor
from train.objective.gradcache import Encode

PATIENCE = timedelta(hours=12)
T = TypeVar("T")
_NEW = "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
_NO_BUFFERS: dict[str, Any] = {"forward_sync_buffers" if _NEW else "broadcast_buffers": False}
"""DDP's parameter has one name or the other, by the version of torch."""


@dataclass(frozen=True)
class Group:
    """The processes that train one model together.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.

    """

    rank: int = 0
    size: int = 1

    def gather(self, local_LnH: Tensor, rows: Sequence[I64]) -> Tensor:
        """Return the states of all processes, in the order of the texts, on every process; differentiable.

        Args:
            local_LnH: states of this process.
            rows: for every process, the indices (0 … N-1) of its texts; every text belongs to one process.

        Returns:
            Layers × N × hidden size.

        """
        if self.size == 1:
            order = torch.from_numpy(np.argsort(rows[0])).to(local_LnH.device)
            return local_LnH.index_select(1, order)
        gathered: Tensor = _Gather.apply(local_LnH, rows, self.rank)  # type: ignore[no-untyped-call] # torch's `apply`
        return gathered

    @property
    def leads(self) -> bool:
        """Whether this is the leading process, which writes files and prints."""
        return self.rank == 0

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """Run a block in the leading process first and then in the others, which find its results."""
        if not self.leads:
            dist.barrier()
        yield
        if self.leads and self.size > 1:
            dist.barrier()

    def from_leader(self, value: T) -> T:
        """Return the value that the leading process gives, on every process; any object that can be pickled."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, 0)
        return box[0]

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over the processes."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def least(self, values: Tensor) -> Tensor:
        """Return the minimum of each value over the processes."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values, dist.ReduceOp.MIN)
        return values


ALONE = Group()
"""A group of one process."""


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, local_LnH: Tensor, rows: Sequence[I64], rank: int) -> Tensor:
        ctx.rows, ctx.rank = rows, rank
        longest = max(map(len, rows))
        parts = [local_LnH.new_empty(len(local_LnH), longest, local_LnH.shape[2]) for _ in rows]
        dist.all_gather(parts, _padded(local_LnH, longest))
        together = torch.cat([part[:, : len(indices)] for part, indices in zip(parts, rows, strict=True)], dim=1)
        return together.index_select(1, torch.from_numpy(np.argsort(np.concatenate(rows))).to(local_LnH.device))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient_LNH,) = gradients
        longest = max(map(len, ctx.rows))
        orders = [torch.from_numpy(indices).to(gradient_LNH.device) for indices in ctx.rows]
        parts = [_padded(gradient_LNH.index_select(1, order), longest) for order in orders]
        local_LnH = torch.empty_like(parts[0])
        dist.reduce_scatter(local_LnH, parts)
        return local_LnH[:, : len(ctx.rows[ctx.rank])], None, None


def _padded(states_LnH: Tensor, longest: int) -> Tensor:
    return torch.nn.functional.pad(states_LnH, (0, 0, 0, longest - states_LnH.shape[1])).contiguous()


@dataclass(frozen=True)
class Replica:
    """A model in one process of a group.

    Attributes:
        model: the model; with FSDP its parameters are shards.
        group: the processes.
        encode: calls the model so that the backward pass reduces gradients over the processes.
        deferred: context in which the backward pass does not reduce gradients yet.

    """

    model: Embedder
    group: Group
    encode: Encode
    deferred: Callable[[], AbstractContextManager[None]]


def join(device: str) -> Group:
    """Join the processes that torchrun started, if any; with CUDA each process takes the GPU of its local rank.

    Args:
        device: `cpu` or `cuda`.

    Returns:
        The group; a group of one if there are no other processes.

    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Group()
    if device.startswith("cuda"):
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    if not dist.is_initialized():
        # The timeout is long because the other processes wait while the first one tokenizes.
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=PATIENCE)
    return Group(dist.get_rank(), size)


def leads() -> bool:
    """Whether this is the leading process; works before the process has joined the others."""
    return os.environ.get("RANK", "0") == "0"


def leave() -> None:
    """Leave the process group, if there is one."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def whole(tensor: Tensor) -> Tensor:
    """Return the whole of a possibly sharded tensor on every process; a collective call."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def spread(
    model: Embedder,
    group: Group,
    *,
    parallel: Literal["ddp", "fsdp"] = "ddp",
    precision: Literal["float32", "bfloat16"] = "float32",
    device: torch.device | None = None,
    weights: Callable[[], Mapping[str, LazyTensor]] | None = None,
) -> Replica:
    """Prepare a model for training by a group of processes. Create the optimizer afterwards.

    All processes start from the weights of the leading one, whatever their own machine would compute.

    Args:
        model: on its device; FSDP changes it in place. With `weights`, FSDP takes a model on the device `meta`.
        group: the processes.
        parallel: `ddp` keeps the whole model on each process, `fsdp` a shard of every parameter.
        precision: precision of the backbone's arithmetic.
        device: device of a model on `meta`.
        weights: returns the weights of a model on `meta`; called by the leading process.

    Raises:
        SettingsError: FSDP with one process.

    """
    half = torch.bfloat16 if precision == "bfloat16" else None
    if parallel == "fsdp":
        if group.size == 1:
            raise SettingsError(
                "FSDP needs several processes",
                where="train.parallel: fsdp",
                remedy="start with torchrun, or use ddp",
            )
        device = device or model.device
        if model.device.type != "meta":
            for parameter in model.parameters():
                dist.broadcast(parameter.data, 0)
        _shard(model, half, device)
        if model.device.type == "meta":
            assert weights is not None
            fill(model, weights() if group.leads else None, device)
        return Replica(model, group, model, nullcontext)
    model.autocast = half
    if group.size == 1:
        return Replica(model, group, model, nullcontext)
    # Processes encode different numbers of chunks, so a forward pass must not wait for the others.
    replicated = DistributedDataParallel(model, gradient_as_bucket_view=True, **_NO_BUFFERS)
    return Replica(model, group, replicated, replicated.no_sync)


def _shard(model: Embedder, half: torch.dtype | None, device: torch.device) -> None:
    """Shard each layer as a unit; embedding and norm are one more unit."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    policy = MixedPrecisionPolicy(param_dtype=half, reduce_dtype=torch.float32 if half else None)
    options: dict[str, Any] = {
        "mesh": init_device_mesh(device.type, (dist.get_world_size(),)),
        "mp_policy": policy,
    }
    for layer in layers_of(model.backbone):
        fully_shard(layer, **options)
    fully_shard(model, **options)
