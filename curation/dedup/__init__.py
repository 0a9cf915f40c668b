"""Exact and near-duplicates across all sources, without a shuffle."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curation.dedup.api import cluster, signatures

__all__ = ["cluster", "signatures"]


def __getattr__(name: str) -> object:
    """Load the kernels when they are asked for: settings have no need of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from curation.dedup import api

    return getattr(api, name)
