"""The embedding model: a transformers backbone with a nested token embedding that returns states of several layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from open_ml_embed.core.array_types import I64
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.factorized.modeling import MODELS
from train.config import PoolingMode, Pretrained, RandomQwen3
from train.data.packing import Packing, share_out
from train.data.segments import Segments
from train.model import attention
from train.model.architectures import checked, layers_of, position_ids, set_dropout, take_norm
from train.model.embedding import TokenEmbedding, empty_embedding

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerFast


class Embedder(nn.Module):
    """Text encoder over packed streams.

    The final norm, if there is one, is removed from the backbone and applied to the pooled states of all layers. So the
    state of a layer is bit for bit that of a model cut to that depth.

    Attributes:
        layers: depths whose states are returned, ascending.
        chunk_tokens: number of tokens that go through the backbone at once.
        pooling: what becomes the vector of a text: its last token, the mean of its tokens, or its first token.
        autocast: half-precision type of the backbone's arithmetic; None: the type of the weights.

    """

    def __init__(
        self,
        backbone: Any,
        *,
        layers: Sequence[int],
        chunk_tokens: int,
        pooling: PoolingMode = "last",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        assert isinstance(backbone.get_input_embeddings(), TokenEmbedding)
        attention.register()
        backbone.set_attn_implementation(attention.NAME)
        self.norm = take_norm(backbone)
        set_dropout(backbone, dropout)
        if getattr(backbone, "pooler", None) is not None:
            # BERT's pooler is not part of the vector of a text. It stays as it is, so that exports have all weights.
            backbone.pooler.requires_grad_(requires_grad=False)
        self.backbone = backbone
        self.layers, self.chunk_tokens, self.pooling = tuple(layers), chunk_tokens, pooling
        self.autocast: torch.dtype | None = None

    @property
    def embedding(self) -> TokenEmbedding:
        """The token embedding; its `rank` may be set at any time to another of the nested ranks."""
        embedding: TokenEmbedding = self.backbone.get_input_embeddings()
        return embedding

    @property
    def config(self) -> PretrainedConfig:
        """The backbone's transformers configuration, at full depth."""
        config: PretrainedConfig = self.backbone.config
        return config

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return next(self.parameters()).device

    def forward(self, segments: Segments, chunks: Sequence[I64] | None = None) -> Tensor:
        """Encode texts, chunk by chunk.

        Args:
            segments: the texts.
            chunks: indices of the texts to encode (see `share_out`); None: all texts, in chunks of `chunk_tokens`.

        Returns:
            The pooled normed states, layers × texts × hidden size: in the order of the chunks, or with
            `chunks=None` in the order of `segments`.

        """
        if chunks is not None:
            # One context for all chunks: autocast converts each weight once in it, and the chunks share the copy.
            with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
                return torch.cat([self._states(segments, rows) for rows in chunks], dim=1)
        (chunks,) = share_out(segments.lengths, tokens=self.chunk_tokens)
        order = torch.from_numpy(np.argsort(np.concatenate(chunks))).to(self.device)
        return self.forward(segments, chunks).index_select(1, order)

    def _states(self, segments: Segments, rows: I64) -> Tensor:
        # An empty chunk encodes one text and drops the result, because every process has to take part in every pass.
        part = segments.take(rows if len(rows) else np.zeros(1, np.int64))
        packing = Packing.of(part.lengths, self.device)
        ids_T = torch.from_numpy(part.ids).to(self.device)
        output = self.backbone(
            inputs_embeds=self.embedding(ids_T)[None],
            position_ids=position_ids(ids_T, packing.position_ids, self.config),
            output_hidden_states=list(self.layers),
            use_cache=False,
            **packing.arguments,
        )
        states_LNH = self._pooled([output.hidden_states[layer][0] for layer in self.layers], packing)
        return states_LNH[:, : len(rows)]

    def _pooled(self, states_TH: Sequence[Tensor], packing: Packing) -> Tensor:
        """Return the pooled normed states of texts (layers × texts × hidden size) from those of all tokens by layer."""
        wide = torch.promote_types(states_TH[0].dtype, torch.float32)
        if self.pooling == "mean":
            # As in an export, every token is normed before the mean.
            return torch.stack([packing.means(self.norm(states.to(wide))) for states in states_TH])
        at = packing.last if self.pooling == "last" else packing.cu_seq_lens[:-1]
        pooled_LNH: Tensor = self.norm(torch.stack([states[at] for states in states_TH]).to(wide))
        return pooled_LNH

    def compile_layers(self, backend: str = "inductor") -> None:
        """Compile each layer separately, with dynamic lengths, so that one short compilation serves all."""
        for layer in layers_of(self.backbone):
            layer.forward = torch.compile(layer.forward, dynamic=True, backend=backend)


