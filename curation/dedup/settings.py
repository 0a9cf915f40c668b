"""Settings of step `dedup`."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from open_ml_embed.core.section import Section

MISSED = 0.005
"""Share of the pairs at the threshold that banding may miss."""


def bands_for(threshold: float, num_perm: int) -> int:
    """Return into how many bands to cut signatures for a threshold: of the widest that miss few pairs, all there are.

    Two texts of Jaccard index J share one of b bands of r values with probability 1 - (1 - J^r)^b (Leskovec, Rajaraman
    and Ullman, Mining of Massive Datasets, 3.4); of pairs at the threshold at most `MISSED` share none.

    >>> [bands_for(threshold, 128) for threshold in (0.3, 0.5, 0.8, 0.9, 1.0)]
    [64, 42, 21, 14, 2]

    """
    for rows in range(num_perm // 2, 0, -1):  # two bands at least: datasketch has no index of fewer
        bands = num_perm // rows
        if num_perm // bands == rows and (1 - threshold**rows) ** bands <= MISSED:
            return bands
    return num_perm


class DedupSettings(Section):
    """MinHash settings, named as in datasketch."""

    shingle: int = Field(default=5, ge=1)
    """Tokens in a shingle: words, or characters in scripts without spaces."""
    num_perm: int = Field(default=128, ge=64, multiple_of=64)
    """Permutations, which are the values in a signature."""
    bands: int = Field(default=21, ge=1)
    """Bands of a signature; each has `num_perm // bands` rows (values). Where it is left out, as many as find the pairs
    at the threshold (`bands_for`): 21 at 0.8, 42 at 0.5."""
    threshold: float = Field(default=0.8, gt=0, le=1)
    """True Jaccard index from which a verified pair is a near-duplicate."""
    seed: int = 1
    """Seed of the permutations."""

    @model_validator(mode="before")
    @classmethod
    def _bands_of_the_threshold(cls, data: Any) -> Any:
        fields = cls.model_fields
        if not isinstance(data, dict) or "bands" in data:
            return data
        threshold, num_perm = (data.get(name, fields[name].default) for name in ("threshold", "num_perm"))
        possible = (
            isinstance(threshold, int | float) and 0 < threshold <= 1 and isinstance(num_perm, int) and num_perm > 1
        )
        return data | {"bands": bands_for(threshold, num_perm)} if possible else data

    @model_validator(mode="after")
    def _rows_in_every_band(self) -> DedupSettings:
        if self.bands > self.num_perm:
            raise ValueError(f"bands ({self.bands}) above num_perm ({self.num_perm}): some would hold no value")
        return self
