"""Exact and near-duplicates across all sources, without a shuffle."""
