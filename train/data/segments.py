"""Texts as one stream of token ids with their lengths: what every encoder takes; nothing is ever padded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from open_ml_embed.core.array_types import I32, I64


@dataclass(frozen=True)
class Segments:
    """Concatenated texts.

    Attributes:
        ids: int32, all token ids one text after the other; no padding among them.
        lengths: int32, tokens of each text; every text has at least one, its last.

    """

    ids: I32
    lengths: I32

    def __len__(self) -> int:
        return len(self.lengths)

    @staticmethod
    def concatenate(parts: Sequence[Segments]) -> Segments:
        """Return the texts of `parts` as one stream."""
        return Segments(np.concatenate([part.ids for part in parts]), np.concatenate([part.lengths for part in parts]))

    def take(self, rows: I64) -> Segments:
        """Return some texts, in the order given."""
        lengths = self.lengths[rows]
        ends = np.cumsum(self.lengths, dtype=np.int64)[rows]
        # Consecutive positions inside a text, shifted to where it starts.
        shift = ends - lengths - (np.cumsum(lengths, dtype=np.int64) - lengths)
        return Segments(self.ids[np.arange(int(lengths.sum())) + np.repeat(shift, lengths)], lengths)
