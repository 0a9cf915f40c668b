"""Usual bounds of the figures of quality, by which the report counts, and how figures are counted in bins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from curation.quality.measures import MEASURES
from open_ml_embed.core.array_types import F64, I64
from open_ml_embed.core.bounds import Range

USUAL: Mapping[str, Range] = {
    "query_alphanumeric": Range(min=3),
    "positive_alphanumeric": Range(min=3),
    "query_symbols": Range(max=0.5),
    "positive_symbols": Range(max=0.5),
    "query_repetition": Range(max=0.5),
    "positive_repetition": Range(max=0.5),
    "equal": Range(max=0),
}
"""Figure → bounds beyond which a row is unusual. Half of repeated sequences is the default of Data-Juicer's
`character_repetition_filter`."""
USUAL_RATIO = Range(min=0.2, max=5)
"""Bounds of `length_ratio` where both sides say the same, as in bitext; elsewhere, an answer may have any length."""
SAME_MEANING = frozenset({"bitext-mining", "paraphrase"})
"""Tasks whose sides say the same."""
assert {*USUAL, "length_ratio"} == set(MEASURES)

_NUMBERS = frozenset({"query_alphanumeric", "positive_alphanumeric", "length_ratio"})
"""Figures without an upper end: their bins are quarters of a doubling. Those of shares are hundredths."""
_ZERO = -1000
"""Bin of zero, where bins are logarithms."""


def usual_of(task: str) -> dict[str, Range]:
    """Return the usual bounds of the figures of a task's rows."""
    return dict(USUAL) | ({"length_ratio": USUAL_RATIO} if task in SAME_MEANING else {})


def bins_of(figure: str, values: F64) -> Counter[int]:
    """Count the values of a figure by bin, without NaN."""
    known = values[~np.isnan(values)]
    if figure in _NUMBERS:
        numbers = np.full(len(known), _ZERO, np.int64)
        numbers[known > 0] = np.floor(4 * np.log2(known[known > 0]) + 1e-9).astype(np.int64)
    else:
        numbers = np.floor(100 * known + 1e-6).astype(np.int64)
    bins, counts = np.unique(numbers, return_counts=True)
    return Counter(dict(zip(bins.tolist(), counts.tolist(), strict=True)))


def quantile(figure: str, bins: Mapping[int, int], share: float) -> float:
    """Return the lower end of the bin in which the row at a share of all rows is, in ascending order."""
    ordered = sorted(bins)
    ends: I64 = np.cumsum([bins[number] for number in ordered])
    at = ordered[int(np.searchsorted(ends, share * (ends[-1] - 1), side="right"))]
    if figure not in _NUMBERS:
        return at / 100
    return 0.0 if at == _ZERO else float(f"{2 ** (at / 4):.3g}")


def values_of(table: pa.Table, figure: str) -> F64:
    """Return a figure of all rows of a table of `curation.quality.measures.QUALITY_SCHEMA`, float64[rows]."""
    column = table[figure]
    return np.asarray(column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column, dtype=np.float64)
