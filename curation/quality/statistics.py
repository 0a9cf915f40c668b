"""Statistics of step `measure`."""

from __future__ import annotations

from open_ml_embed.core.statistics import Count, Statistics


class Spread(Statistics):
    """How a figure is spread over the rows of a source.

    The values are the lower ends of bins, which are a hundredth of a share, and a quarter of a doubling of a number.
    """

    low: float
    """One row in a hundred has less."""
    median: float
    high: float
    """One row in a hundred has more."""


class SourceQuality(Statistics):
    """The figures of one source."""

    rows: Count
    unusual_rows: Count
    """Rows with one unusual figure or more."""
    unusual: dict[str, Count]
    """Figure → rows beyond the bounds that docs/quality.md calls usual. Nothing is left out for it."""
    spread: dict[str, Spread]
    """Figure → its spread; without those that no row has."""


class MeasureStatistics(Statistics):
    """What step `measure` counted."""

    sources: dict[str, SourceQuality]
