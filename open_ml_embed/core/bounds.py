"""Bounds of a number, as users set them."""

from __future__ import annotations

import math

import numpy as np
from pydantic import model_validator

from open_ml_embed.core.array_types import Array, Mask
from open_ml_embed.core.section import Section


class Range(Section):
    """Bounds of a number, both included."""

    min: float | None = None
    """Null: no lower bound."""
    max: float | None = None
    """Null: no upper bound."""

    @model_validator(mode="after")
    def _can_be_met(self) -> Range:
        bounds = [bound for bound in (self.min, self.max) if bound is not None]
        if any(math.isnan(bound) for bound in bounds):
            raise ValueError("a bound must be a number")
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise ValueError(f"no number is at least {bounds[0]:g} and at most {bounds[1]:g}")
        return self

    def __bool__(self) -> bool:
        return self.min is not None or self.max is not None

    def __str__(self) -> str:
        words = [f"{word} {bound:g}" for word, bound in (("from", self.min), ("to", self.max)) if bound is not None]
        return " ".join(words)

    def outside(self, values: Array) -> Mask:
        """Return which numbers are out of bounds, bool[n]; NaN never is. Bounds are rounded as the numbers are."""
        out = np.zeros(len(values), np.bool_)
        if self.min is not None:
            out |= values < values.dtype.type(self.min)
        if self.max is not None:
            out |= values > values.dtype.type(self.max)
        return out
