"""Statistics of a mix."""

from __future__ import annotations

from pydantic import ConfigDict

from open_ml_embed.core.statistics import Count, Statistics


class MixCounts(Statistics):
    """The mix as a whole."""

    train: Count
    validation: Count
    samples: Count
    documents: Count
    """Different texts."""


class SourceFunnel(Statistics):
    """Where the rows of one source ended; the numbers add up to its rows."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))

    train: Count
    validation: Count
    other_language: Count
    """Left out by the language verdict."""
    exact_duplicate: Count
    near_duplicate: Count
    contaminated: Count
    mix_filter: Count
    """Left out by the filters of the mix file."""
    no_negatives: Count
    held_out_twin: Count
    """Its document is held out for validation."""
    over_cap: Count
    """Beyond the cap of its source."""
    not_drawn: Count
    """Not among the `samples` that the mix draws."""


class MixStatistics(Statistics):
    """What a mix holds."""

    counts: MixCounts
    sources: dict[str, SourceFunnel]
    filters: dict[str, dict[str, Count]]
    """Source → filter → rows that it leaves out, without zeros; they add up to the source's `mix-filter`."""
    languages: dict[str, Count]
    """ISO 639-3 code → samples that have it on either side."""
