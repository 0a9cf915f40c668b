"""Token embedding with nested ranks (MEL, matryoshka embedding learning, of the ML-Embed paper)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

ROWS = 1 << 14
"""Rows of an embedding that are decomposed at once."""


class FactorizedEmbedding(nn.Module):
    """Token embedding U·V in which the first r columns of U and rows of V are an embedding for every rank r (MEL).

    The full product is never computed in training: tokens are looked up in U and multiplied by V. Gradients are dense,
    because AdamW updates every row at every step, whether its token occurred or not.

    Attributes:
        left: U, [vocabulary, largest rank].
        right: V, [largest rank, hidden size].
        rank: number of columns of U and rows of V in use; the training loop changes it every step.

    """

    def __init__(self, left: Tensor, right: Tensor) -> None:
        super().__init__()
        self.left, self.right = nn.Parameter(left), nn.Parameter(right)
        self.rank = left.shape[1]

    @classmethod
    def from_weight(cls, weight: Tensor, rank: int) -> FactorizedEmbedding:
        """Factorize an embedding by its truncated SVD: U·S and V, cut to `rank`.

        Args:
            weight: [vocabulary, hidden size], of any floating type; the factors get the same type.
            rank: largest rank.

        """
        # V and S² of E are the eigenvectors and eigenvalues of EᵀE, which is only [hidden, hidden]. Only some rows are
        # in float64 at once.
        rows = torch.split(weight.detach(), ROWS)
        gram = torch.zeros((weight.shape[1],) * 2, dtype=torch.float64, device=weight.device)
        for block in rows:
            gram.addmm_(block.double().T, block.double())
        _, vectors = torch.linalg.eigh(gram)
        right = vectors.T.flip(0)[:rank]
        # The sign of an eigenvector is arbitrary; fix it so that results are reproducible.
        signs = right.gather(1, right.abs().argmax(1, keepdim=True)).sign()
        right = right * signs
        left = torch.cat([(block.double() @ right.T).to(weight.dtype) for block in rows])
        return cls(left, right.to(weight.dtype).contiguous())

    def forward(self, ids: Tensor) -> Tensor:
        """Return the embeddings of token ids of any shape at the current rank: [..., hidden size]."""
        return functional.embedding(ids, self.left)[..., : self.rank] @ self.right[: self.rank]

    @torch.no_grad()
    def product(self, rank: int) -> Tensor:
        """Return the full embedding at a rank, [vocabulary, hidden size]; for export only."""
        return self.left[:, :rank] @ self.right[:rank]
