"""A finished model at any of its nested sizes, with the interface of sentence-transformers that MTEB calls.

One pass through the backbone gives the states of all layers. The vectors of a text at every layer are kept until the
next `forget`, so further cuts of the same rank cost no pass of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from open_ml_embed.core.array_types import F32
from open_ml_embed.core.hashing import digest
from train.data.segments import Segments
from train.data.tokenizer import encoder_of
from train.export.export import Cut
from train.model.embedder import Embedder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BLOCK = 4096
"""Texts that are encoded at once."""
KEPT_BYTES = 4 << 30
"""Memory for states that are kept; what does not fit is encoded again for every cut."""


@dataclass
class NestedModel:
    """Encodes texts at `cut`.

    Attributes:
        embedder: the model, in evaluation mode.
        tokenizer: ends texts itself.
        cuts: the cuts that will be asked for; their layers are computed together.
        prompts: by name, text that is put before a text.
        passes: texts that went through the backbone so far.

    """

    embedder: Embedder
    tokenizer: PreTrainedTokenizerFast
    cuts: Sequence[Cut]
    prompts: dict[str, str] = field(default_factory=dict)
    passes: int = 0

    def __post_init__(self) -> None:
        self.cut = self.cuts[0]
        self._layers = sorted({cut.layers for cut in self.cuts})
        self._dim = max(cut.dim for cut in self.cuts)
        self.embedder.layers = tuple(self._layers)
        self._encoder = encoder_of(self.tokenizer, max_length=self.tokenizer.model_max_length)
        self._kept: dict[str, F32] = {}
        self._kept_bytes = 0

    def forget(self) -> None:
        """Drop the states that are kept."""
        self._kept, self._kept_bytes = {}, 0

    def encode(
        self,
        inputs: Sequence[str],
        prompt_name: str | None = None,
        prompt: str | None = None,
        *,
        convert_to_tensor: bool = False,
        **_: Any,
    ) -> F32 | Tensor:
        """Return the vectors of texts at the present cut, float32 (texts × dimensions), of unit length."""
        before = prompt or self.prompts.get(prompt_name or "", "")
        states_LNH = self._states([before + text for text in inputs])
        vectors = torch.from_numpy(states_LNH[self._layers.index(self.cut.layers), :, : self.cut.dim])
        unit = torch.nn.functional.normalize(vectors, dim=1)
        if convert_to_tensor:
            return unit.to(self.embedder.device)
        array: F32 = unit.numpy()
        return array

    def encode_query(self, inputs: Sequence[str], prompt: str | None = None, **options: Any) -> F32 | Tensor:
        """Return the vectors of queries; see `encode`."""
        return self.encode(inputs, "query", prompt, **options)

    def encode_document(self, inputs: Sequence[str], prompt: str | None = None, **options: Any) -> F32 | Tensor:
        """Return the vectors of documents; see `encode`."""
        return self.encode(inputs, "document", prompt, **options)

    def similarity(self, left: F32 | Tensor, right: F32 | Tensor) -> Tensor:
        """Return the cosines of all pairs, float32 (left × right)."""
        return _unit(left) @ _unit(right).T

    def similarity_pairwise(self, left: F32 | Tensor, right: F32 | Tensor) -> Tensor:
        """Return the cosine of each vector with the one at its place on the other side."""
        return (_unit(left) * _unit(right)).sum(-1)

    def _states(self, texts: list[str]) -> F32:
        """Return the states at all layers (layers × texts × largest dimension of the cuts)."""
        key = digest([self.cut.rank, texts])
        if key in self._kept:
            return self._kept[key]
        self.embedder.embedding.rank = self.cut.rank
        found: F32 = np.empty((len(self._layers), len(texts), self._dim), np.float32)
        for first in range(0, len(texts), BLOCK):
            block = texts[first : first + BLOCK]
            found[:, first : first + len(block)] = self._forward(block)
        if self._kept_bytes + found.nbytes <= KEPT_BYTES and len(self.cuts) > 1:
            self._kept[key] = found
            self._kept_bytes += found.nbytes
        return found

    @torch.no_grad()
    def _forward(self, texts: list[str]) -> F32:
        encoded = self._encoder.encode_batch(texts)
        ids = [np.array(encoding.ids, np.int32) for encoding in encoded]
        segments = Segments(np.concatenate(ids), np.array([len(some) for some in ids], np.int32))
        self.passes += len(texts)
        states: F32 = self.embedder(segments)[:, :, : self._dim].float().cpu().numpy()
        return states


def _unit(vectors: F32 | Tensor) -> Tensor:
    return torch.nn.functional.normalize(torch.as_tensor(vectors).float(), dim=-1)
