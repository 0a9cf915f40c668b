"""The report's section on text quality: damaged texts of each source, as counted by `normalize`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sources.checks import DAMAGE

KINDS = (*DAMAGE, "short", "repeated", "under_both")
"""The columns: kinds of damage, then counts that are not damage by themselves."""
TITLES = {
    "replacement": "U+FFFD",
    "repeated": "repeated within a shard",
    "under_both": "under two labels within a shard",
}
SHOWN = 12
"""Sources that are shown without unfolding, the worst first."""
MOST_PIECES = 40
"""Sides of subsets that are listed."""


@dataclass(frozen=True)
class QualityRow:
    """Counts of the texts of a source, or of one side of one of its subsets."""

    name: str
    texts: int
    damaged: int
    """Texts with one kind of damage or more."""
    kinds: dict[str, int]
    """Kind → texts, for all of `KINDS`."""
    subset: str = ""
    side: str = ""

    @property
    def share(self) -> float:
        """Share of the texts that are damaged."""
        return self.damaged / self.texts if self.texts else 0.0


@dataclass(frozen=True)
class Quality:
    """Content of the section.

    Attributes:
        worst: the sources with the largest shares of damaged texts.
        others: the other sources, in the same order.
        total: of all sources.
        pieces: the sides of subsets with the largest shares of damaged texts.
        more_pieces: number of further sides with damaged texts.

    """

    worst: list[QualityRow]
    others: list[QualityRow]
    total: QualityRow
    pieces: list[QualityRow]
    more_pieces: int


def quality(stats: dict[str, Any]) -> Quality | None:
    """Build the section; null if the step counted no texts.

    Args:
        stats: statistics of step `normalize`.

    """
    by_source: dict[str, dict[str, dict[str, dict[str, int]]]] = stats.get("checks", {})
    rows, pieces = [], []
    for source, subsets in by_source.items():
        sides = [(subset, side, counts) for subset, of in subsets.items() for side, counts in of.items()]
        if sides:
            rows.append(_row(source, [counts for _, _, counts in sides]))
        pieces += [_row(source, [counts], subset, side) for subset, side, counts in sides]
    if not rows:
        return None
    rows.sort(key=_rank)
    damaged = sorted((piece for piece in pieces if piece.damaged), key=_rank)
    every = [counts for subsets in by_source.values() for of in subsets.values() for counts in of.values()]
    return Quality(
        rows[:SHOWN], rows[SHOWN:], _row("all", every), damaged[:MOST_PIECES], max(len(damaged) - MOST_PIECES, 0)
    )


def _row(name: str, counted: list[dict[str, int]], subset: str = "", side: str = "") -> QualityRow:
    total: Counter[str] = Counter()
    for counts in counted:
        total.update(counts)
    return QualityRow(name, total["texts"], total["damaged"], {kind: total[kind] for kind in KINDS}, subset, side)


def _rank(row: QualityRow) -> tuple[float, int, str, str, str]:
    return (-row.share, -row.damaged, row.name, row.subset, row.side)
