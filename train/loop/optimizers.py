"""The optimizers that can be chosen: torch's AdamW, and those of torchao and bitsandbytes with small moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.optional import require
from train.config import Optimizer, OptimizerName, TrainSettings

WHERE = "train.optimizer.name"
FP8_CAPABILITY = (8, 9)


@dataclass(frozen=True)
class Other:
    """An optimizer of another package.

    Attributes:
        module: module that has the class.
        name: name of the class.
        moments: memory of its moments, as a share of that of the weights in float32.
        paged: whether it moves moments between GPU and CPU.
        fp8: whether it needs a GPU with 8-bit floating point, if it is on one.

    """

    module: str
    name: str
    moments: float
    paged: bool = False
    fp8: bool = False


OTHERS: dict[OptimizerName, Other] = {
    "torchao.AdamW8bit": Other("torchao.optim", "AdamW8bit", 0.55),
    "torchao.AdamW4bit": Other("torchao.optim", "AdamW4bit", 0.3),
    "torchao.AdamWFp8": Other("torchao.optim", "AdamWFp8", 0.55, fp8=True),
    "bitsandbytes.AdamW8bit": Other("bitsandbytes.optim", "AdamW8bit", 0.55),
    "bitsandbytes.PagedAdamW8bit": Other("bitsandbytes.optim", "PagedAdamW8bit", 0.55, paged=True),
}


def moments_of(settings: Optimizer) -> float:
    """Return the memory of an optimizer's moments, as a share of that of the weights in float32."""
    return OTHERS[settings.name].moments if settings.name in OTHERS else 2.0


def check_optimizer(settings: TrainSettings) -> None:
    """Check that the optimizer can run here; imports its package, but makes nothing.

    Raises:
        MissingPackageError: its package is not installed.
        SettingsError: it does not fit the device, or a sharded model.

    """
    name, device = settings.optimizer.name, settings.device
    if name not in OTHERS:
        return
    other = OTHERS[name]
    require(other.module, what=f"the optimizer {name}", where=WHERE, instead="set `optimizer.name: adamw`")
    if settings.parallel == "fsdp":
        raise SettingsError(
            f"{name} has moments that a sharded checkpoint cannot hold",
            where=f"{WHERE}, train.parallel: fsdp",
            remedy="set `parallel: ddp`, or `optimizer.name: adamw`, whose moments are sharded",
        )
    if other.paged and not device.startswith("cuda"):
        raise SettingsError(
            f"{name} moves moments between a GPU and the CPU, and the device is {device}",
            where=WHERE,
            remedy="set it to bitsandbytes.AdamW8bit, or `device: cuda`",
        )
    if other.fp8 and device.startswith("cuda") and torch.cuda.is_available():
        capability = torch.cuda.get_device_capability(device)
        if capability < FP8_CAPABILITY:
            raise SettingsError(
                f"{name} needs a GPU of compute capability 8.9 or more, this one has {'.'.join(map(str, capability))}",
                where=WHERE,
                remedy="set it to torchao.AdamW8bit",
            )


def make_optimizer(settings: Optimizer, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Return an optimizer over groups of parameters, at a learning rate of zero.

    Raises:
        MissingPackageError: its package is not installed.

    """
    if settings.name not in OTHERS:
        return torch.optim.AdamW(groups, lr=0.0, betas=settings.betas, fused=True)
    other = OTHERS[settings.name]
    module = require(other.module, what=f"the optimizer {settings.name}", where=WHERE)
    made: torch.optim.Optimizer = getattr(module, other.name)(groups, lr=0.0, betas=settings.betas)
    return made


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group, times the group's own multiple."""
    for group in optimizer.param_groups:
        value = rate * group["multiple"]
        if isinstance(group["lr"], torch.Tensor):  # torchao compiles its step, once for all rates
            group["lr"].fill_(value)
        else:
            group["lr"] = value
