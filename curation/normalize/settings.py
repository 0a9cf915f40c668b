"""Settings of step `normalize`."""

from __future__ import annotations

from pydantic import Field

from open_ml_embed.core.section import Section


class NormalizeSettings(Section):
    """How rows are cut into shards, and how few of its records a source may lose without a word."""

    shard_rows: int = Field(default=100_000, ge=1)
    rows_per_part: int | None = Field(default=None, ge=1)
    """Stop a part (a raw file, or a subset of several) after this many rows (a pilot)."""
    least_yield: float = Field(default=0.5, ge=0, le=1)
    """Below this share of rows among rows and quarantined records a source ends the step with an error; so does one
    without a row, and a raw file without one (`curation.normalize.yields`)."""
    allow: list[str] = []
    """Whose small yield is meant: `source`, `source/subset`, or `source/subset:pattern of file names`."""
