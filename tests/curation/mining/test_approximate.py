"""Approximate search: what it finds is scored and masked exactly, and how much it misses is measured."""

import sys

import numpy as np
import pytest

from curation.mining import mine
from curation.mining.masks import no_masks
from curation.mining.settings import MiningSettings
from curation.mining.topk.exact import exact_topk
from curation.mining.vectors import ArrayVectors
from open_ml_embed.core.errors import SettingsError

SETTINGS = MiningSettings(preset="none", range_max=20, num_negatives=10, approximate_above=1000)


def clustered(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = rng.standard_normal((40, 16))[rng.integers(0, 40, n)] + 0.4 * rng.standard_normal((n, 16))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16)


def test_without_faiss_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(SettingsError, match=r"1,001 documents.*\n.*pip install 'open-ml-embed\[faiss\]'"):
        mine(clustered(2, 0), clustered(1001, 1), [0, 1], SETTINGS)
    assert mine(clustered(2, 0), clustered(1000, 1), [0, 1], SETTINGS).recall == 1.0


def test_recall_is_measured_and_true():
    pytest.importorskip("faiss")
    from curation.mining.topk.faiss_backend import ApproximateSearch

    queries, documents = clustered(300, 2), clustered(5000, 3)
    masks, rows = no_masks(300), np.arange(300)
    exact = exact_topk(queries, documents, 20)
    before = 0.0
    for probed in (1, 4, 400):
        index = ApproximateSearch(ArrayVectors(documents), np.arange(5000, dtype=np.int32), probed=probed, block=700)
        found = np.concatenate([f.ids for _, f in index.search(ArrayVectors(queries), 20, masks=masks, rows=rows)])
        hits = np.mean([len(np.intersect1d(a, b)) / 20 for a, b in zip(found, exact.ids, strict=True)])
        recall = index.recall(ArrayVectors(queries), 20, masks=masks, rows=rows)
        assert recall == pytest.approx(hits)
        assert recall > before
        before = recall
    assert before > 0.99  # every list was looked into: what float16 lists swap at the end of the ranking is all


def test_mining_with_every_list_probed_differs_by_nothing_that_counts():
    pytest.importorskip("faiss")
    queries, documents = clustered(50, 4), clustered(1500, 5)
    positives = list(range(50))
    near = mine(queries, documents, positives, SETTINGS)
    exact = mine(queries, documents, positives, SETTINGS.model_copy(update={"approximate_above": 10_000}))
    assert exact.recall == 1.0 > near.recall > 0.8
    assert near.positive_score.tobytes() == exact.positive_score.tobytes()
    shared = np.mean([len(np.intersect1d(near.of(q), exact.of(q))) / 10 for q in range(50)])
    assert shared > 0.8
    for query in range(50):
        assert query not in near.of(query)
        known = dict(zip(exact.of(query).tolist(), exact.scores[exact.offsets[query] :].tolist(), strict=False))
        mine_scores = near.scores[near.offsets[query] : near.offsets[query + 1]].tolist()
        for document, score in zip(near.of(query).tolist(), mine_scores, strict=True):
            assert known.get(document, score) == score
