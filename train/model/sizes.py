"""Sizes of a backbone, read from its configuration without its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from open_ml_embed.core.errors import SettingsError
from train.config import Pretrained, RandomQwen3
from train.model.architectures import EXAMPLES, checked, positions_of
from train.model.stored_weights import stored_factors

if TYPE_CHECKING:
    from transformers import PretrainedConfig


@dataclass(frozen=True)
class Sizes:
    """Sizes of a backbone.

    Attributes:
        hidden: hidden size.
        layers: number of layers.
        vocabulary: rows of the token embedding; None: as many as the tokenizer has tokens.
        parameters: number of parameters, including the token embedding; None for a new model.
        positions: maximum number of tokens of a text; None: no limit is known.
        causal: whether a token attends to those before it only.
        embedding_rank: rank of the factors that the backbone's token embedding is stored as; None: no factors.

    """

    hidden: int
    layers: int
    vocabulary: int | None
    parameters: int | None
    positions: int | None = None
    embedding_rank: int | None = None
    causal: bool = True


def sizes_of(backbone: RandomQwen3 | Pretrained, setting: str = "train.backbone") -> Sizes:
    """Read a backbone's sizes from its configuration alone; `setting` names it in messages.

    Raises:
        SettingsError: there is no configuration, or not that of a text model that the trainer can use.

    """
    if isinstance(backbone, RandomQwen3):
        return Sizes(backbone.hidden_size, backbone.layers, None, None)
    where = f"{setting}.path: {backbone.path}" if setting == "train.backbone" else f"{setting}: {backbone.path}"
    config = _config(backbone, where)
    missing = [name for name in ("hidden_size", "num_hidden_layers", "vocab_size") if not hasattr(config, name)]
    if missing:
        raise SettingsError(
            f"a {config.model_type} configuration has no {missing[0]}",
            where=where,
            remedy=f"use a text model such as {EXAMPLES}",
        )
    rank = getattr(config, "embedding_rank", None)
    if rank is None:
        factors = stored_factors(backbone)
        rank = None if factors is None else factors.rank
    parameters, causal = _meta(config, where)
    return Sizes(
        config.hidden_size,
        config.num_hidden_layers,
        config.vocab_size,
        parameters,
        positions_of(config),
        rank,
        causal,
    )


def _config(backbone: Pretrained, where: str) -> PretrainedConfig:
    from transformers import AutoConfig

    import open_ml_embed.factorized  # noqa: F401 (the model types of exports in efficient mode)

    try:
        found: PretrainedConfig = AutoConfig.from_pretrained(backbone.path, revision=backbone.revision)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"no model: {error}",
            where=where,
            remedy="give a folder with config.json and safetensors, or a Hub repository",
        ) from None
    return found


def _meta(config: PretrainedConfig, where: str) -> tuple[int, bool]:
    """Return the number of parameters, and whether attention is causal.

    Raises:
        SettingsError: the trainer cannot use the model.

    """
    from transformers import AutoModel

    auto: Any = AutoModel
    with torch.device("meta"):
        model = checked(auto.from_config(config), where)
    causal = all(getattr(module, "is_causal", True) for module in model.modules())
    return sum(parameter.numel() for parameter in model.parameters()), causal
