"""Statistics of step `normalize`."""

from __future__ import annotations

from open_ml_embed.core.statistics import Count, Statistics


class FileCounts(Statistics):
    """What became of the records of one raw file."""

    records: Count
    """Records that were read."""
    rows: Count
    """Rows that they became."""
    quarantined: dict[str, Count]
    """Reason → records that cannot be rows."""
    filtered: dict[str, Count]
    """Reason → records that a rule leaves out."""
    beyond_limit: Count
    """Rows that were not written because `normalize.rows_per_part` ends a part."""
    unread: Count
    """Bytes that no reader could read."""


class SourceCounts(Statistics):
    """What became of the records of one source."""

    records: Count
    rows: Count
    quarantined: dict[str, Count]
    """Reason → records."""
    filtered: dict[str, Count]
    """Reason → records."""
    beyond_limit: Count
    unread_files: Count = 0
    """Files of which a part could not be read."""
    unread_bytes: Count = 0
    masked: dict[str, Count] = {}
    """Kind of personal data → how often it was masked."""
    checks: dict[str, dict[str, Count]] = {}
    """Side (`query`, `positive`) → kind of damage, and `texts`, `damaged`, `short`, `repeated` → texts of it."""


class NormalizeStatistics(Statistics):
    """What step `normalize` counted."""

    sources: dict[str, SourceCounts]
    files: dict[str, dict[str, dict[str, FileCounts]]]
    """Source → subset → file → its counts."""
    checks: dict[str, dict[str, dict[str, dict[str, Count]]]] = {}
    """Source → subset → side → kind of damage → texts; kinds without a text are left out."""
    unreadable: dict[str, dict[str, list[tuple[str, str, Count]]]] = {}
    """Source → subset → (file, why, bytes) of what could not be read."""
    allowed: list[str]
    """`normalize.allow` as it was."""
