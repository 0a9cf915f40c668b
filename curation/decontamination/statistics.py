"""Statistics of step `decontaminate`."""

from __future__ import annotations

from open_ml_embed.core.statistics import Count, Share, Statistics


class Example(Statistics):
    """A row and the evaluation text that it holds."""

    source: str
    row_id: str
    side: str
    """Side of the row: `query` or `document`."""
    reason: str
    """`exact`, `near` or `contained`."""
    score: Share
    row_text: str
    evaluation_id: str
    evaluation_text: str


class TaskCounts(Statistics):
    """One evaluation task."""

    texts: Count
    """Different texts of it."""
    too_short: Count
    """Texts that are not looked for, because they are shorter than `decontaminate.shortest`."""
    found: Count
    """Texts that some row holds."""
    examples: list[Example]


class SourceOfTask(Statistics):
    """One task in one source."""

    found: Count
    """Texts of the task that the source holds."""
    rows: dict[str, dict[str, Count]]
    """Side → reason → rows."""


class SourceContamination(Statistics):
    """One source."""

    rows: Count
    contaminated: Count
    """Rows that the mixes leave out."""
    tasks: dict[str, SourceOfTask]


class Distrusted(Statistics):
    """A source that holds much of a task, or much of which is contaminated."""

    source: str
    task: str | None
    """Null: all tasks together."""
    found: Count
    of: Count
    share: Share


class DecontaminateStatistics(Statistics):
    """What step `decontaminate` counted."""

    tasks: dict[str, TaskCounts]
    sources: dict[str, SourceContamination]
    given_up: Count
    """Rows of which not all candidate places were looked at, because there were too many."""
    distrust: list[Distrusted]
