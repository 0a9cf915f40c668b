"""Structural pruning of a backbone: fewer layers, a smaller hidden size, smaller feed-forward networks.

The hidden channels and neurons with the highest activity on some texts of a mix are kept (Muralidharan et al. 2024,
"Compact language models via pruning and knowledge distillation", section 2.2). The activity of a channel is its
absolute value after the norms, that of a neuron its absolute value before the down projection. Layers are kept from
the first on, because 3D-ML training makes the first n layers a model. Attention heads are kept, and so the hidden size
of BERT-like encoders, whose heads share it out among them. A pruned model is a backbone to train on, not a finished
model.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from open_ml_embed.core.errors import SettingsError, UnknownNameError
from train.config import Pretrained
from train.data.long_texts import CHARACTERS_A_TOKEN
from train.data.segments import Segments
from train.data.tokenizer import encoder_of
from train.loop.run import Run
from train.model.architectures import (
    BERT,
    DECODER,
    EXAMPLES,
    MODERNBERT,
    ROBERTA,
    architecture_of,
    layers_of,
)
from train.model.embedder import Embedder, build_backbone
from train.model.embedding import nest

CHUNK_TOKENS = 8192
NORMS = ("input_layernorm", "post_attention_layernorm")
AXES: dict[str, tuple[str | None, ...]] = {
    "embed_tokens": (None, "channels"),
    **dict.fromkeys((*NORMS, "norm"), ("channels",)),
    **dict.fromkeys(("q_norm", "k_norm"), ()),
    **dict.fromkeys(("q_proj", "k_proj", "v_proj"), (None, "channels")),
    "o_proj": ("channels", None),
    **dict.fromkeys(("gate_proj", "up_proj"), ("neurons", "channels")),
    "down_proj": ("channels", "neurons"),
}
"""Part of a decoder → what each axis of its weight runs over; None is not pruned. A bias has the first axis only."""
FEED_FORWARD = {
    DECODER: ("mlp.up_proj", "mlp.down_proj"),
    MODERNBERT: ("mlp.Wi", "mlp.Wo"),
    BERT: ("intermediate.dense", "output.dense"),
    ROBERTA: ("intermediate.dense", "output.dense"),
}
"""Architecture → the maps of a layer that write and read its neurons. ModernBERT's first one also writes their gates,
below them."""


@dataclass(frozen=True)
class Target:
    """Sizes of a pruned model: layers, hidden channels, and neurons per feed-forward network."""

    layers: int
    hidden: int
    intermediate: int


SIZES = {"80M": Target(8, 320, 2048), "160M": Target(9, 640, 1536), "330M": Target(16, 896, 2560)}
"""Published cuts of Qwen3-0.6B (F2LLM-v2, arXiv:2603.19223, table 1). ML-Embed's 140M is the 160M at rank 512."""


@dataclass(frozen=True)
class Activity:
    """Sums of absolute activations over tokens.

    Attributes:
        channels_H: float64, of each hidden channel, after all norms; zeros for BERT-like encoders, which keep all.
        neurons_LI: float64, of each feed-forward neuron of each layer.

    """

    channels_H: Tensor
    neurons_LI: Tensor


def prune(backbone: Any, target: Target, texts: Segments) -> Any:
    """Return a smaller model of the same architecture.

    Args:
        backbone: a transformers model whose layers have the parts of Qwen3 or EuroBERT, or a BERT-like encoder; it is
            not changed.
        target: sizes of the result, none larger than the backbone's.
        texts: texts to measure activity on; a few thousand are enough.

    Raises:
        SettingsError: a size exceeds the backbone's, the backbone has an unknown part, or its hidden size cannot change
            without its heads.

    """
    config = backbone.config
    current = Target(config.num_hidden_layers, config.hidden_size, config.intermediate_size)
    for name, value in vars(target).items():
        if value > vars(current)[name]:
            raise SettingsError(
                f"the backbone has {name} {vars(current)[name]}, which cannot be pruned to {value}",
                remedy="prune from a larger backbone, or to a smaller size",
            )
    if target.hidden != current.hidden and not architecture_of(config).own_heads:
        raise SettingsError(
            f"{type(backbone).__name__} has a hidden size of {current.hidden}, which its {config.num_attention_heads} "
            "heads share out among them; hidden channels cannot be removed alone",
            where="--hidden",
            remedy="prune its layers (--layers) and neurons (--intermediate) only",
        )
    measured = activity(backbone, texts, target.layers)
    channels_h = _most(measured.channels_H, target.hidden)
    neurons_Li = [_most(row, target.intermediate) for row in measured.neurons_LI]
    smaller = copy.deepcopy(config)
    smaller.num_hidden_layers, smaller.hidden_size = target.layers, target.hidden
    smaller.intermediate_size = target.intermediate
    if getattr(smaller, "layer_types", None) is not None:
        smaller.layer_types = smaller.layer_types[: target.layers]
    pruned = type(backbone)(smaller)
    state = backbone.state_dict()
    pruned.load_state_dict(
        {name: _kept(name, state[name], config, channels_h, neurons_Li).clone() for name in pruned.state_dict()}
    )
    return pruned.to(backbone.dtype).eval()


