"""The protocol of language identifiers, which backends implement and `interface` calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa

from curation.langid.codes import Label
from curation.langid.scripts import Scripts
from open_ml_embed.core.array_types import F32, I32

UNDETERMINED = "und"
"""The code of a text whose language the model does not determine."""
CANDIDATES = 5
"""Number of answers from backends that ignore scripts, because the best ones may be in scripts that the text lacks."""

ALTERNATIVE = pa.struct([pa.field("code", pa.string()), pa.field("confidence", pa.float32())])
ALTERNATIVES = pa.list_(ALTERNATIVE)

Ranked = tuple[I32, F32]
"""The k best answers for n texts, best first: label numbers int32[n, k], -1 for none; scores float32[n, k], 0 to 1."""


class Identifier(Protocol):
    """A loaded model. Models cannot be pickled, so each worker loads its own.

    Labels are parsed but not folded; a label that `curation.langid.codes` refuses is `und`.
    """

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels that the model can answer, by number; a label has a script if the model distinguishes scripts."""

    @property
    def claimed(self) -> frozenset[str]:
        """The languages that the model can answer, without `und` and `zxx`."""

    @property
    def calibration(self) -> str:
        """Backend in `data/confidence.tsv` whose coefficients calibrate the scores; empty if scores are confidences."""

    def ranked(self, texts: pa.StringArray, scripts: Scripts, k: int) -> Ranked:
        """Return at least `k` answers for each text, if the model has that many.

        Args:
            texts: n texts, without the letters of scripts that are not admitted.
            scripts: the admitted scripts. A model may restrict its labels to them; `deciding.decide` does so anyway.
            k: number of answers.

        """


def as_ranked(rows: Sequence[Sequence[tuple[int, float]]]) -> Ranked:
    """Convert n rows of (label number, score), best first, to arrays."""
    width = max(map(len, rows), default=1) or 1
    numbers, scores = np.full((len(rows), width), -1, np.int32), np.zeros((len(rows), width), np.float32)
    for row, pairs in enumerate(rows):
        for place, (number, score) in enumerate(pairs):
            numbers[row, place], scores[row, place] = number, score
    return numbers, scores
