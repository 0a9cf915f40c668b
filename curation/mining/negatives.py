"""The result of mining: negatives of each query with score and origin, and counts of rejected candidates."""

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
"""`given`: by the source. `mined`: by the teacher. `relaxed`: rejected by a rule, but used because too few passed.
`random`: drawn from the pool. `class`: drawn from another class."""

REASONS = (*MASKS, "range-min", "max-score", "relative-margin", "absolute-margin", "near-duplicate", "not-needed")
"""Why a candidate was rejected, by code: the masks, then the rules. `near-duplicate`: of a better negative."""

EXAMPLES = 4
"""Examples that are kept for each reason."""


class Rejected(NamedTuple):
    """A rejected candidate: numbers of query and document, its score, the score of the positive, and the reason."""

    query: int
    document: int
    score: float
    positive_score: float
    reason: str


@dataclass(frozen=True)
class Negatives:
    """Negatives of n queries. Those of query i are `ids[offsets[i]:offsets[i + 1]]`, given ones first, then by score.

    Attributes:
        offsets: int64[n + 1].
        ids: int32[total], document numbers.
        scores: float32[total], from the teacher; NaN where there is none (drawn at random or from a class).
        origins: int8[total], indices into `ORIGINS`.
        positive_score: float32[n], scores of a query's positives reduced as `settings.positives` states; NaN where
            unknown.
        positive_rank: int32[n], how many candidates score above the positive; -1 where unknown. A rank equal to the
            number of retrieved candidates means that many or more.
        rejected: reason → number of rejected candidates that score above the last retrieved one. Of the masked
            documents only the best few of each query are counted (`curation.mining.retrievers.MASKED`).
        examples: a few rejected candidates for each reason, the same in every run.
        recall: of an approximate search, compared with an exact one; 1 for an exact search.

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
    """Return indices that put query numbers into a pseudorandom order, int64[len(queries)]: by hash of the number."""
    return np.argsort(mix_all(queries.astype(np.uint64)), kind="stable")


def nothing(queries: int) -> Negatives:
    """Return the empty result for this many queries."""
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
    """Concatenate parts in the order of their query numbers, column by column to save memory.

    Args:
        parts: (int64 query numbers, their negatives); together they hold every number from 0 to n - 1 once.

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
    order = np.argsort(rows)
    offsets = offsets_of(counts[order])
    source_index: Any = slice(None)
    if not (rows[1:] > rows[:-1]).all():
        first = np.cumsum(counts) - counts
        source_index = np.repeat(first[order] - offsets[:-1], counts[order]) + np.arange(offsets[-1])
    joined = {name: np.concatenate(columns.pop(name))[source_index] for name in ("ids", "scores", "origins")}
    joined |= {name: np.concatenate(columns.pop(name))[order] for name in ("positive_score", "positive_rank")}
    examples = []
    for of_reason in (by_reason[reason] for reason in REASONS if reason in by_reason):
        drawn = draw_order(np.array([example.query for example in of_reason]))[:EXAMPLES]
        examples += [of_reason[i] for i in drawn]
    return Negatives(offsets=offsets, rejected=rejected, examples=examples, **joined)
