"""How a number of samples is shared out among sources, by their sizes, weights and a temperature."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from open_ml_embed.core.array_types import F64, I64


def quotas_of(sizes: Mapping[str, int], total: int, weights: Mapping[str, float], temperature: float | None) -> I64:
    """Return how many samples are drawn of each source, int64[sources], in the order of the sources.

    Args:
        sizes: source → samples that there are.
        total: to draw.
        weights: source → factor of its share; 1 for the others, and 0 leaves a source out.
        temperature: a source's share is its size to the power of 1 / `temperature`: 1 draws from all samples alike, a
            larger number takes more of small sources. Null: 1.

    """
    counts = np.fromiter(sizes.values(), np.int64, len(sizes))
    factors = np.array([weights.get(source, 1.0) for source in sizes])
    return shares(counts, factors * counts.astype(np.float64) ** (1 / (temperature or 1.0)), total)


def shares(sizes: I64, weights: F64, total: int) -> I64:
    """Share a total out in proportion to weights; nobody gets more than its size, and what is left over goes on.

    Args:
        sizes: int64[n].
        weights: float64[n], at least 0.
        total: to share out.

    Returns:
        int64[n]; its sum is the smaller of `total` and the sizes that have a weight. Fractions are rounded by largest
        remainder, of equal ones the first.

    >>> shares(np.array([1000, 100, 4]), np.array([10.0, 10.0, 10.0]), 90).tolist()
    [43, 43, 4]

    """
    open_ = (weights > 0) & (sizes > 0)
    quotas = np.zeros(len(sizes), np.int64)
    left = min(total, int(sizes[open_].sum()))
    while open_.any() and left:
        wished = np.zeros(len(sizes))
        wished[open_] = weights[open_] / weights[open_].sum() * left
        full = open_ & (wished >= sizes)
        if not full.any():
            break
        quotas[full] = sizes[full]
        left -= int(sizes[full].sum())
        open_ &= ~full
    if left and open_.any():
        wished = np.zeros(len(sizes))
        wished[open_] = weights[open_] / weights[open_].sum() * left
        quotas += np.where(open_, np.floor(wished).astype(np.int64), 0)
        rest = left - int(np.floor(wished[open_]).sum())
        quotas[np.argsort(np.where(open_, np.floor(wished) - wished, 1.0), kind="stable")[:rest]] += 1
    return quotas
