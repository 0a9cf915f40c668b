"""Where the parts of a backbone are, and what differs between decoders and BERT-like encoders.

A decoder (Qwen3, EuroBERT) has its layers in `layers` and a final norm in `norm`; rotary positions count from 0.
ModernBERT, and mmBERT which is one, has the final norm in `final_norm`, and most of its layers attend to a window.
In BERT and RoBERTa, a layer ends with its own norm, so that there is no final one, and positions are a table; that of
RoBERTa and XLM-RoBERTa has the rows of tokens after the row of the padding token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from open_ml_embed.core.errors import SettingsError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

FULL, WINDOWED = "full_attention", "sliding_attention"
EXAMPLES = "Qwen3, EuroBERT, ModernBERT, BERT, RoBERTa or XLM-RoBERTa"
FACTORIZED = "factorized_"
"""What the model types of `open_ml_embed.factorized` begin with."""
BACKBONE, NORM = "backbone.", "norm."
"""What the names of the trainer's state begin with: of the backbone, and of its final norm."""


@dataclass(frozen=True)
class Architecture:
    """The parts of a family of backbones.

    Attributes:
        layers: dotted path of the list of layers.
        norm: name of the final norm; None: every layer ends with a norm of its own.
        attention: types of attention that the layers may have.
        offset_positions: whether positions are counted from the row after the padding token's, and a padding token
            inside a text has that row itself.
        own_heads: whether the size of a head is a setting; otherwise it is the hidden size divided by the heads.
        encoder: whether it is a BERT-like encoder.

    """

    layers: str = "layers"
    norm: str | None = "norm"
    attention: frozenset[str] = frozenset({FULL})
    offset_positions: bool = False
    own_heads: bool = True
    encoder: bool = False


DECODER = Architecture()
MODERNBERT = Architecture(norm="final_norm", attention=frozenset({FULL, WINDOWED}), own_heads=False, encoder=True)
BERT = Architecture(layers="encoder.layer", norm=None, own_heads=False, encoder=True)
ROBERTA = Architecture(layers="encoder.layer", norm=None, offset_positions=True, own_heads=False, encoder=True)
ARCHITECTURES: Mapping[str, Architecture] = {
    "modernbert": MODERNBERT,
    "bert": BERT,
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
}
"""Model type → architecture; others are looked at as decoders (`checked`)."""


def architecture_of(config: PretrainedConfig) -> Architecture:
    """Return the architecture of a transformers configuration."""
    return ARCHITECTURES.get(str(config.model_type).removeprefix(FACTORIZED), DECODER)


def layers_of(backbone: Any) -> nn.ModuleList:
    """Return the layers of a backbone."""
    layers: nn.ModuleList = backbone.get_submodule(architecture_of(backbone.config).layers)
    return layers


def take_norm(backbone: Any) -> nn.Module:
    """Return the final norm of a backbone, and put an identity in its place; an identity if it has none."""
    name = architecture_of(backbone.config).norm
    if name is None:
        return nn.Identity()
    norm: nn.Module = getattr(backbone, name)
    setattr(backbone, name, nn.Identity())
    return norm


def backbone_name(name: str, config: PretrainedConfig) -> str:
    """Return the backbone's name of a tensor in the trainer's state.

    >>> from transformers import ModernBertConfig
    >>> backbone_name("norm.weight", ModernBertConfig()), backbone_name("backbone.layers.0.x", ModernBertConfig())
    ('final_norm.weight', 'layers.0.x')

    """
    if name.startswith(NORM):
        return f"{architecture_of(config).norm}.{name.removeprefix(NORM)}"
    return name.removeprefix(BACKBONE)


def positions_of(config: PretrainedConfig) -> int | None:
    """Return the maximum number of tokens of a text; None if no limit is known."""
    rows: int | None = getattr(config, "max_position_embeddings", None)
    if rows is not None and architecture_of(config).offset_positions:
        rows -= int(config.pad_token_id) + 1
    return rows


def position_ids(ids_T: Tensor, positions_1T: Tensor, config: PretrainedConfig) -> Tensor:
    """Return the positions of a packed stream as the backbone counts them (int64, 1 × T).

    Args:
        ids_T: token ids.
        positions_1T: position of each token in its text, from 0.
        config: configuration of the backbone.

    """
    if not architecture_of(config).offset_positions:
        return positions_1T
    # Transformers counts the tokens up to each one that are not padding, and gives padding tokens the row of padding.
    padding = int(config.pad_token_id)
    real_T = (ids_T != padding).long()
    counts_T = real_T.cumsum(0)
    starts_T = torch.arange(len(ids_T), device=ids_T.device) - positions_1T[0]
    before_T = (counts_T - real_T)[starts_T]
    return ((counts_T - before_T) * real_T + padding)[None]


def set_dropout(backbone: Any, share: float) -> None:
    """Set the dropout of hidden states; attention weights get none, which packed attention on GPUs does not have.

    Raises:
        SettingsError: the backbone has no dropout to set.

    """
    found = False
    for module in backbone.modules():
        # The dropout of attention weights belongs to the module that calls the attention function.
        own = module.dropout if hasattr(module, "is_causal") and hasattr(module, "dropout") else None
        if isinstance(own, nn.Dropout):
            own.p = 0.0
        for part in module.children():
            if isinstance(part, nn.Dropout) and part is not own:
                part.p, found = share, True
    if share and not found:
        raise SettingsError(
            f"{type(backbone).__name__} has no dropout of hidden states",
            where="train.backbone.dropout",
            remedy="set it to 0; BERT, RoBERTa, XLM-RoBERTa and ModernBERT have some",
        )


def checked(model: Any, where: str) -> Any:
    """Return the model if the trainer can use it: its parts are known, its attention is full or windowed as it may be.

    Args:
        model: a transformers model, also on the device `meta`.
        where: the setting that names it, for messages.

    Raises:
        SettingsError: it cannot, for one of these reasons.

    """
    name, config = type(model).__name__, model.config
    kind = architecture_of(config)
    embedding = model.get_input_embeddings()
    embeds = hasattr(embedding, "weight") or hasattr(embedding, "left")
    normed = kind.norm is None or isinstance(getattr(model, kind.norm, None), nn.Module)
    if not embeds or not normed or not _has(model, kind.layers):
        raise SettingsError(
            f"{name} lacks a token embedding, layers or a final norm at the usual place of a decoder",
            where=where,
            remedy=f"use a backbone such as {EXAMPLES}",
        )
    types = set(getattr(config, "layer_types", None) or ())
    if types - kind.attention:
        raise SettingsError(
            f"{name} has layers whose attention is not full: {', '.join(sorted(types))}",
            where=where,
            remedy="use a backbone whose layers all attend to the whole text, or ModernBERT",
        )
    if getattr(config, "attention_dropout", 0.0):
        raise SettingsError(
            f"{name} has attention dropout ({config.attention_dropout}), which packed attention does not support",
            where=where,
            remedy='set "attention_dropout": 0.0 in its config.json',
        )
    if kind.encoder and getattr(config, "is_decoder", False):
        raise SettingsError(
            f"{name} is configured as a decoder", where=where, remedy='set "is_decoder": false in its config.json'
        )
    relative = getattr(config, "position_embedding_type", None) or "absolute"
    if kind.norm is None and relative != "absolute":
        raise SettingsError(
            f"{name} has {relative} positions, which transformers no longer computes",
            where=where,
            remedy="use a backbone with absolute or rotary positions",
        )
    return model


def _has(model: Any, path: str) -> bool:
    try:
        return isinstance(model.get_submodule(path), nn.ModuleList)
    except AttributeError:
        return False
