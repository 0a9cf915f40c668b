"""Token embeddings: one that is nested in rank, and the plain table under the same face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from open_ml_embed.factorized.embedding import FactorizedEmbedding


class PlainEmbedding(nn.Module):
    """Token embedding as one table: what `FactorizedEmbedding` is without MEL, its only rank the hidden size.

    Attributes:
        weight: vocabulary × hidden size.
        rank: the hidden size.

    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.rank = weight.shape[1]

    def forward(self, ids: Tensor) -> Tensor:
        """Look tokens up."""
        assert self.rank == self.weight.shape[1]
        return functional.embedding(ids, self.weight)

    @torch.no_grad()
    def product(self, rank: int) -> Tensor:
        """Return the table itself; there is no other rank."""
        assert rank == self.weight.shape[1]
        return self.weight.detach().clone()


TokenEmbedding = FactorizedEmbedding | PlainEmbedding


def nest(backbone: Any, ranks: Sequence[int]) -> Any:
    """Replace the backbone's token embedding by one for these ranks; returns the backbone.

    Args:
        backbone: with a vocabulary × hidden size embedding.
        ranks: ascending. The hidden size alone means that nothing is nested: the table stays as it is.

    """
    weight = backbone.get_input_embeddings().weight
    if tuple(ranks) == (weight.shape[1],):
        backbone.set_input_embeddings(PlainEmbedding(weight.detach()))
    else:
        backbone.set_input_embeddings(FactorizedEmbedding.from_weight(weight, ranks[-1]))
    return backbone


def empty_embedding(vocabulary: int, hidden: int, ranks: Sequence[int]) -> TokenEmbedding:
    """Return the embedding that `nest` makes for these sizes, its weights still to be loaded."""
    if tuple(ranks) == (hidden,):
        return PlainEmbedding(torch.empty(vocabulary, hidden))
    return FactorizedEmbedding(torch.empty(vocabulary, ranks[-1]), torch.empty(ranks[-1], hidden))
