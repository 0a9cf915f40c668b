"""Exact and near-duplicates across all sources, without a shuffle."""

from curation.dedup.api import cluster, signatures

__all__ = ["cluster", "signatures"]
