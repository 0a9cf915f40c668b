"""What the report tells of negatives, counted as they are written; counts of shards add up."""

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
"""Widths of a histogram's bins: for scores from -1 to 1, and for BM25's. Bin i begins at i times the width."""
MOST_EXAMPLES = 20


def tally(found: pa.Table, num_negatives: int, width: float) -> dict[str, Any]:
    """Count a table of negatives, row by row.

    Args:
        found: as `curation.mining.step.search.NEGATIVES_SCHEMA` has it.
        num_negatives: how many a row should have.
        width: of a bin of scores.

    Returns:
        JSON-able counts: `rows`, `short` (fewer than `num_negatives`), `none`, `origins` by name, `positive_scores` and
        `negative_scores` by bin, `ranks` of the positive (-1 where unknown).

    """
    kept = pc.list_value_length(found["negatives"]).to_numpy()
    origins = np.bincount(pc.list_flatten(found["origins"]).to_numpy(), minlength=len(ORIGINS))
    return {
        "rows": found.num_rows,
        "short": int((kept < num_negatives).sum()),
        "none": int((kept == 0).sum()),
        "origins": dict(zip(ORIGINS, origins.tolist(), strict=True)),
        "positive_scores": _histogram(found["positive_score"].to_numpy(), width),
        "negative_scores": _histogram(pc.list_flatten(found["scores"]).to_numpy(), width),
        "ranks": _counts(found["positive_rank"].to_numpy()),
    }


def added(tallies: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Add up tallies, whatever they count."""
    total: dict[str, Any] = {}
    for one in tallies:
        for name, value in one.items():
            if isinstance(value, dict):
                counts = Counter(total.get(name, {}))
                counts.update(value)
                total[name] = dict(sorted(counts.items(), key=_bin_order))
            else:
                total[name] = total.get(name, 0) + value
    return total


def spread_examples(examples: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Return at most `MOST_EXAMPLES` of (…, reason), of as many reasons as there are, in the order given."""
    by_reason = {reason: [e for e in examples if e[-1] == reason] for reason in REASONS}
    rounds = [e for i in range(len(examples)) for of in by_reason.values() for e in of[i : i + 1]][:MOST_EXAMPLES]
    return sorted(rounds, key=lambda example: REASONS.index(example[-1]))


def _histogram(scores: F32, width: float) -> dict[str, int]:
    known = scores[np.isfinite(scores)].astype(np.float64)
    return _counts(np.floor(known / width + 1e-6).astype(np.int64))


def _counts(values: Array) -> dict[str, int]:
    found, counts = np.unique(values, return_counts=True)
    return {str(value): int(count) for value, count in zip(found.tolist(), counts.tolist(), strict=True)}


def _bin_order(item: tuple[str, int]) -> tuple[int, str]:
    name = item[0]
    return (int(name), "") if name.lstrip("-").isdigit() else (0, name)
