"""Texts as one stream of token ids and their lengths, without padding; the input of every encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from open_ml_embed.core.array_types import I32, I64


@dataclass(frozen=True)
class Segments:
    """Concatenated token ids of N texts.

    Attributes:
        ids: int32 (T), the token ids of all texts, one text after the other, without padding.
        lengths: int32 (N), tokens of each text; at least one, as every text ends with the end-of-text token.

    """

    ids: I32
    lengths: I32

    def __len__(self) -> int:
        return len(self.lengths)

    @staticmethod
    def concatenate(parts: Sequence[Segments]) -> Segments:
        """Return the texts of all parts as one stream."""
        return Segments(np.concatenate([part.ids for part in parts]), np.concatenate([part.lengths for part in parts]))

    def take(self, rows: I64) -> Segments:
        """Return the texts at `rows`, in that order."""
        lengths = self.lengths[rows]
        ends = np.cumsum(self.lengths, dtype=np.int64)[rows]
        # Index of each token in `self.ids`: its index in the result, plus the distance between the text's two starts.
        shift = ends - lengths - (np.cumsum(lengths, dtype=np.int64) - lengths)
        return Segments(self.ids[np.arange(int(lengths.sum())) + np.repeat(shift, lengths)], lengths)
