"""Class negatives: from other classes only, balanced, seeded, and never a text that stands in the query's class."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.mining.classes import mine_classes
from curation.mining.masks import Ragged, build_masks
from curation.mining.negatives import ORIGINS
from curation.mining.rules import Pool


def make_pool(n: int, cluster: np.ndarray, positives=None, given=None, seed: int = 0, **masks) -> Pool:
    links = Ragged.of(positives or [[] for _ in range(n)])
    keys = np.random.default_rng(seed).integers(0, 2**63, n).astype(np.uint64)
    return Pool(build_masks(links, cluster, **masks), Ragged.of(given or [[] for _ in range(n)]), keys)


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 60), st.integers(1, 12))
@settings(deadline=None, max_examples=100)
def test_only_texts_of_other_classes(seed, classes, documents, keep):
    rng = np.random.default_rng(seed)
    n = 20
    cluster = rng.integers(0, max(1, documents // 2), documents)
    members, labels = rng.integers(0, documents, 80).astype(np.int32), rng.integers(0, classes, 80)
    query_label = rng.integers(-1, classes + 1, n)
    contaminated = rng.random(documents) < 0.1
    pool = make_pool(n, cluster, seed=seed, contaminated=contaminated)
    found = mine_classes(query_label, members, labels, pool, keep, 1)
    again = mine_classes(query_label, members[::-1].copy(), labels[::-1].copy(), pool, keep, 1)
    assert found.ids.tolist() == again.ids.tolist()
    for query, label in enumerate(query_label):
        drawn = found.of(query)
        assert len(drawn) <= keep
        assert len(set(cluster[drawn])) == len(drawn)
        assert not contaminated[drawn].any()
        own = set(cluster[members[labels == label]])
        assert not own & set(cluster[drawn])
        assert set(drawn) <= set(members[labels != label])
        assert label >= 0 or not len(drawn)


def test_balanced_over_the_other_classes_and_seeded():
    sizes = [500, 20, 100, 30, 50]
    labels = np.repeat(np.arange(5), sizes)
    members = np.arange(len(labels), dtype=np.int32)
    pool = make_pool(len(labels), np.arange(len(labels)))
    found = mine_classes(labels, members, labels, pool, 8, 1)
    assert found.short(8) == 0
    assert set(found.origins) == {ORIGINS.index("class")}
    for query in range(len(labels)):
        assert np.bincount(labels[found.of(query)], minlength=5).tolist() == [
            2 * (c != labels[query]) for c in range(5)
        ]
    drawn = np.bincount(found.ids[labels[found.ids] == 0], minlength=500)
    assert drawn.max() < 10  # each member of the largest class has its turn
    assert mine_classes(labels, members, labels, pool, 8, 2).ids.tolist() != found.ids.tolist()


def test_a_draw_does_not_depend_on_the_order_of_queries():
    labels, members = np.arange(60) % 3, np.arange(60, dtype=np.int32)
    pool = make_pool(60, np.arange(60))
    order = np.random.default_rng(1).permutation(60)
    shuffled = Pool(pool.masks, pool.given, pool.keys[order])
    found = mine_classes(labels, members, labels, pool, 4, 1)
    again = mine_classes(labels[order], members, labels, shuffled, 4, 1)
    assert [found.of(q).tolist() for q in order] == [again.of(q).tolist() for q in range(60)]


def test_given_negatives_come_first_and_are_masked():
    labels, members = np.array([0, 1, 1, 2]), np.arange(4, dtype=np.int32)
    pool = make_pool(4, np.array([0, 1, 1, 3]), positives=[[0], [1], [2], [3]], given=[[1], [2, 3], [], [3, 0]])
    found = mine_classes(labels, members, labels, pool, 1, 1)
    assert [found.of(q).tolist() for q in (0, 1, 3)] == [[1], [3], [0]]  # 2 is nearly 1, and 3 its own positive
    assert [ORIGINS[o] for o in found.origins] == ["given", "given", "class", "given"]
    assert found.rejected["near-positive"] == found.rejected["own-positive"] == 1


@pytest.mark.parametrize("labels", [np.zeros(5, np.int64), np.full(5, -1), np.zeros(0, np.int64)])
def test_without_another_class_there_is_nothing(labels):
    members = np.arange(len(labels), dtype=np.int32)
    found = mine_classes(labels, members, np.zeros(len(labels), np.int64), make_pool(len(labels), members), 3, 1)
    assert found.offsets.tolist() == [0] * (len(labels) + 1)
