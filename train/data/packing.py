"""Sequence packing: distribute texts over processes and chunks, and describe a packed chunk to transformers models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from open_ml_embed.core.array_types import I32, I64
from open_ml_embed.core.ragged import offsets_of


def share_out(lengths: I32, *, tokens: int, processes: int = 1) -> list[list[I64]]:
    """Distribute texts over processes, with about equally many tokens each, in chunks that are encoded one at a time.

    Texts are dealt in order of decreasing length, with alternating direction, so that all processes get about as many
    texts of every length and about the same attention cost. All processes get the same number of chunks, because a
    sharded model is gathered chunk by chunk; with fewer texts than chunks, some chunks are empty.

    Args:
        lengths: int32, tokens of each text.
        tokens: tokens per chunk, exceeded or missed by at most about one text.
        processes: number of processes.

    Returns:
        For every process its chunks; a chunk is an int64 array of indices of texts, in ascending length and then in
        order, so that texts of equal length are neighbors.

    """
    order = np.argsort(lengths, kind="stable")
    turn, at = np.divmod(np.arange(len(order))[::-1], processes)
    owner = np.where(turn % 2, processes - 1 - at, at)
    shares = [order[owner == process] for process in range(processes)]
    count = max(1, -(-max(int(lengths[rows].sum()) for rows in shares) // tokens))
    return [_cut(rows, lengths[rows].astype(np.int64), count) for rows in shares]


def _cut(rows: I64, lengths: I64, count: int) -> list[I64]:
    """Cut `rows` into `count` parts of about equally many tokens; the middle of a text decides which part it is in."""
    middle = 2 * np.cumsum(lengths) - lengths
    part = middle * count // max(1, 2 * int(lengths.sum()))
    return np.split(rows, np.searchsorted(part, np.arange(1, count)))


def imbalance(lengths: I32, shares: list[list[I64]]) -> float:
    """Return the excess of the fullest process over the mean number of tokens, as a share of the mean.

    >>> imbalance(np.array([3, 1], np.int32), [[np.array([0])], [np.array([1])]])
    0.5

    """
    tokens = [sum(int(lengths[rows].sum()) for rows in chunks) for chunks in shares]
    return max(tokens) * len(tokens) / sum(tokens) - 1


@dataclass(frozen=True)
class Packing:
    """Positions and boundaries of N texts in a packed stream of T tokens, without padding.

    Attributes:
        position_ids: int64 (1 × T), position of each token in its text, from 0.
        cu_seq_lens: int32 (N + 1), cumulative lengths: the start of each text, and T.
        last: int64 (N), index of the last token of each text.
        longest: tokens of the longest text.

    """

    position_ids: Tensor
    cu_seq_lens: Tensor
    last: Tensor
    longest: int

    @classmethod
    def of(cls, lengths: I32, device: torch.device) -> Packing:
        """Return the packing of texts of given lengths.

        Args:
            lengths: int32 (N), tokens of each text.
            device: device of the tensors.

        """
        offsets = offsets_of(lengths)
        ends = offsets[1:]
        positions = np.arange(int(ends[-1])) - np.repeat(ends - lengths, lengths)
        starts = offsets.astype(np.int32)
        position_ids, cuts, last = (torch.from_numpy(a).to(device) for a in (positions[None], starts, ends - 1))
        return cls(position_ids, cuts, last, int(lengths.max()))

    def means(self, states_TH: Tensor) -> Tensor:
        """Return the mean over the tokens of each text (texts × hidden size)."""
        lengths_N = self.cu_seq_lens.diff()
        text_T = torch.repeat_interleave(torch.arange(len(self.last), device=states_TH.device), lengths_N)
        sums_NH = states_TH.new_zeros(len(self.last), states_TH.shape[1]).index_add(0, text_T, states_TH)
        return sums_NH / lengths_N[:, None]

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for the attention of `train.model.attention`; a model needs positions besides."""
        return {
            "cu_seq_lens_q": self.cu_seq_lens,
            "cu_seq_lens_k": self.cu_seq_lens,
            "max_length_q": self.longest,
            "max_length_k": self.longest,
        }