@torch.no_grad()
def activity(backbone: Any, texts: Segments, layers: int) -> Activity:
    """Measure the activity of the channels and neurons of the first `layers` layers on texts."""
    copied = copy.deepcopy(backbone)
    channels_H = torch.zeros(backbone.config.hidden_size, dtype=torch.float64)
    neurons_LI = torch.zeros(layers, backbone.config.intermediate_size, dtype=torch.float64)
    model = Embedder(nest(copied, [backbone.config.hidden_size]), layers=[layers], chunk_tokens=CHUNK_TOKENS).eval()
    down = FEED_FORWARD[architecture_of(backbone.config)][1]
    with _recorded(layers_of(model.backbone)[:layers], down, channels_H, neurons_LI):
        model(texts)
    return Activity(channels_H, neurons_LI)


@contextmanager
def _recorded(layers: Any, down: str, channels_H: Tensor, neurons_LI: Tensor) -> Iterator[None]:
    """While the context is open, add the activations of layers to the sums; `down` reads a layer's neurons."""

    def channels(_: Any, __: Any, output: Tensor) -> None:
        channels_H.add_(output.double().abs().flatten(0, -2).sum(0).cpu())

    def neurons(at: int) -> Any:
        def record(_: Any, inputs: tuple[Tensor, ...]) -> None:
            neurons_LI[at].add_(inputs[0].double().abs().flatten(0, -2).sum(0).cpu())

        return record

    handles = []
    for at, layer in enumerate(layers):
        handles += [getattr(layer, name).register_forward_hook(channels) for name in NORMS if hasattr(layer, name)]
        handles.append(layer.get_submodule(down).register_forward_pre_hook(neurons(at)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _most(active: Tensor, wanted: int) -> Tensor:
    """Return the indices of the most active entries, ascending, so that prefixes stay prefixes."""
    return torch.argsort(active, descending=True, stable=True)[:wanted].sort().values


def _kept(name: str, weight: Tensor, config: Any, channels_h: Tensor, neurons_Li: list[Tensor]) -> Tensor:
    """Select the kept rows of one parameter (what it writes) and the kept columns (what it reads)."""
    kind = architecture_of(config)
    if kind.encoder:
        return _kept_of_encoder(name.removeprefix(f"{kind.layers}."), weight, FEED_FORWARD[kind], config, neurons_Li)
    part = name.rsplit(".", 2)[-2]
    if part not in AXES:
        raise SettingsError(f"cannot prune {name}", remedy=f"prune a model such as {EXAMPLES}")
    for axis, over in enumerate(AXES[part][: weight.ndim]):
        if over is not None:
            kept = channels_h if over == "channels" else neurons_Li[int(name.split(".")[1])]
            weight = weight.index_select(axis, kept)
    return weight


def _kept_of_encoder(
    name: str, weight: Tensor, feed_forward: tuple[str, str], config: Any, neurons_Li: list[Tensor]
) -> Tensor:
    """Select the kept neurons of a parameter; `name` begins with the number of its layer, if it is in one."""
    number, _, inside = name.partition(".")
    up, down = feed_forward
    part, _, kind = inside.rpartition(".")
    if part == up:
        rows = neurons_Li[int(number)]
        doubled = len(weight) == 2 * config.intermediate_size
        return weight.index_select(0, torch.cat([rows, rows + config.intermediate_size]) if doubled else rows)
    return weight.index_select(1, neurons_Li[int(number)]) if (part, kind) == (down, "weight") else weight


def _some_texts(run: Run, number: int) -> list[str]:
    return list(run.mixes[0].texts(number, characters=CHARACTERS_A_TOKEN * run.settings.max_length))


def write_pruned(run: Run, to: Path, *, size: str | None, sizes: dict[str, int | None], texts: int) -> Target:
    """Prune the backbone of a run and write it with its tokenizer, as a backbone for another run.

    Args:
        run: gives the backbone, and the mix whose texts activity is measured on.
        to: folder to write.
        size: one of `SIZES`; None: the sizes of the backbone.
        sizes: by name, sizes that differ from those; None values are ignored.
        texts: approximate number of texts of the first mix.

    Returns:
        The sizes of the pruned backbone.

    Raises:
        UnknownNameError: `size` is unknown.
        SettingsError: the backbone is a new model, or see `prune`.

    """
    settings = run.settings
    if not isinstance(settings.backbone, Pretrained):
        raise SettingsError(
            "only a pretrained backbone can be pruned; a new model has random weights",
            where="train.backbone",
            remedy="make the new model smaller, or set a pretrained backbone",
        )
    if size is not None and size not in SIZES:
        raise UnknownNameError("size", size, SIZES, where="--size")
    backbone = build_backbone(settings.backbone, run.tokenizer, max_length=settings.max_length, seed=settings.seed)
    config = backbone.config
    whole = Target(config.num_hidden_layers, config.hidden_size, config.intermediate_size)
    changed = {name: value for name, value in sizes.items() if value is not None}
    target = replace(SIZES[size] if size else whole, **changed)
    encoder = encoder_of(run.tokenizer, max_length=settings.max_length)
    ids = [np.array(encoding.ids, np.int32) for encoding in encoder.encode_batch_fast(_some_texts(run, texts))]
    pruned = prune(backbone, target, Segments(np.concatenate(ids), np.array([len(i) for i in ids], np.int32)))
    pruned.save_pretrained(to)
    run.tokenizer.save_pretrained(to)
    return target
