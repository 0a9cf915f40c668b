"""Settings of a mix that a profile may change."""

from __future__ import annotations

from pydantic import Field

from open_ml_embed.core.section import Section


class MixSettings(Section):
    """The settings of a mix that a profile may change; the others are in the mix file (`curation.mixing.recipe`)."""

    cap: int | None = Field(default=None, ge=1)
    """Most rows of each source (of each group: `cap_of` of the mix file); null: the cap of the mix file."""
    validation: float = Field(default=0.01, ge=0, lt=1)
    """Share of the query clusters whose rows are held out for validation."""
    seed: int = 1
    """Seed of the split, of the rows that a cap keeps, and of the documents that carry an instruction."""
    shard_rows: int = Field(default=100_000, ge=1)
    """Rows of an output file."""
