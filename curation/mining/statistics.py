"""Statistics of negatives for the report, counted for each shard and added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.mining.negatives import ORIGINS, REASONS
from open_ml_embed.core.array_types import F32, Array

BOUNDED_WIDTH, BM25_WIDTH = 0.025, 1.0
"""Bin widths of score histograms: for scores from -1 to 1, and for BM25. Bin i begins at i times the width."""
MOST_EXAMPLES = 20
"""Rejected candidates that the report shows."""


def tally(negatives: pa.Table, num_negatives: int, width: float) -> dict[str, Any]:
    """Count the negatives of a shard.

    Args:
        negatives: table with the schema `curation.mining.step.search.NEGATIVES_SCHEMA`.
        num_negatives: how many negatives a row should have.
        width: bin width of the score histograms.

    Returns:
        Counts that JSON can hold: `rows`, `short` (rows with fewer than `num_negatives`), `none` (rows without any),
        `origins` by name, `positive_scores` and `negative_scores` by bin, `ranks` of the positive (-1: unknown).

    """
    lengths = pc.list_value_length(negatives["negatives"]).to_numpy()
    origins = np.bincount(pc.list_flatten(negatives["origins"]).to_numpy(), minlength=len(ORIGINS))
    return {
        "rows": negatives.num_rows,
        "short": int((lengths < num_negatives).sum()),
        "none": int((lengths == 0).sum()),
        "origins": dict(zip(ORIGINS, origins.tolist(), strict=True)),
        "positive_scores": _histogram(negatives["positive_score"].to_numpy(), width),
        "negative_scores": _histogram(pc.list_flatten(negatives["scores"]).to_numpy(), width),
        "ranks": _counts(negatives["positive_rank"].to_numpy()),
    }


def added(counted: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Add up counts by name; nested dicts are added up by key."""
    total: dict[str, Any] = {}
    for counts_of_shard in counted:
        for name, value in counts_of_shard.items():
            if isinstance(value, dict):
                counts = Counter(total.get(name, {}))
                counts.update(value)
                total[name] = dict(sorted(counts.items(), key=_bin_order))
            else:
                total[name] = total.get(name, 0) + value
    return total


def spread_examples(examples: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Return at most `MOST_EXAMPLES` examples (…, reason), spread evenly over the reasons and sorted by reason."""
    by_reason = {reason: [e for e in examples if e[-1] == reason] for reason in REASONS}
    rounds = [e for i in range(len(examples)) for of in by_reason.values() for e in of[i : i + 1]][:MOST_EXAMPLES]
    return sorted(rounds, key=lambda example: REASONS.index(example[-1]))


def _histogram(scores: F32, width: float) -> dict[str, int]:
    known = scores[np.isfinite(scores)].astype(np.float64)
    return _counts(np.floor(known / width + 1e-6).astype(np.int64))


def _counts(values: Array) -> dict[str, int]:
    distinct, counts = np.unique(values, return_counts=True)
    return {str(value): int(count) for value, count in zip(distinct.tolist(), counts.tolist(), strict=True)}


def _bin_order(item: tuple[str, int]) -> tuple[int, str]:
    name = item[0]
    return (int(name), "") if name.lstrip("-").isdigit() else (0, name)
