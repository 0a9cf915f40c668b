"""Settings of a mix that a profile may change."""

from __future__ import annotations

from pydantic import Field

from open_ml_embed.core.section import Section


class MixSettings(Section):
    """What a profile may change of a mix; the rest stands in its file (`curation.mixing.recipe`)."""

    cap: int | None = Field(default=None, ge=1)
    """Rows a source, null: the mix file's own."""
    validation: float = Field(default=0.01, ge=0, lt=1)
    seed: int = 1
    shard_rows: int = Field(default=100_000, ge=1)
