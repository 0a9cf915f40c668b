"""LoRA with peft: train low-rank updates of the layers' matrices instead of the matrices."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from open_ml_embed.core.optional import require
from train.config import Lora
from train.distributed.parallel import whole
from train.model.architectures import architecture_of, layers_of
from train.model.embedder import Embedder
from train.model.tensor_files import LazyTensor

ADAPTER = "default"
BASE = ".base_layer."


def add_lora(model: Embedder, settings: Lora) -> None:
    """Add trainable low-rank matrices to every linear map of the layers; freeze the rest except the token embedding.

    The embedding stays trainable, because its ranks become nested only by training.

    Args:
        model: changed in place.
        settings: rank, scale and dropout.

    Raises:
        MissingPackageError: peft is not installed.

    """
    peft = require("peft", what="LoRA", where="train.lora")
    path, layers = architecture_of(model.config).layers, layers_of(model.backbone)
    linear = [f"{path}.{name}" for name, part in layers.named_modules() if isinstance(part, nn.Linear)]
    config = peft.LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=linear
    )
    model.requires_grad_(requires_grad=False)
    peft.inject_adapter_in_model(config, model.backbone, adapter_name=ADAPTER)
    model.embedding.requires_grad_(requires_grad=True)


def plain_state(model: nn.Module) -> dict[str, LazyTensor]:
    """Return the state of a model, unsharded and with its LoRA updates merged, one tensor at a time.

    Names and weights are those of a model without LoRA on one process. If the model is sharded, all processes must read
    the tensors, in this order; each tensor is whole while it is used.

    """
    state: dict[str, LazyTensor] = {}
    for name, value in model.state_dict().items():
        shape, dtype = tuple(value.shape), value.dtype
        if BASE in name:
            owner, _, kind = name.partition(BASE)
            read = partial(_merged, value, model.get_submodule(owner)) if kind == "weight" else partial(whole, value)
            state[f"{owner}.{kind}"] = LazyTensor(shape, dtype, read)
        elif f".{ADAPTER}." not in name:
            state[name] = LazyTensor(shape, dtype, partial(whole, value))
    return state


def folded_state(model: nn.Module) -> dict[str, Tensor]:
    """Return `plain_state` with all tensors read."""
    return {name: tensor.read() for name, tensor in plain_state(model).items()}


@torch.no_grad()
def _merged(weight: Tensor, layer: Any) -> Tensor:
    update = whole(layer.lora_B[ADAPTER].weight) @ whole(layer.lora_A[ADAPTER].weight)
    merged: Tensor = whole(weight) + update * layer.scaling[ADAPTER]
    return merged
