"""The threshold that a sample foretells: how likely it is too high, and that results are exact even then."""

import numpy as np
import pytest

from curation.mining import bm25_threshold
from curation.mining.bm25 import RANGE, query_terms
from curation.mining.bm25_build import build_index
from curation.mining.bm25_threshold import RISK, SHARE, rank_in_sample, sample_first, top_k
from curation.mining.masks import no_masks
from curation.mining.topk.exact import to_topk
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.text.tokens import Tokens


def texts(rng: np.random.Generator, count: int, length: int, vocabulary: int) -> Tokens:
    lengths = rng.integers(1, 2 * length, count)
    word = (vocabulary ** rng.random(lengths.sum())).astype(np.uint64)
    return Tokens(word << np.uint64(40), offsets_of(lengths), np.zeros(count, np.uint64))


@pytest.mark.parametrize("n", [0, 1, RANGE, RANGE + 1, 3 * RANGE - 7, 20 * RANGE + 5, 100 * RANGE])
def test_a_sample_is_whole_ranges_from_everywhere(n):
    order, sample = sample_first(n)
    assert sorted(order.tolist()) == list(range(n))
    size = sample * RANGE
    assert (sample == 0) == (n <= RANGE)
    assert size <= max(n / SHARE, RANGE)
    assert (np.diff(order[:size]) > 0).all()
    assert (np.diff(order[size:]) > 0).all()
    if sample:
        gaps = np.diff(order[:size], prepend=0, append=n)
        assert gaps.max() <= n // size + 2


@pytest.mark.parametrize(("k", "share"), [(100, 1 / 8), (100, 1 / 2), (10_000, 1 / 8), (10, 1 / 8)])
def test_a_random_sample_rarely_holds_so_many_of_the_best(k, share):
    drawn = np.random.default_rng(0).binomial(k, share, 1_000_000)
    rank = rank_in_sample(k, share)
    assert 1 < rank < k
    assert (drawn >= rank).mean() < RISK * 1.1
    assert (drawn >= rank - 1).mean() > RISK * 0.9


def test_no_rank_is_sure_enough_for_one_document_or_for_most_of_them():
    assert rank_in_sample(1, 1 / 8) == 1
    assert rank_in_sample(5, 0.9) == 5


@pytest.mark.parametrize("trap", [False, True])
def test_results_are_exact_whatever_the_sample_is_like(monkeypatch, trap):
    """The trap: all documents that answer a query are in the sample, so it foretells a threshold that is too high."""
    rng = np.random.default_rng(4)
    n, m, k = 60, 3 * RANGE + 99, 40
    queries, documents = texts(rng, n, 6, 500), texts(rng, m, 20, 500)
    order, sample = sample_first(m)
    if trap:
        # of the even queries, as many documents as are enough to mislead hold the whole query
        rank = rank_in_sample(k, sample * RANGE / m)
        parts = np.split(documents.hashes, documents.offsets[1:-1])
        for q in range(0, n, 2):
            own = queries.hashes[queries.offsets[q] : queries.offsets[q + 1]]
            for place in range(q * rank, (q + 1) * rank):
                parts[order[place]] = np.repeat(own, 3)
        documents = Tokens(np.concatenate(parts), offsets_of([len(part) for part in parts]), documents.exact)
    chunks = []
    for start in range(0, m, RANGE):
        parts = [
            documents.hashes[documents.offsets[d] : documents.offsets[d + 1]] for d in order[start : start + RANGE]
        ]
        chunks.append(
            Tokens(np.concatenate(parts), offsets_of([len(p) for p in parts]), np.zeros(len(parts), np.uint64))
        )
    index = build_index(chunks, k1=1.5, b=0.75)
    terms, starts = query_terms(index, queries)
    searched: list[list[int]] = []
    search = bm25_threshold.search

    def spy(rows, *rest):
        searched.append(rows.tolist())
        search(rows, *rest)

    monkeypatch.setattr(bm25_threshold, "search", spy)
    rows, masks, numbers = np.arange(n), no_masks(n), order.astype(np.int32)
    masks = masks._replace(document_cluster=np.arange(m))
    found = to_topk(*top_k(rows, terms, starts, index, sample, numbers, masks, k, 8))
    again = [row for part in searched[2:] for row in part]
    # short documents mislead other queries too
    assert set(range(0, n, 2)) <= set(again) if trap else len(again) <= 1
    searched.clear()
    exact = to_topk(*top_k(rows, terms, starts, index, 0, numbers, masks, k, 8))
    assert len(searched) == 1
    assert found.ids.tobytes() == exact.ids.tobytes()
    assert found.scores.tobytes() == exact.scores.tobytes()
