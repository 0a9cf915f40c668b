"""The form of the objective, as data: what is nested, what a term weighs, and how exactly it is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from train.config import Distillation, Objective


@dataclass(frozen=True)
class Preset:
    """One way to compute the same objective: this project's, or the public trainer's for parity.

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


@dataclass(frozen=True)
class Form:
    """Everything about the objective that is not data.

    Attributes:
        dims: prefix dimensions, ascending, the last being the hidden size.
        dim_weights: factor of each prefix's loss.
        layer_weights: factor of each trained layer's loss; they add up to 1.
        temperature: scores are divided by it.
        preset: how exactly it is computed.
        bidirectional: the in-batch term asks from the positives' side too; the mean of both.
        same_side: in-batch, queries are negatives of queries, and documents of documents.
        distillation: what a teacher adds, if there is one.

    """

    dims: tuple[int, ...]
    dim_weights: tuple[float, ...]
    layer_weights: tuple[float, ...]
    temperature: float
    preset: Preset
    bidirectional: bool
    same_side: bool
    distillation: Distillation | None

    @classmethod
    def of(cls, objective: Objective, *, dims: Sequence[int], layers: Sequence[int]) -> Form:
        """Return what the settings say for a model of these prefix dimensions and trained layers."""
        by_dim, by_layer = objective.dims, objective.layers
        given = [by_layer[layer] if isinstance(by_layer, dict) else 1.0 for layer in layers]
        return cls(
            dims=tuple(dims),
            dim_weights=tuple(by_dim[dim] for dim in dims) if isinstance(by_dim, dict) else dim_weights(dims),
            layer_weights=tuple(weight / sum(given) for weight in given),
            temperature=objective.temperature,
            preset=PRESETS[objective.preset],
            bidirectional=objective.bidirectional,
            same_side=objective.same_side,
            distillation=objective.distillation,
        )


def dim_weights(dims: Sequence[int]) -> tuple[float, ...]:
    """Return the weight of each prefix, ascending: 1 / (k · sqrt(h / d)), k = 1 for the largest.

    >>> [round(weight, 4) for weight in dim_weights([8, 16, 32])]
    [0.1667, 0.3536, 1.0]

    """
    return tuple(1 / ((len(dims) - i) * math.sqrt(dims[-1] / dim)) for i, dim in enumerate(dims))
