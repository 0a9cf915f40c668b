"""Statistics of step `fetch`."""

from __future__ import annotations

from open_ml_embed.core.statistics import Count, Statistics


class FetchedFile(Statistics):
    """A raw file."""

    table: str
    """Table of the manifest that it belongs to."""
    name: str
    """As its origin calls it."""
    path: str
    """Relative to the folder of params.yaml, or below `<local_root>/` where it is read in place."""
    size: Count
    """Bytes."""
    identity: str
    """Hash of its bytes, with the algorithm in front."""


class FetchStatistics(Statistics):
    """What step `fetch` has."""

    files: dict[str, dict[str, list[FetchedFile]]]
    """Source → subset → its files."""
