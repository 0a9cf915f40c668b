"""Reranking: the candidates of a teacher are scored again, and the rules use the new scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from curation.mining.rules import Pool, Scored
from curation.mining.topk.exact import TopK
from open_ml_embed.core.array_types import F32, I32, I64

PairScores = Callable[[I64, I32], F32]
"""Scores pairs: (int64 query numbers, int32 document numbers) → float32 scores. One call holds the candidates,
positives and given negatives of a whole block of queries, so that a model can sort them by length and batch them."""


def reranked(scored: Scored, pool: Pool, pair_scores: PairScores) -> Scored:
    """Return the same candidates with new scores, sorted again, best first; ties go to the lower id."""
    rows, topk = scored.rows, scored.candidates
    filled = topk.ids >= 0
    row, column = np.nonzero(filled)
    positives, given = pool.masks.positives, pool.given
    queries = np.concatenate([rows[row], np.repeat(rows, positives.counts(rows)), np.repeat(rows, given.counts(rows))])
    documents = np.concatenate([topk.ids[row, column], positives.take(rows).values, given.take(rows).values])
    scores = pair_scores(queries, documents)
    of_candidates, of_positives, of_given = np.split(scores, np.cumsum([len(row), positives.counts(rows).sum()]))
    new = np.full(topk.scores.shape, -np.inf, np.float32)
    new[filled] = of_candidates
    order = np.lexsort((np.where(filled, topk.ids, np.iinfo(np.int32).max), -new))
    reordered = TopK(
        np.take_along_axis(new, order, 1),
        np.take_along_axis(topk.ids, order, 1),
        topk.masked_scores,
        topk.masked_ids,
    )
    return Scored(rows, reordered, of_positives, of_given)
