"""The configuration of the objective: what is nested, the weight of each term, and the precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from train.config import Distillation, Objective


@dataclass(frozen=True)
class Preset:
    """A variant of the objective: that of this project, or that of the public trainer for parity.

    Attributes:
        exact_columns: whether gradients flow into the in-batch columns. Without it, the in-batch term trains the
            queries only, as when positives are gathered from other devices as constants.
        loss_dtype: precision of scores and loss. In bfloat16, hundreds of scores take only a handful of distinct
            values.
        mask_repeats: whether repeated and near-duplicate positives are masked as negatives.
        negatives_per_sample: whether each sample draws its own negatives; otherwise one draw of positions serves all.

    """

    exact_columns: bool
    loss_dtype: Literal["float32", "bfloat16"]
    mask_repeats: bool
    negatives_per_sample: bool


PRESETS = {
    "default": Preset(exact_columns=True, loss_dtype="float32", mask_repeats=True, negatives_per_sample=True),
    "upstream": Preset(exact_columns=False, loss_dtype="bfloat16", mask_repeats=False, negatives_per_sample=False),
}
"""Neither preset decides whether embedding ranks are sampled (see `ranks`); the public configuration does not."""


@dataclass(frozen=True)
class Form:
    """All parameters of the objective.

    Attributes:
        dims: prefix dimensions, ascending; the last is the hidden size.
        dim_weights: weight of each prefix's loss.
        layer_weights: weight of each trained layer's loss; they add up to 1.
        temperature: scores are divided by it.
        preset: variant of the computation.
        bidirectional: whether the in-batch term is the mean over both directions, query to positive and back.
        same_side: whether other queries are in-batch negatives of a query, and other positives of a positive.
        distillation: settings of the teacher; None: no teacher.

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
        """Return the form for settings and a model with these prefix dimensions and trained layers."""
        by_dim, by_layer = objective.dims, objective.layers
        weights = [by_layer[layer] if isinstance(by_layer, dict) else 1.0 for layer in layers]
        return cls(
            dims=tuple(dims),
            dim_weights=tuple(by_dim[dim] for dim in dims) if isinstance(by_dim, dict) else dim_weights(dims),
            layer_weights=tuple(weight / sum(weights) for weight in weights),
            temperature=objective.temperature,
            preset=PRESETS[objective.preset],
            bidirectional=objective.bidirectional,
            same_side=objective.same_side,
            distillation=objective.distillation,
        )


def dim_weights(dims: Sequence[int]) -> tuple[float, ...]:
    """Return the weight of each prefix of ascending dims: 1 / (k · √(h / d)), where k counts from 1 at the largest.

    >>> [round(weight, 4) for weight in dim_weights([8, 16, 32])]
    [0.1667, 0.3536, 1.0]

    """
    return tuple(1 / ((len(dims) - i) * math.sqrt(dims[-1] / dim)) for i, dim in enumerate(dims))
