"""What a model's score is worth: how often an answer with that score, in a text of so many letters, is right.

Confidence is `sigmoid(level + slope * logit(score) + length * ln(min(letters, ENOUGH))) * (1 - exp(-letters / reach))`:
Platt scaling (Platt 1999, Probabilistic outputs for support vector machines) with a term for the length, under a
ceiling that few letters do not pass. A model says 0.99 to one word as to a sentence, and is right far less often about
the word. No confidence is above the score: of long texts in the languages it has a model is right more often than it
says, but it says as much of languages that it has not. `slope` and `length` are not negative and `reach` is positive,
so confidence never falls where the score or the number of letters rises. The coefficients are measured for each
backend and group of scripts (`python -m tools.langid calibrate`) and stand in `data/confidence.tsv`.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from curation.langid.deciding import ANSWERED
from open_ml_embed.core.array_types import F32, F64, I16, I32

Floats = F64

TABLE = Path(__file__).parent / "data" / "confidence.tsv"
COEFFICIENTS = ("level", "slope", "length", "reach")
FIELDS = ("backend", "scripts", *COEFFICIENTS, "answers")
ENOUGH = 64
"""Letters beyond which more of them make no difference."""
SHORT = 12
"""Letters from which on a text speaks for itself. In a shorter one languages count by their size too
(`model.PRIOR`), an answer that is not sure enough is withheld, and no answer overrules what a source declares."""
LEAST = 0.3
"""Confidence below which the answer for a short text is `und`: in steps of 0.05 the highest value at which macro F1
falls in no domain (`benchmarks/langid.py`)."""
SUREST = 1e-4
"""Scores are read as this far from 0 and 1 at least."""
GROUPS = {"Latn": "Latn", "Cyrl": "Cyrl", "Arab": "Arab", "Deva": "Deva", "Hani": "Han", "Jpan": "Han"}
"""Scripts that many languages share are measured apart, the others together."""
OTHERS = "others"
GROUP_NAMES = (*dict.fromkeys(GROUPS.values()), OTHERS)
GROUP_OF = np.array([GROUP_NAMES.index(GROUPS.get(script, OTHERS)) for script in ANSWERED], np.int8)
"""Number in `GROUP_NAMES` of each script in `deciding.ANSWERED`."""


@dataclass(frozen=True)
class Curve:
    """The coefficients of one group of scripts, and how many answers they were measured on."""

    level: float
    slope: float
    length: float
    reach: float
    answers: int = 0


def on_curve(score: Floats, letters: Floats, coefficients: Sequence[Floats] | Floats) -> Floats:
    """Return the confidence of answers; all arguments as arrays of n or that broadcast to n, in one type."""
    level, slope, length, reach = coefficients
    inside = np.clip(score, SUREST, 1 - SUREST)
    size = np.clip(letters, 1, ENOUGH)
    margin = level + slope * np.log(inside / (1 - inside)) + length * np.log(size)
    found: Floats = np.minimum(score, -np.expm1(-size / reach) / (1 + np.exp(-margin)))
    return found


def confidence(score: F32, letters: I32, script: I16, backend: str) -> F32:
    """Return the confidence of n answers; 0 stays 0.

    Args:
        score: float32, n; the model's, from 0 to 1.
        letters: int32, n; in the scripts that the text's language may be written in.
        script: int16, n; numbers in `deciding.ANSWERED`.
        backend: whose lines of the table count; empty: scores are confidences already.

    """
    if not backend:
        return score.astype(np.float32)
    curves = coefficients(TABLE)[backend][:, GROUP_OF[script]]
    found = on_curve(score.astype(np.float64), letters.astype(np.float64), curves)
    return np.where(score > 0, found, 0).astype(np.float32)


@cache
def coefficients(path: Path) -> dict[str, Floats]:
    """Return `COEFFICIENTS` (rows) of each group of scripts (columns), by backend."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file, delimiter="\t"))
    shape = (len(COEFFICIENTS), len(GROUP_NAMES))
    table = {line["backend"]: np.zeros(shape) for line in lines}
    for line in lines:
        values = [float(line[name]) for name in COEFFICIENTS]
        table[line["backend"]][:, GROUP_NAMES.index(line["scripts"])] = values
    return table
