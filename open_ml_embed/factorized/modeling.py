"""Backbones whose token embedding is stored as two factors, for exports in efficient mode.

They have separate model types. Under the original type, transformers would not find the [vocabulary, hidden size]
table, would initialize a random one, and would only warn. An export in this mode includes this file and `embedding.py`,
so that it also loads without open-ml-embed, with `trust_remote_code=True`.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModel
from transformers.models.bert.configuration_bert import BertConfig
from transformers.models.bert.modeling_bert import BertModel
from transformers.models.modernbert.configuration_modernbert import ModernBertConfig
from transformers.models.modernbert.modeling_modernbert import ModernBertModel
from transformers.models.qwen3.configuration_qwen3 import Qwen3Config
from transformers.models.qwen3.modeling_qwen3 import Qwen3Model
from transformers.models.roberta.configuration_roberta import RobertaConfig
from transformers.models.roberta.modeling_roberta import RobertaModel
from transformers.models.xlm_roberta.configuration_xlm_roberta import XLMRobertaConfig
from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaModel

from .embedding import FactorizedEmbedding  # noqa: TID252 (in an export the two files stand beside each other)


class FactorizedQwen3Config(Qwen3Config):  # type: ignore[no-untyped-call] # transformers'
    """Qwen3's configuration with the rank of the token embedding."""

    model_type = "factorized_qwen3"
    embedding_rank: int = 64


class _Factorized:
    """Mixin that replaces the embedding table by its factors."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)  # type: ignore[call-arg] # the model's, by the order of bases
        rank = config.embedding_rank
        self.set_input_embeddings(  # type: ignore[attr-defined] # the model's
            FactorizedEmbedding(torch.zeros(config.vocab_size, rank), torch.zeros(rank, config.hidden_size))
        )


class FactorizedQwen3Model(_Factorized, Qwen3Model):  # type: ignore[no-untyped-call] # both bases have `__init__`
    """Qwen3 with a factorized token embedding."""

    config_class = FactorizedQwen3Config


class FactorizedModernBertConfig(ModernBertConfig):  # type: ignore[no-untyped-call] # as for Qwen3
    """ModernBERT's configuration with the rank of the token embedding."""

    model_type = "factorized_modernbert"
    embedding_rank: int = 64


class FactorizedModernBertModel(_Factorized, ModernBertModel):  # type: ignore[no-untyped-call] # as for Qwen3
    """ModernBERT with a factorized token embedding."""

    config_class = FactorizedModernBertConfig


class FactorizedBertConfig(BertConfig):  # type: ignore[no-untyped-call] # as for Qwen3
    """BERT's configuration with the rank of the token embedding."""

    model_type = "factorized_bert"
    embedding_rank: int = 64


class FactorizedBertModel(_Factorized, BertModel):  # type: ignore[no-untyped-call] # as for Qwen3
    """BERT with a factorized token embedding."""

    config_class = FactorizedBertConfig


class FactorizedRobertaConfig(RobertaConfig):  # type: ignore[no-untyped-call] # as for Qwen3
    """RoBERTa's configuration with the rank of the token embedding."""

    model_type = "factorized_roberta"
    embedding_rank: int = 64


class FactorizedRobertaModel(_Factorized, RobertaModel):  # type: ignore[no-untyped-call] # as for Qwen3
    """RoBERTa with a factorized token embedding."""

    config_class = FactorizedRobertaConfig


class FactorizedXLMRobertaConfig(XLMRobertaConfig):  # type: ignore[no-untyped-call] # as for Qwen3
    """XLM-RoBERTa's configuration with the rank of the token embedding."""

    model_type = "factorized_xlm-roberta"
    embedding_rank: int = 64


class FactorizedXLMRobertaModel(_Factorized, XLMRobertaModel):  # type: ignore[no-untyped-call] # as for Qwen3
    """XLM-RoBERTa with a factorized token embedding."""

    config_class = FactorizedXLMRobertaConfig


MODELS: dict[str, tuple[Any, Any]] = {
    "qwen3": (FactorizedQwen3Config, FactorizedQwen3Model),
    "modernbert": (FactorizedModernBertConfig, FactorizedModernBertModel),
    "bert": (FactorizedBertConfig, FactorizedBertModel),
    "roberta": (FactorizedRobertaConfig, FactorizedRobertaModel),
    "xlm-roberta": (FactorizedXLMRobertaConfig, FactorizedXLMRobertaModel),
}
"""Model type of a backbone → configuration and model class with a factorized embedding."""

try:
    from transformers.models.eurobert.configuration_eurobert import EuroBertConfig
    from transformers.models.eurobert.modeling_eurobert import EuroBertModel
except ImportError:  # transformers 4 has no EuroBERT of its own
    pass
else:

    class FactorizedEuroBertConfig(EuroBertConfig):  # type: ignore[no-untyped-call] # as for Qwen3
        """EuroBERT's configuration with the rank of the token embedding."""

        model_type = "factorized_eurobert"
        embedding_rank: int = 64

    class FactorizedEuroBertModel(_Factorized, EuroBertModel):  # type: ignore[no-untyped-call] # as for Qwen3
        """EuroBERT with a factorized token embedding."""

        config_class = FactorizedEuroBertConfig

    MODELS["eurobert"] = (FactorizedEuroBertConfig, FactorizedEuroBertModel)


def register() -> None:
    """Register the model types with transformers' auto classes."""
    for config, model in MODELS.values():
        AutoConfig.register(config.model_type, config, exist_ok=True)
        AutoModel.register(config, model, exist_ok=True)
