"""The token embedding that is nested in rank (MEL: ML-Embed's matryoshka embedding learning)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class FactorizedEmbedding(nn.Module):
    """Token embedding U·V of which any leading part is an embedding too (MEL).

    The product over the vocabulary is never formed: tokens are looked up in U and multiplied by V. Gradients are dense,
    because AdamW moves every row at every step, seen or not.

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
        """Factorize a vocabulary × hidden size embedding by its SVD: U·S and V, cut to `rank`."""
        # V and S² of E are the eigenvectors and eigenvalues of EᵀE: hidden × hidden, whatever the vocabulary.
        wide = weight.detach().double()
        _, vectors = torch.linalg.eigh(wide.T @ wide)
        right = vectors.T.flip(0)[:rank]
        # The sign of an eigenvector is arbitrary; fix it so that results are reproducible.
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
