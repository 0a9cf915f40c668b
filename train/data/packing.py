"""Packed streams: which texts go together, on which process, and how a transformers model is told where each one is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from open_ml_embed.core.array_types import I32, I64


def share_out(lengths: I32, *, tokens: int, processes: int = 1) -> list[list[I64]]:
    """Give every process texts of about as many tokens, in chunks that go through a model one at a time.

    Texts are dealt out from the longest to the shortest, to and fro, so that processes have the same number of them
    and of every length, and as much attention to compute. All have equally many chunks, because a sharded model is
    gathered chunk by chunk; where there are fewer texts than chunks, some are empty.

    Args:
        lengths: tokens of each text.
        tokens: that a chunk may have, give or take a text.
        processes: how many share the texts.

    Returns:
        For every process its chunks, each the indices of its texts, ascending in length, ties in order: texts of
        equal length are neighbors.

    """
    order = np.argsort(lengths, kind="stable")
    turn, at = np.divmod(np.arange(len(order))[::-1], processes)
    owner = np.where(turn % 2, processes - 1 - at, at)
    shares = [order[owner == process] for process in range(processes)]
    count = max(1, -(-max(int(lengths[rows].sum()) for rows in shares) // tokens))
    return [_cut(rows, lengths[rows].astype(np.int64), count) for rows in shares]


def _cut(rows: I64, lengths: I64, count: int) -> list[I64]:
    """Cut into parts of about as many tokens: a text belongs where its middle lies."""
    middle = 2 * np.cumsum(lengths) - lengths
    part = middle * count // max(1, 2 * int(lengths.sum()))
    return np.split(rows, np.searchsorted(part, np.arange(1, count)))


def imbalance(lengths: I32, shares: list[list[I64]]) -> float:
    """Return by how much the fullest process exceeds the mean in tokens, as a share of the mean.

    >>> imbalance(np.array([3, 1], np.int32), [[np.array([0])], [np.array([1])]])
    0.5

    """
    tokens = [sum(int(lengths[rows].sum()) for rows in chunks) for chunks in shares]
    return max(tokens) * len(tokens) / sum(tokens) - 1


@dataclass(frozen=True)
class Packing:
    """The layout of T tokens in N texts. It comes from the lengths alone: no token id is taken for padding.

    Attributes:
        position_ids: int64 (1 × T), from 0 in every text.
        cu_seq_lens: int32 (N + 1), where texts start, and T.
        last: int64 (N), each text's last token.
        longest: tokens of the longest text.

    """

    position_ids: Tensor
    cu_seq_lens: Tensor
    last: Tensor
    longest: int

    @classmethod
    def of(cls, lengths: I32, device: torch.device) -> Packing:
        """Lay texts out one after the other.

        Args:
            lengths: tokens of each text.
            device: where the tensors go.

        """
        ends = np.cumsum(lengths, dtype=np.int64)
        positions = np.arange(int(ends[-1])) - np.repeat(ends - lengths, lengths)
        starts = np.concatenate([[0], ends]).astype(np.int32)
        layout, cuts, last = (torch.from_numpy(a).to(device) for a in (positions[None], starts, ends - 1))
        return cls(layout, cuts, last, int(lengths.max()))

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of a transformers model that attends by `train.model.attention`."""
        return {
            "position_ids": self.position_ids,
            "cu_seq_lens_q": self.cu_seq_lens,
            "cu_seq_lens_k": self.cu_seq_lens,
            "max_length_q": self.longest,
            "max_length_k": self.longest,
        }
