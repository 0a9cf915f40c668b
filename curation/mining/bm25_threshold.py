"""The k best documents of each query, with a threshold that a sample of the documents foretells.

The higher the threshold, the less is added (see `curation.mining.bm25_search`), but the k-th best score is known only
at the end. So the first ranges of an index hold a sample, and are searched for fewer than k documents: so many that the
last of them scores below the k-th best of all documents, with a probability of 99.9 % if the sample is a random one.
The other ranges are searched with its score as threshold (Mallia et al. 2020 compare estimates of this kind). If then
fewer than k documents reach it, it was too high, and that query is searched again without it. So results are exact
whatever the sample is like.
"""

from __future__ import annotations

from functools import cache
from math import exp, lgamma, log, log1p

import numpy as np

from curation.mining.bm25 import RANGE, Index
from curation.mining.bm25_search import search
from curation.mining.masks import Masks
from curation.mining.topk.heap import Heaps, empty_heaps
from open_ml_embed.core.array_types import I32, I64
from open_ml_embed.core.ragged import offsets_of

SHARE = 8
"""One of so many documents is in the sample; more in a small index, whose sample is one range."""
RISK = 0.001
"""Probability that a random sample foretells a threshold that is too high."""


def sample_first(n: int) -> tuple[I64, int]:
    """Put a sample of the documents before the others: every eighth, in whole ranges.

    Returns:
        int64[n], the numbers 0 … n - 1, first those of the sample, then the others, each ascending; and how many ranges
        the sample is: 0 if one range holds all documents.

    """
    ranges = -(-n // RANGE)
    if ranges < 2:
        return np.arange(n), 0
    sample = max(ranges // SHARE, 1)
    size = sample * RANGE
    chosen = np.arange(size) * n // size
    in_sample = np.zeros(n, bool)
    in_sample[chosen] = True
    return np.concatenate([chosen, np.flatnonzero(~in_sample)]), sample


@cache
def rank_in_sample(k: int, share: float) -> int:
    """Return the rank in a sample whose score is, very probably, at most the k-th best score of all documents.

    It is the smallest r for which at least r of the k best documents are in a random sample with a probability of at
    most `RISK`; k if there is none that is smaller.

    Args:
        k: how many documents are searched for.
        share: of the documents that is in the sample, above 0 and below 1.

    >>> rank_in_sample(100, 1 / 8)
    25

    """
    tail = 0.0
    for r in range(k, 0, -1):
        ways = lgamma(k + 1) - lgamma(r + 1) - lgamma(k - r + 1)
        tail += exp(ways + r * log(share) + (k - r) * log1p(-share))
        if tail > RISK:
            return min(r + 1, k)
    return 1


def top_k(
    rows: I64,
    terms: I64,
    starts: I64,
    index: Index,
    sample: int,
    numbers: I32,
    masks: Masks,
    k: int,
    masked: int,
) -> tuple[Heaps, Heaps]:
    """Find the k best documents that are not masked, for each of n queries, and the masked ones that score as high.

    Args:
        rows: int64[n], the queries' numbers in `masks`.
        terms: int64, the terms of all queries, from `query_terms`.
        starts: int64[n + 1], offset of each query's terms.
        index: postings of m documents.
        sample: the first ranges, which hold a sample of the documents.
        numbers: int32[m], the documents' numbers in `masks`.
        masks: see `curation.mining.masks.Masks`.
        k: how many documents.
        masked: how many masked documents, at most. Some may score below the k-th best document.

    Returns:
        n heaps of k documents, and n heaps of masked ones.

    """
    n, ranges = len(rows), len(index.starts) - 1
    best, kept_out = empty_heaps(n, k), empty_heaps(n, masked)
    thresholds = np.zeros(n, np.float32)
    rank = rank_in_sample(k, sample * RANGE / len(numbers)) if sample else k
    if rank == k:
        search(rows, terms, starts, index, 0, ranges, numbers, masks, thresholds, best, kept_out)
        return best, kept_out
    of_sample = empty_heaps(n, rank)
    search(rows, terms, starts, index, 0, sample, numbers, masks, thresholds, of_sample, kept_out)
    # a heap of fewer documents: its root comes first, and what follows are empty slots
    best.scores[:, :rank], best.ids[:, :rank], best.held[:] = of_sample.scores, of_sample.ids, of_sample.held
    foretold = thresholds.copy()
    search(rows, terms, starts, index, sample, ranges, numbers, masks, thresholds, best, kept_out)
    full = best.held == k
    again = np.flatnonzero((foretold > 0) & ~(full & (best.scores[:, 0] >= foretold)))
    if len(again):
        lengths = np.diff(starts)[again]
        offsets = offsets_of(lengths)
        own_terms = terms[np.repeat(starts[again] - offsets[:-1], lengths) + np.arange(offsets[-1])]
        found, found_masked = empty_heaps(len(again), k), empty_heaps(len(again), masked)
        reached = np.where(full[again], best.scores[again, 0], np.float32(0))
        search(rows[again], own_terms, offsets, index, 0, ranges, numbers, masks, reached, found, found_masked)
        for whole, part in ((best, found), (kept_out, found_masked)):
            for values, own in zip(whole, part, strict=True):
                values[again] = own
    return best, kept_out
