"""LoRA and DoRA with peft: train low-rank updates of the layers' matrices instead of the matrices."""

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
MAGNITUDE = "lora_magnitude_vector"


def add_lora(model: Embedder, settings: Lora) -> None:
    """Add trainable low-rank matrices to every linear map of the layers; freeze the rest.

    The token embedding stays trainable unless the settings say otherwise: its ranks become nested only by training.

    Args:
        model: changed in place.
        settings: rank, scale, dropout, and what else is trained.

    Raises:
        MissingPackageError: peft is not installed.

    """
    peft = require("peft", what="LoRA", where="train.lora")
    config = lora_config(model, settings)
    model.requires_grad_(requires_grad=False)
    peft.inject_adapter_in_model(config, model.backbone, adapter_name=ADAPTER)
    model.embedding.requires_grad_(requires_grad=settings.embedding)


def lora_config(model: Embedder, settings: Lora) -> Any:
    """Return peft's configuration for the layers of a model, with or without its updates.

    Raises:
        MissingPackageError: peft is not installed.

    """
    peft = require("peft", what="LoRA", where="train.lora")
    path, layers = architecture_of(model.config).layers, layers_of(model.backbone)
    names = [name for name, part in layers.named_modules() if isinstance(part, nn.Linear) and "lora_" not in name]
    linear = sorted({f"{path}.{name.removesuffix('.base_layer')}" for name in names})
    return peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=linear,
        use_dora=settings.dora,
    )


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
    magnitudes = getattr(layer, MAGNITUDE, {})
    if ADAPTER in magnitudes:  # DoRA: the sum gives the direction of a row, the magnitude its length
        merged = merged * (whole(magnitudes[ADAPTER].weight) / merged.norm(dim=1))[:, None]
    return merged
