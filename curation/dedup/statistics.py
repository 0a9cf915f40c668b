"""Statistics of step `dedup`."""

from __future__ import annotations

from open_ml_embed.core.statistics import Count, Statistics


class FieldCounts(Statistics):
    """Queries, or documents: texts one by one."""

    rows: Count
    """Texts."""
    exact_duplicates: Count
    """Equal to an earlier text after folding."""
    candidate_pairs: Count
    """Pairs that share a band."""
    verified_pairs: Count
    """Pairs of these with a Jaccard index at the threshold or above."""
    near_duplicates: Count
    clusters: Count


class SampleCounts(Statistics):
    """Samples: both sides of a row."""

    rows: Count
    exact_duplicates: Count
    groups: Count
    """Sets of samples whose two sides share their clusters."""
    compared: Count
    """Samples in these groups."""
    near_duplicates: Count
    apart: Count
    """Samples of a group that resemble no kept sample themselves: they stay."""
    clusters: Count


class Merges(Statistics):
    """What kept rows took over."""

    merged: Count
    """Duplicates whose sources, wordings and negatives a kept row carries."""
    across_sources: Count
    """Of these, from another source than the kept row."""


class SourceDuplicates(Statistics):
    """One source."""

    rows: Count
    exact_duplicates: Count
    near_duplicates: Count


class DedupStatistics(Statistics):
    """What step `dedup` counted."""

    query: FieldCounts
    document: FieldCounts
    sample: SampleCounts
    merges: Merges
    sources: dict[str, SourceDuplicates]
