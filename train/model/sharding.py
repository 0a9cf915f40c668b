"""Sharded tensors: the part of one that a process keeps, and filling a sharded model from one process."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from train.model.tensor_files import LazyTensor


def part_like(value: Tensor, like: Tensor) -> Tensor:
    """Return `value` on the device of `like`, sharded in the same way if `like` is sharded."""
    value = value.to(like.device)
    return distribute_tensor(value, like.device_mesh, like.placements) if isinstance(like, DTensor) else value


def local_part(tensor: Tensor) -> Tensor:
    """Return this process's part of a sharded tensor; another tensor itself."""
    local: Tensor = tensor.to_local() if isinstance(tensor, DTensor) else tensor
    return local


def fill(model: nn.Module, weights: Mapping[str, LazyTensor] | None, device: torch.device) -> None:
    """Give a sharded model on the device `meta` its weights, one tensor at a time; a collective call.

    No process holds more than its shards and one whole tensor.

    Args:
        model: its buffers are moved to the device, its parameters are created there.
        weights: all weights by name, float32; only the leading process needs them, others give None.
        device: device of this process.

    """
    state: dict[str, Tensor] = {}
    for name, like in model.state_dict().items():
        assert isinstance(like, DTensor), name
        if weights is not None:
            value = weights[name].read().to(device).contiguous()
        else:
            value = torch.empty(like.shape, dtype=like.dtype, device=device)
        state[name] = distribute_tensor(value, like.device_mesh, like.placements)
        del value
    model.load_state_dict(state, assign=True)
    for module in model.modules():
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = buffer.to(device)
