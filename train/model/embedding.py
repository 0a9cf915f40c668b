"""Token embeddings: one that is nested in rank, and a plain table with the same interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from open_ml_embed.factorized.embedding import FactorizedEmbedding
from train.model.stored_weights import Factors


class PlainEmbedding(nn.Module):
    """Token embedding as one table, with the interface of `FactorizedEmbedding`; its only rank is the hidden size.

    Attributes:
        weight: vocabulary × hidden size.
        rank: the hidden size.

    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.rank = weight.shape[1]

    def forward(self, ids: Tensor) -> Tensor:
        """Return the rows of token ids: … → … × hidden size."""
        assert self.rank == self.weight.shape[1]
        return functional.embedding(ids, self.weight)

    @torch.no_grad()
    def product(self, rank: int) -> Tensor:
        """Return a copy of the table; `rank` must be the hidden size."""
        assert rank == self.weight.shape[1]
        return self.weight.detach().clone()


TokenEmbedding = FactorizedEmbedding | PlainEmbedding


def nest(backbone: Any, ranks: Sequence[int], factors: Factors | None = None) -> Any:
    """Replace the token embedding of a backbone by one that is nested in rank, and return the backbone.

    Args:
        backbone: a transformers model with a vocabulary × hidden size embedding, or with a factorized one; changed in
            place.
        ranks: embedding ranks, ascending. With the hidden size as the only rank, the table is kept and nothing is
            nested.
        factors: the factors that the backbone was trained with; None: the table is decomposed.

    Raises:
        StageError: the factors are not those of the table.

    """
    embedding = backbone.get_input_embeddings()
    hidden = backbone.config.hidden_size
    if isinstance(embedding, FactorizedEmbedding):
        if tuple(ranks) == (hidden,):
            backbone.set_input_embeddings(PlainEmbedding(embedding.product(embedding.rank)))
        elif embedding.rank != ranks[-1]:
            left, right = embedding.left.detach()[:, : ranks[-1]], embedding.right.detach()[: ranks[-1]]
            backbone.set_input_embeddings(FactorizedEmbedding(left.contiguous(), right.contiguous()))
    elif tuple(ranks) == (hidden,):
        backbone.set_input_embeddings(PlainEmbedding(embedding.weight.detach()))
    elif factors is not None:
        factors.check(embedding.weight.detach().__getitem__)
        backbone.set_input_embeddings(FactorizedEmbedding(*factors.read(ranks[-1])))
    else:
        backbone.set_input_embeddings(FactorizedEmbedding.from_weight(embedding.weight, ranks[-1]))
    return backbone


def empty_embedding(vocabulary: int, hidden: int, ranks: Sequence[int]) -> TokenEmbedding:
    """Return the embedding that `nest` creates for these sizes; its weights still have to be loaded."""
    if tuple(ranks) == (hidden,):
        return PlainEmbedding(torch.empty(vocabulary, hidden))
    return FactorizedEmbedding(torch.empty(vocabulary, ranks[-1]), torch.empty(ranks[-1], hidden))
