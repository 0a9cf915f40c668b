"""Settings of step `dedup`."""

from __future__ import annotations

from pydantic import Field, model_validator

from open_ml_embed.core.section import Section


class DedupSettings(Section):
    """MinHash settings, in datasketch's terms."""

    shingle: int = Field(default=5, ge=1)
    """Tokens a shingle: words, or characters in scripts that write no spaces."""
    num_perm: int = Field(default=128, ge=64, multiple_of=64)
    bands: int = Field(default=21, ge=1)
    """Rows a band are `num_perm // bands`."""
    threshold: float = Field(default=0.8, gt=0, le=1)
    """True Jaccard from which a verified pair counts as near-duplicate."""
    seed: int = 1

    @model_validator(mode="after")
    def _rows_in_every_band(self) -> DedupSettings:
        if self.bands > self.num_perm:
            raise ValueError(f"bands ({self.bands}) above num_perm ({self.num_perm}): some would hold no value")
        return self
