"""Token embeddings: one that is nested in rank, and a plain table with the same interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from open_ml_embed.factorized.embedding import FactorizedEmbedding


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


def nest(backbone: Any, ranks: Sequence[int]) -> Any:
    """Replace the token embedding of a backbone by one that is nested in rank, and return the backbone.

    Args:
        backbone: a transformers model with a vocabulary × hidden size embedding; changed in place.
        ranks: embedding ranks, ascending. With the hidden size as the only rank, the table is kept and nothing is
            nested.

    """
    weight = backbone.get_input_embeddings().weight
    if tuple(ranks) == (weight.shape[1],):
        backbone.set_input_embeddings(PlainEmbedding(weight.detach()))
    else:
        backbone.set_input_embeddings(FactorizedEmbedding.from_weight(weight, ranks[-1]))
    return backbone


def empty_embedding(vocabulary: int, hidden: int, ranks: Sequence[int]) -> TokenEmbedding:
    """Return the embedding that `nest` creates for these sizes; its weights still have to be loaded."""
    if tuple(ranks) == (hidden,):
        return PlainEmbedding(torch.empty(vocabulary, hidden))
    return FactorizedEmbedding(torch.empty(vocabulary, ranks[-1]), torch.empty(ranks[-1], hidden))
