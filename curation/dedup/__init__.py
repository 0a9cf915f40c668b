"""Exact and near-duplicate detection across all sources, without a shuffle."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curation.dedup.api import cluster, signatures

__all__ = ["cluster", "signatures"]


def __getattr__(name: str) -> object:
    """Import the kernels on first use, since the settings do not need them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from curation.dedup import api

    return getattr(api, name)
