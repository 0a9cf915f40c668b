"""A second opinion on candidates: somebody else's scores, by which the rules then go."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from curation.mining.rules import Pool, Scored
from curation.mining.topk.exact import Found
from open_ml_embed.core.array_types import F32, I32, I64

Opinion = Callable[[I64, I32], F32]
"""Scores pairs: (int64 query numbers, int32 document numbers) → float32. Asked about a whole block of queries at once,
candidates, positives and given negatives together, so that a model can sort and batch as it likes."""


def reconsidered(scored: Scored, pool: Pool, opinion: Opinion) -> Scored:
    """Return the same candidates with the scores of a second opinion, best first again; ties go to the lower id."""
    rows, found = scored.rows, scored.found
    held = found.ids >= 0
    row, place = np.nonzero(held)
    positives, given = pool.masks.positives, pool.given
    asked = np.concatenate([rows[row], np.repeat(rows, positives.counts(rows)), np.repeat(rows, given.counts(rows))])
    documents = np.concatenate([found.ids[row, place], positives.take(rows).values, given.take(rows).values])
    scores = opinion(asked, documents)
    of_candidates, of_positives, of_given = np.split(scores, np.cumsum([len(row), positives.counts(rows).sum()]))
    new = np.full(found.scores.shape, -np.inf, np.float32)
    new[held] = of_candidates
    order = np.lexsort((np.where(held, found.ids, np.iinfo(np.int32).max), -new))
    again = Found(
        np.take_along_axis(new, order, 1),
        np.take_along_axis(found.ids, order, 1),
        found.masked_scores,
        found.masked_ids,
    )
    return Scored(rows, again, of_positives, of_given)
