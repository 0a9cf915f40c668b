"""Hard negatives as a result: which documents, what they score, where they come from, and what was turned down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from curation.mining.masks import MASKS
from open_ml_embed.core.array_types import F32, I8, I32, I64, Array
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.text.tokens import mix_all

ORIGINS = ("given", "mined", "relaxed", "random", "class")
"""Given by the source; found by the teacher; found, but turned down by a rule and taken for want of others; drawn from
the pool; drawn from another class."""

REASONS = (*MASKS, "range-min", "max-score", "relative-margin", "absolute-margin", "near-duplicate", "not-needed")
"""Why a candidate was turned down, by code: the masks, then the rules. `near-duplicate`: of a better negative."""

EXAMPLES = 4


class Rejected(NamedTuple):
    """A candidate that was turned down: numbers of query and document, its score, the positive's, and why."""

    query: int
    document: int
    score: float
    positive_score: float
    reason: str


@dataclass(frozen=True)
class Negatives:
    """What was chosen for n queries: `ids[offsets[i]:offsets[i + 1]]` are query i's, given ones first, then by score.

    Attributes:
        offsets: int64[n + 1].
        ids: int32, document numbers.
        scores: float32, the teacher's; NaN where nobody scored (drawn at random, or from a class).
        origins: int8, places in `ORIGINS`.
        positive_score: float32[n], of all positives as `settings.positives` reduces them; NaN where unknown.
        positive_rank: int32[n], how many of the candidates score above the positive: as many as were retrieved means
            that or more; -1 where unknown.
        rejected: reason → candidates, of those that score above the last one retrieved. Of the masked ones only the
            best few of each query are looked at (`curation.mining.retrievers.MASKED`).
        examples: a few for each reason, always the same.
        recall: of an approximate search, against an exact one; 1 otherwise.

    """

    offsets: I64
    ids: I32
    scores: F32
    origins: I8
    positive_score: F32
    positive_rank: I32
    rejected: dict[str, int]
    examples: list[Rejected]
    recall: float = 1.0

    def __len__(self) -> int:
        return len(self.positive_score)

    def of(self, query: int) -> I32:
        """Return the document numbers of one query's negatives."""
        return self.ids[self.offsets[query] : self.offsets[query + 1]]

    def short(self, num_negatives: int) -> int:
        """Return how many queries have fewer than `num_negatives`."""
        return int((np.diff(self.offsets) < num_negatives).sum())


def draw_order(queries: I64) -> I64:
    """Return the places of query numbers in an order that is as good as random and never changes."""
    return np.argsort(mix_all(queries.astype(np.uint64)), kind="stable")


def nothing(queries: int) -> Negatives:
    """Return no negatives for so many queries."""
    return Negatives(
        np.zeros(queries + 1, np.int64),
        np.zeros(0, np.int32),
        np.zeros(0, np.float32),
        np.zeros(0, np.int8),
        np.full(queries, np.nan, np.float32),
        np.full(queries, -1, np.int32),
        dict.fromkeys(REASONS[1:], 0),
        [],
    )


def gather(parts: Iterable[tuple[I64, Negatives]]) -> Negatives:
    """Join parts in the order of their queries, one column after the other: little is held twice at any time.

    Args:
        parts: (int64 query numbers, their negatives); together every number from 0 to n - 1, once.

    """
    columns: dict[str, list[Array]] = {}
    rejected = dict.fromkeys(REASONS[1:], 0)
    by_reason: dict[str, list[Rejected]] = {}
    for numbers, part in chain([(np.zeros(0, np.int64), nothing(0))], parts):
        arrays = {name: getattr(part, name) for name in ("ids", "scores", "origins", "positive_score", "positive_rank")}
        for name, array in (arrays | {"rows": numbers, "counts": np.diff(part.offsets)}).items():
            columns.setdefault(name, []).append(array)
        for reason, count in part.rejected.items():
            rejected[reason] += count
        for example in part.examples:
            by_reason.setdefault(example.reason, []).append(example)
    rows, counts = (np.concatenate(columns.pop(name)) for name in ("rows", "counts"))
    back = np.argsort(rows)
    offsets = offsets_of(counts[back])
    place: Any = slice(None)
    if not (rows[1:] > rows[:-1]).all():
        first = np.cumsum(counts) - counts
        place = np.repeat(first[back] - offsets[:-1], counts[back]) + np.arange(offsets[-1])
    joined = {name: np.concatenate(columns.pop(name))[place] for name in ("ids", "scores", "origins")}
    joined |= {name: np.concatenate(columns.pop(name))[back] for name in ("positive_score", "positive_rank")}
    examples = []
    for found in (by_reason[reason] for reason in REASONS if reason in by_reason):
        drawn = draw_order(np.array([example.query for example in found]))[:EXAMPLES]
        examples += [found[i] for i in drawn]
    return Negatives(offsets=offsets, rejected=rejected, examples=examples, **joined)
