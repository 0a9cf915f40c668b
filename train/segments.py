"""Texts as one stream of token ids with their lengths: what every encoder takes, padded or packed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Segments:
    """Concatenated texts.

    Attributes:
        ids: int32, all token ids one text after the other; no padding among them.
        lengths: int32, tokens of each text; every text has at least one, its last.

    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.lengths)

    @staticmethod
    def concatenate(parts: Sequence[Segments]) -> Segments:
        """Return the texts of `parts` as one stream."""
        return Segments(np.concatenate([part.ids for part in parts]), np.concatenate([part.lengths for part in parts]))

    def chunks(self, tokens: int) -> Iterator[NDArray[np.int64]]:
        """Cut into groups of like length for a padded forward pass: little padding, bounded memory.

        Args:
            tokens: padded tokens (texts × longest text) a group may have; a longer text is alone in its group.

        Yields:
            Indices of texts, ascending in length, ties in order.

        """
        order = np.argsort(self.lengths, kind="stable")
        sizes = self.lengths[order].astype(np.int64)
        first = 0
        while first < len(order):
            last = first + 1
            while last < len(order) and (last + 1 - first) * sizes[last] <= tokens:
                last += 1
            yield order[first:last]
            first = last

    def padding(self, tokens: int) -> float:
        """Return the share of padding in the chunks of that size."""
        padded = sum(int(self.lengths[rows[-1]]) * len(rows) for rows in self.chunks(tokens))
        return 1 - len(self.ids) / padded if padded else 0.0

    def take(self, rows: NDArray[np.int64]) -> Segments:
        """Return some texts, in the order given."""
        lengths = self.lengths[rows]
        ends = np.cumsum(self.lengths, dtype=np.int64)[rows]
        # Consecutive positions inside a text, shifted to where it starts.
        shift = ends - lengths - (np.cumsum(lengths, dtype=np.int64) - lengths)
        return Segments(self.ids[np.arange(int(lengths.sum())) + np.repeat(shift, lengths)], lengths)


def rectangle(lengths: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lay consecutive texts out as rows, padded on the right.

    Args:
        lengths: tokens of each text.

    Returns:
        Positions in the stream and mask (1 on text), both int64, texts × longest. The mask comes from the lengths:
        no token is taken for padding because of its id. Padding has some position of the stream, never used.

    """
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    column = np.arange(int(lengths.max()))
    mask = column[None, :] < lengths[:, None]
    return np.where(mask, starts[:, None] + column[None, :], 0), mask.astype(np.int64)
