"""Statistics of step `mine`."""

from __future__ import annotations

from curation.mining.settings import MiningSettings
from open_ml_embed.core.statistics import Count, Share, Statistics


class PoolCounts(Statistics):
    """A pool: sources that are mined together."""

    sources: list[str]
    queries: Count
    """Different queries."""
    documents: Count
    """Different documents."""
    chosen: Count | None = None
    """Negatives that were mined; null where they are drawn from classes."""
    recall: Share | None
    """Of an approximate search beside the exact one; 1 for an exact search, null where nothing is searched."""
    rejected: dict[str, Count]
    """Rule or mask → candidates that it kept out."""
    examples: list[tuple[int | str | float | None, ...]]
    """Some of those candidates: numbers of query and document, scores, reason."""


class SourceNegatives(Statistics):
    """One source."""

    rows: Count
    short: Count
    """Rows with fewer negatives than the settings ask for."""
    none: Count
    """Rows without any."""
    origins: dict[str, Count]
    """Where negatives come from: `given`, `mined`, `relaxed`, `random`, `class` → negatives."""
    positive_scores: dict[str, Count]
    """Score of the positive, in steps of a histogram → rows."""
    negative_scores: dict[str, Count]
    ranks: dict[str, Count]
    """How many candidates score above the positive (−1: unknown) → rows."""


class MineStatistics(Statistics):
    """What step `mine` counted."""

    settings: MiningSettings
    width: float
    """Scores in one bin of a histogram of scores: bin i holds scores from i · width on."""
    pools: dict[str, PoolCounts]
    sources: dict[str, SourceNegatives]
