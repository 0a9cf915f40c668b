"""Settings of step `normalize`."""

from __future__ import annotations

from pydantic import Field

from open_ml_embed.core.section import Section
from sources.masking import Kind


class NormalizeSettings(Section):
    """Size of the rows shards, masks of personal data, and limits on the yield of sources."""

    shard_rows: int = Field(default=100_000, ge=1)
    """Rows of a shard."""
    rows_per_part: int | None = Field(default=None, ge=1)
    """Most rows of a part (a raw file, or a subset of several files), for a pilot; null: no limit. Of retrieval rows
    the first ones are taken; of labeled rows whole classes, at least two, each with at most half of these rows."""
    mask: list[Kind] = []
    """Personal data that is masked in all texts: `email`, `ip`, `phone`; see docs/quality.md."""
    phone_regions: list[str] = []
    """Countries, as `US`, whose phone numbers are masked without a country code too."""
    least_yield: float = Field(default=0.5, ge=0, le=1)
    """Lowest yield of a source, rows / (rows + quarantined records). With a lower yield, without any row, or with a raw
    file without rows, the step fails (`curation.normalize.yields`)."""
    allow: list[str] = []
    """Exceptions from the limits: `source`, `source/subset`, or `source/subset:pattern of file names`."""
