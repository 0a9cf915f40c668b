"""The model: a transformers decoder with a factorised token embedding, read out at several depths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sources.errors import SettingsError
from train.config import Pretrained, RandomQwen3
from train.segments import Segments, rectangle


class Encoder(Protocol):
    """Turns texts into pooled states: all that the loop, the objective and the evaluation know of a model.

    A packed encoder (one stream, attention by segment) or one that caches gradients chunk by chunk takes this place
    without a change elsewhere.
    """

    def __call__(self, segments: Segments) -> Tensor:
        """Return the normed last-token states, layers × texts × hidden size, texts in the order given."""
        ...


class FactorizedEmbedding(nn.Module):
    """Token embedding U·V of which any leading part is an embedding too.

    The product over the vocabulary is never formed: tokens are looked up in U and multiplied by V.

    Attributes:
        left: U, vocabulary × largest rank.
        right: V, largest rank × hidden size.
        rank: how many columns of U and rows of V are used; the loop changes it every step.

    """

    def __init__(self, left: Tensor, right: Tensor) -> None:
        super().__init__()
        self.left, self.right = nn.Parameter(left), nn.Parameter(right)
        self.rank = left.shape[1]

    @classmethod
    def from_weight(cls, weight: Tensor, rank: int) -> FactorizedEmbedding:
        """Factorise a vocabulary × hidden size embedding by its SVD: U·S and V, cut to `rank`."""
        # V and S² of E are the eigenvectors and eigenvalues of EᵀE: hidden × hidden, whatever the vocabulary.
        wide = weight.detach().double()
        _, vectors = torch.linalg.eigh(wide.T @ wide)
        right = vectors.T.flip(0)[:rank]
        # The sign of an eigenvector is the library's whim.
        signs = right.gather(1, right.abs().argmax(1, keepdim=True)).sign()
        right = right * signs
        return cls((wide @ right.T).to(weight.dtype).contiguous(), right.to(weight.dtype).contiguous())

    def forward(self, ids: Tensor) -> Tensor:
        """Look tokens up at the current rank."""
        return functional.embedding(ids, self.left)[..., : self.rank] @ self.right[: self.rank]

    @torch.no_grad()
    def product(self, rank: int) -> Tensor:
        """Return the vocabulary × hidden size embedding of a rank (for export only)."""
        return self.left[:, :rank] @ self.right[:rank]


class Embedder(nn.Module):
    """Encoder over right-padded chunks of texts of like length, on any device.

    The final norm is taken out of the backbone and applied to the pooled rows only, of all layers alike: a layer's
    state is bit for bit that of a model cut to that depth.
    """

    def __init__(self, backbone: Any, *, layers: Sequence[int], chunk_tokens: int) -> None:
        super().__init__()
        assert isinstance(backbone.get_input_embeddings(), FactorizedEmbedding)
        self.norm = backbone.norm
        backbone.norm = nn.Identity()
        self.backbone = backbone
        self.layers, self.chunk_tokens = tuple(layers), chunk_tokens

    @property
    def embedding(self) -> FactorizedEmbedding:
        """The token embedding, whose `rank` may be changed at any time."""
        embedding: FactorizedEmbedding = self.backbone.get_input_embeddings()
        return embedding

    @property
    def config(self) -> Any:
        """The backbone's transformers configuration, at full depth."""
        return self.backbone.config

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.embedding.right.device

    def forward(self, segments: Segments) -> Tensor:
        """Encode texts chunk by chunk (see `Encoder`)."""
        groups = list(segments.chunks(self.chunk_tokens))
        order = np.concatenate(groups)
        ordered = segments.take(order)
        # One lookup for all chunks: its backward pass writes a gradient as large as the embedding table.
        embedded_TH = self.embedding(torch.from_numpy(ordered.ids).to(self.device))
        parts = embedded_TH.split([int(segments.lengths[group].sum()) for group in groups])
        pooled = [self._pooled(part, segments.lengths[group]) for part, group in zip(parts, groups, strict=True)]
        place = torch.from_numpy(np.argsort(order)).to(self.device)
        return torch.cat(pooled, dim=1).index_select(1, place)

    def _pooled(self, embedded_TH: Tensor, lengths: NDArray[np.int32]) -> Tensor:
        """Return the normed last-token states of one chunk (layers × texts × hidden size)."""
        at, mask = (torch.from_numpy(a).to(self.device) for a in rectangle(lengths))
        output = self.backbone(
            inputs_embeds=functional.embedding(at, embedded_TH),
            attention_mask=mask,
            output_hidden_states=list(self.layers),
            use_cache=False,
        )
        last = torch.from_numpy(lengths.astype(np.int64) - 1).to(self.device)
        row = torch.arange(len(last), device=self.device)
        states: Tensor = self.norm(torch.stack([output.hidden_states[layer][row, last] for layer in self.layers]))
        return states


def factorise(backbone: Any, rank: int) -> Any:
    """Replace the backbone's token embedding by its factorisation of a rank; returns the backbone."""
    backbone.set_input_embeddings(FactorizedEmbedding.from_weight(backbone.get_input_embeddings().weight, rank))
    return backbone


def empty_embedder(config: Any, *, layers: Sequence[int], rank: int, chunk_tokens: int) -> Embedder:
    """Return a model of a configuration whose weights are still to be loaded."""
    from transformers import AutoModel

    auto: Any = AutoModel
    backbone = auto.from_config(config)
    left, right = torch.empty(config.vocab_size, rank), torch.empty(rank, config.hidden_size)
    backbone.set_input_embeddings(FactorizedEmbedding(left, right))
    return Embedder(backbone, layers=layers, chunk_tokens=chunk_tokens)


def build_backbone(backbone: RandomQwen3 | Pretrained, tokenizer: Any, *, max_length: int, seed: int) -> Any:
    """Make or load the backbone, float32, on the CPU.

    Args:
        backbone: which.
        tokenizer: its size and special tokens go into a new model's configuration.
        max_length: positions a new model is made for.
        seed: of a new model's weights; the global generator is left as it was.

    Raises:
        SettingsError: the path holds no model, or one whose embedding or final norm is not where decoders have it.

    """
    import transformers

    auto: Any = transformers.AutoModel

    if isinstance(backbone, Pretrained):
        try:
            model = auto.from_pretrained(
                backbone.path, revision=backbone.revision, dtype=torch.float32, use_safetensors=True
            )
        except (OSError, ValueError) as error:
            raise SettingsError(f"no model: {error}", where=f"train.backbone.path: {backbone.path}") from None
        return checked(model, backbone.path)
    config = transformers.Qwen3Config(
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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = auto.from_config(config)
    return _calmed(model)


@torch.no_grad()
def _calmed(model: Any) -> Any:
    """Scale down what each block of a new model writes, by the square root of how many blocks write.

    Otherwise deep layers of random weights tell texts apart at random and surely: at a temperature of 0.05 the loss
    starts far above that of a guess, and training goes the shortest way down, to one vector for every text.
    """
    for name, weight in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            weight.div_(math.sqrt(2 * model.config.num_hidden_layers))
    return model


def checked(model: Any, where: str) -> Any:
    """Return the model if the trainer can read it out, or raise `SettingsError`."""
    weight = getattr(model.get_input_embeddings(), "weight", None)
    if weight is None or not isinstance(getattr(model, "norm", None), nn.Module) or not hasattr(model, "layers"):
        raise SettingsError(
            f"{type(model).__name__} has no token embedding, layers and final norm as decoders do",
            where=where,
            remedy="use a decoder such as Qwen3",
        )
    return model