def empty_embedder(
    config: PretrainedConfig,
    *,
    layers: Sequence[int],
    ranks: Sequence[int],
    chunk_tokens: int,
    pooling: PoolingMode = "last",
    dropout: float = 0.0,
) -> Embedder:
    """Return a model of a transformers configuration on the device `meta`; its weights still have to be loaded.

    Buffers, such as the frequencies of position embeddings, are there.

    """
    from accelerate import init_empty_weights
    from transformers import AutoModel

    auto: Any = AutoModel
    with init_empty_weights(include_buffers=False):
        backbone = auto.from_config(config)
        backbone.set_input_embeddings(empty_embedding(config.vocab_size, config.hidden_size, ranks))
        return Embedder(
            checked(backbone, config.model_type),
            layers=layers,
            chunk_tokens=chunk_tokens,
            pooling=pooling,
            dropout=dropout,
        )


def plain_config(config: PretrainedConfig) -> PretrainedConfig:
    """Return the configuration of the backbone's own architecture: that of a factorized model without its rank."""
    if config.model_type not in {kind.model_type for kind, _ in MODELS.values()}:
        return config
    left_out = ("model_type", "architectures", "embedding_rank", "auto_map")
    values = {name: value for name, value in config.to_dict().items() if name not in left_out}
    kind: Any = next(base for base in type(config).__mro__ if base.__module__.startswith("transformers."))
    plain: PretrainedConfig = kind(**values)
    return plain


def backbone_config(
    backbone: RandomQwen3 | Pretrained, tokenizer: PreTrainedTokenizerFast, *, max_length: int
) -> PretrainedConfig:
    """Return the configuration of the backbone; arguments as for `build_backbone`."""
    import transformers

    if isinstance(backbone, Pretrained):
        config: PretrainedConfig = transformers.AutoConfig.from_pretrained(backbone.path, revision=backbone.revision)
        return plain_config(config)
    return transformers.Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=backbone.hidden_size,
        intermediate_size=backbone.intermediate_size,
        num_hidden_layers=backbone.layers,
        num_attention_heads=backbone.heads,
        num_key_value_heads=backbone.kv_heads,
        head_dim=backbone.head_dim,
        max_position_embeddings=max_length,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def build_backbone(
    backbone: RandomQwen3 | Pretrained, tokenizer: PreTrainedTokenizerFast, *, max_length: int, seed: int
) -> Any:
    """Create or load the backbone in float32 on the CPU; an export in efficient mode keeps its factorized embedding.

    Args:
        backbone: the setting `train.backbone`.
        tokenizer: gives the vocabulary size and the special tokens of a new model.
        max_length: maximum number of positions of a new model, in tokens.
        seed: seed of a new model's weights, and of those of a pooler that the backbone's files do not have; the global
            random state is not changed.

    Raises:
        SettingsError: there is no model at the path, its files lack weights, or the trainer cannot use it (see
            `train.model.architectures.checked`).

    """
    from transformers import AutoModel

    auto: Any = AutoModel
    if isinstance(backbone, Pretrained):
        return _loaded(backbone, seed)
    config = backbone_config(backbone, tokenizer, max_length=max_length)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = auto.from_config(config)
    return _scaled(model)


def _loaded(backbone: Pretrained, seed: int) -> Any:
    """Return a pretrained backbone in float32, all of whose weights are those of its files."""
    from transformers import AutoModel

    auto: Any = AutoModel
    where = f"train.backbone.path: {backbone.path}"
    options = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model, report = auto.from_pretrained(backbone.path, revision=backbone.revision, **options)
    except (OSError, ValueError) as error:
        raise SettingsError(f"no model: {error}", where=where) from None
    missing = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise SettingsError(
            f"its files lack {len(missing)} of the weights of {type(model).__name__}, {missing[0]} among them, which "
            "would be random",
            where=where,
            remedy="give the folder or the repository of a whole model",
        )
    return checked(_plain(model), where)


def _plain(model: Any) -> Any:
    """Return a model of the backbone's own architecture with the weights of a possibly factorized model."""
    from accelerate import init_empty_weights
    from transformers import AutoModel

    config = plain_config(model.config)
    if config is model.config:
        return model
    auto: Any = AutoModel
    with init_empty_weights(include_buffers=False):
        plain = auto.from_config(config)
    plain.set_input_embeddings(model.get_input_embeddings())
    plain.load_state_dict(model.state_dict(), assign=True)
    return plain


@torch.no_grad()
def _scaled(model: Any) -> Any:
    """Scale down the output projections of a new model's blocks, by the square root of their number.

    Without it, deep layers of random weights separate texts at random but with large score differences. At a
    temperature of 0.05 the loss then starts far above that of uniform scores, and training collapses to one vector for
    all texts.
    """
    for name, weight in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            weight.div_(math.sqrt(2 * model.config.num_hidden_layers))
    return model
