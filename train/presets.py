"""How exactly the objective is computed, as data: this project's way, and the public trainer's for parity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Preset:
    """One way to compute the same objective.

    Attributes:
        exact_columns: gradient flows into the in-batch columns too. Without it, as when positives are gathered
            from other devices as constants, the in-batch term trains queries only.
        loss_dtype: precision of scores and loss. bfloat16 leaves a handful of distinct values among hundreds of
            scores.
        mask_repeats: repeated and near-duplicate positives are not scored as negatives.
        negatives_per_sample: each sample draws its own negatives; otherwise one draw of positions serves all.

    """

    exact_columns: bool
    loss_dtype: Literal["float32", "bfloat16"]
    mask_repeats: bool
    negatives_per_sample: bool


PRESETS = {
    "default": Preset(exact_columns=True, loss_dtype="float32", mask_repeats=True, negatives_per_sample=True),
    "upstream": Preset(exact_columns=False, loss_dtype="bfloat16", mask_repeats=False, negatives_per_sample=False),
}
"""Neither says whether embedding ranks are sampled: that is `ranks`, and the public configuration leaves it off."""
