"""What a language identifier is; backends implement it, the interface chooses one and decides on tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa

from curation.langid.codes import Label
from curation.langid.scripts import Scripts
from open_ml_embed.core.array_types import F32, I32

UNDETERMINED = "und"
"""The code of a text that a model will not name."""
CANDIDATES = 5
"""Answers that backends give which do not heed scripts: the first ones may be in scripts that a text has not."""

ALTERNATIVE = pa.struct([pa.field("code", pa.string()), pa.field("confidence", pa.float32())])
ALTERNATIVES = pa.list_(ALTERNATIVE)

Ranked = tuple[I32, F32]
"""Answers for n texts, the best first: n x k numbers of labels, -1 for none, and the scores they have from 0 to 1."""


class Identifier(Protocol):
    """A loaded model. Models do not pickle: one is made in each worker.

    Labels are as the model means them, folded by nobody; `und` for one that `codes.py` refuses.
    """

    @property
    def labels(self) -> tuple[Label, ...]:
        """What the model can answer, by number; a label has a script where the model tells one."""

    @property
    def claimed(self) -> frozenset[str]:
        """The languages that the model can answer, `und` and `zxx` left out."""

    @property
    def calibration(self) -> str:
        """Which lines of `data/confidence.tsv` turn its scores into confidences; empty: its scores are such."""

    def ranked(self, texts: pa.StringArray, scripts: Scripts, k: int) -> Ranked:
        """Return at least `k` answers for each text, if the model has that many.

        Args:
            texts: n texts, without letters of scripts that are not admitted.
            scripts: which those are; a model may keep to labels in them, `deciding.decide` does in any case.
            k: how many answers are wanted.

        """


def as_ranked(rows: Sequence[Sequence[tuple[int, float]]]) -> Ranked:
    """Return n rows of (label, score), the best first, as arrays."""
    width = max(map(len, rows), default=1) or 1
    numbers, scores = np.full((len(rows), width), -1, np.int32), np.zeros((len(rows), width), np.float32)
    for row, pairs in enumerate(rows):
        for place, (number, score) in enumerate(pairs):
            numbers[row, place], scores[row, place] = number, score
    return numbers, scores
