"""Calibration of scores: the confidence is how often an answer with this score and text length is right.

Confidence is `sigmoid(level + slope * logit(score) + length * ln(min(letters, ENOUGH))) * (1 - exp(-letters / reach))`:
Platt scaling (Platt 1999, Probabilistic outputs for support vector machines) with a term for the text's length, and an
upper bound for texts of few letters. The length matters because a model may give 0.99 to a word as to a sentence, and
is right far less often for the word. The confidence never exceeds the score. For long texts in languages that a model
knows, it is right more often than its score, but it gives equally high scores to languages that it does not know.
`slope` and `length` are not negative and `reach` is positive, so the confidence never decreases when the score or the
number of letters increases. The coefficients are measured for each backend and group of scripts
(`python -m tools.langid calibrate`) and are in `data/confidence.tsv`.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from curation.langid.deciding import ANSWERED
from curation.langid.identity import TABLE
from open_ml_embed.core.array_types import F32, F64, I16, I32

Floats = F64

COEFFICIENTS = ("level", "slope", "length", "reach")
FIELDS = ("backend", "scripts", *COEFFICIENTS, "answers")
ENOUGH = 64
"""Number of letters above which the length makes no difference."""
SHORT = 12
"""Number of letters below which a text is short. For a short text the model also uses a prior by language size
(`model.PRIOR`), an answer of low confidence becomes `und`, and no answer overrules the declared language."""
LEAST = 0.3
"""Confidence below which the answer for a short text is `und`. In steps of 0.05, it is the highest value that lowers
macro F1 in no domain (`benchmarks/langid.py`)."""
SUREST = 1e-4
"""Scores are clipped to this distance from 0 and 1."""
GROUPS = {"Latn": "Latn", "Cyrl": "Cyrl", "Arab": "Arab", "Deva": "Deva", "Hani": "Han", "Jpan": "Han"}
"""Script → group of scripts. Scripts that many languages use have their own coefficients; all others share `OTHERS`."""
OTHERS = "others"
GROUP_NAMES = (*dict.fromkeys(GROUPS.values()), OTHERS)
GROUP_OF = np.array([GROUP_NAMES.index(GROUPS.get(script, OTHERS)) for script in ANSWERED], np.int8)
"""Index into `GROUP_NAMES` for each script in `deciding.ANSWERED`, int8."""


@dataclass(frozen=True)
class Curve:
    """The coefficients of one group of scripts, and the number of answers that they were fitted to."""

    level: float
    slope: float
    length: float
    reach: float
    answers: int = 0


def on_curve(score: Floats, letters: Floats, coefficients: Sequence[Floats] | Floats) -> Floats:
    """Return the confidence of answers; see the module for the formula.

    Args:
        score: float64[n], the model's scores from 0 to 1.
        letters: float64[n], numbers of letters.
        coefficients: `COEFFICIENTS`, each a float64[n] or a value that broadcasts to n.

    Returns:
        float64[n].

    """
    level, slope, length, reach = coefficients
    inside = np.clip(score, SUREST, 1 - SUREST)
    size = np.clip(letters, 1, ENOUGH)
    margin = level + slope * np.log(inside / (1 - inside)) + length * np.log(size)
    result: Floats = np.minimum(score, -np.expm1(-size / reach) / (1 + np.exp(-margin)))
    return result


def confidence(score: F32, letters: I32, script: I16, backend: str) -> F32:
    """Return the confidence of n answers, float32[n]; a score of 0 has confidence 0.

    Args:
        score: float32[n], the model's scores from 0 to 1.
        letters: int32[n], letters in the scripts that the text's language may be written in.
        script: int16[n], indices into `deciding.ANSWERED`.
        backend: the backend whose coefficients to use; empty if the scores are confidences already.

    """
    if not backend:
        return score.astype(np.float32)
    curves = coefficients(TABLE)[backend][:, GROUP_OF[script]]
    calibrated = on_curve(score.astype(np.float64), letters.astype(np.float64), curves)
    return np.where(score > 0, calibrated, 0).astype(np.float32)


@cache
def coefficients(path: Path) -> dict[str, Floats]:
    """Return backend → float64[COEFFICIENTS, GROUP_NAMES], read from a table."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file, delimiter="\t"))
    shape = (len(COEFFICIENTS), len(GROUP_NAMES))
    table = {line["backend"]: np.zeros(shape) for line in lines}
    for line in lines:
        values = [float(line[name]) for name in COEFFICIENTS]
        table[line["backend"]][:, GROUP_NAMES.index(line["scripts"])] = values
    return table
