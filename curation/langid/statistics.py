"""Statistics of step `identify`."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from curation.langid.settings import SourceTrust
from open_ml_embed.core.statistics import Count, Share, Statistics


class Disagreement(Statistics):
    """A text whose identified language is another than the declared one."""

    row_id: str
    side: str
    """`query` or `positive`."""
    declared: str
    identified: str
    confidence: Share
    text: str
    """Its beginning."""


class SourceLanguages(Statistics):
    """How declared and identified languages of one source agree; both sides of every row count."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, populate_by_name=True)

    texts: Count
    agree: Count
    disagree: Count
    declared_only: Count = Field(alias="declared-only")
    """The identifier does not know the declared language."""
    undetermined: Count
    overruled: Count
    """Texts whose identified language counts, by the source's policy."""
    dropped: dict[str, Count]
    """Subset → rows that the mixes leave out, by the source's policy."""
    programming: list[str]
    """Programming languages that the source declares."""
    trust: SourceTrust
    confusion: dict[str, dict[str, Count]]
    """Declared → identified code → texts."""
    disagreements: list[Disagreement]
    """The most confident ones."""


class IdentifyStatistics(Statistics):
    """What step `identify` counted."""

    sources: dict[str, SourceLanguages]
