"""LoRA with peft: train low-rank updates of the layers' matrices instead of the matrices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from open_ml_embed.core.optional import require
from train.config import Lora
from train.model.embedder import Embedder

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
    layers = model.backbone.layers
    linear = {name.rpartition(".")[2] for name, part in layers.named_modules() if isinstance(part, nn.Linear)}
    config = peft.LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=sorted(linear)
    )
    model.requires_grad_(requires_grad=False)
    peft.inject_adapter_in_model(config, model.backbone, adapter_name=ADAPTER)
    model.embedding.requires_grad_(requires_grad=True)


@torch.no_grad()
def folded_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the state of a model with its LoRA updates merged: names and weights are those of a model without LoRA."""
    state: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        if BASE in name:
            owner, _, kind = name.partition(BASE)
            layer: Any = model.get_submodule(owner)
            state[f"{owner}.{kind}"] = value + layer.get_delta_weight(ADAPTER) if kind == "weight" else value
        elif f".{ADAPTER}." not in name:
            state[name] = value
    return state
