"""Settings of step `dedup`."""

from __future__ import annotations

from pydantic import Field, model_validator

from open_ml_embed.core.section import Section


class DedupSettings(Section):
    """MinHash settings, named as in datasketch."""

    shingle: int = Field(default=5, ge=1)
    """Tokens in a shingle: words, or characters in scripts without spaces."""
    num_perm: int = Field(default=128, ge=64, multiple_of=64)
    """Permutations, which are the values in a signature."""
    bands: int = Field(default=21, ge=1)
    """Bands of a signature; each has `num_perm // bands` rows (values)."""
    threshold: float = Field(default=0.8, gt=0, le=1)
    """True Jaccard index from which a verified pair is a near-duplicate."""
    seed: int = 1
    """Seed of the permutations."""

    @model_validator(mode="after")
    def _rows_in_every_band(self) -> DedupSettings:
        if self.bands > self.num_perm:
            raise ValueError(f"bands ({self.bands}) above num_perm ({self.num_perm}): some would hold no value")
        return self
