from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from train.data.plan import Draw, Plan, choose_negatives, choose_rank, raw, shuffled

SIZES = st.lists(st.integers(0, 40), min_size=1, max_size=5).filter(any)


def plan_of(sizes: list[int], batch_size: int, seed: int = 0) -> Plan:
    starts = np.cumsum([0, *sizes])
    rows = tuple(np.arange(a, b) for a, b in pairwise(starts))
    return Plan(rows, batch_size, seed, stage=1)


@given(SIZES, st.integers(1, 9), st.integers(0, 2**63))
def test_an_epoch_takes_every_row_once_in_batches_of_one_dataset(sizes: list[int], batch_size: int, seed: int) -> None:
    plan = plan_of(sizes, batch_size, seed)
    for epoch in range(2):
        steps = [plan.step(epoch * plan.steps_per_epoch + s) for s in range(plan.steps_per_epoch)]
        rows = np.concatenate([rows for _, rows in steps])
        assert sorted(rows) == list(range(sum(sizes)))
        for dataset, taken in steps:
            batches = math.ceil(sizes[dataset] / batch_size)
            assert len(taken) in (sizes[dataset] // batches, math.ceil(sizes[dataset] / batches))
            assert np.isin(taken, plan.rows[dataset]).all()
        counts = Counter(dataset for dataset, _ in steps)
        assert counts == {d: math.ceil(n / batch_size) for d, n in enumerate(sizes) if n}


def test_a_remainder_leaves_no_query_alone() -> None:
    plan = plan_of([1025, 3], 512)
    sizes = Counter(len(plan.step(s)[1]) for s in range(plan.steps_per_epoch))
    assert sizes == {342: 2, 341: 1, 3: 1}


def test_a_step_depends_on_its_number_only() -> None:
    forwards, backwards = plan_of([50, 30, 7], 4), plan_of([50, 30, 7], 4)
    steps = range(3 * forwards.steps_per_epoch)
    once = {s: forwards.step(s) for s in steps}
    for s in reversed(steps):
        dataset, rows = backwards.step(s)
        assert dataset == once[s][0]
        assert np.array_equal(rows, once[s][1])


def test_epochs_seeds_and_stages_differ() -> None:
    orders = {
        shuffled(Draw.ROWS, 50, np.arange(50), seed, stage, epoch, 0).tobytes()
        for seed in range(3)
        for stage in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 27
    assert raw(Draw.ROWS, 1, 0, 0)[0] != raw(Draw.ORDER, 1, 0, 0)[0]


def test_the_random_stream_is_the_one_every_machine_has() -> None:
    assert raw(Draw.ROWS, 2, 1, 2, 3, 4).tolist() == [15921587221921183309, 4538586178805429200]
    assert shuffled(Draw.ROWS, 10, np.arange(10), 1, 2, 3, 4).tolist() == [2, 7, 5, 3, 8, 0, 6, 1, 9, 4]


@given(st.integers(1, 300), st.integers(0, 2**63))
def test_a_shuffle_is_a_permutation_wherever_it_is_asked(n: int, seed: int) -> None:
    whole = shuffled(Draw.ROWS, n, np.arange(n), seed)
    assert sorted(whole) == list(range(n))
    at = np.arange(n)[:: max(1, n // 7)]
    assert np.array_equal(shuffled(Draw.ROWS, n, at, seed), whole[at])


def test_every_order_of_a_few_is_as_likely_as_any_other() -> None:
    counts = Counter(shuffled(Draw.ROWS, 4, np.arange(4), seed).tobytes() for seed in range(2400))
    assert len(counts) == 24
    # Chi-square with 23 degrees of freedom: 50 is passed once in a thousand times.
    assert sum((n - 100) ** 2 / 100 for n in counts.values()) < 50


def test_neighbors_are_torn_apart_in_a_large_shuffle() -> None:
    n = 10**12
    to = shuffled(Draw.ROWS, n, np.arange(5 * 10**11, 5 * 10**11 + 4000), 0).astype(float) / n
    assert np.histogram(to, 8, (0, 1))[0].min() > 420
    assert abs(np.corrcoef(to[:-1], to[1:])[0, 1]) < 0.05


def test_the_tail_of_an_epoch_has_the_datasets_of_its_whole() -> None:
    plan = plan_of([4000, 2000, 1000], 10)
    tail = Counter(plan.step(s)[0] for s in range(plan.steps_per_epoch - 100, plan.steps_per_epoch))
    assert 40 < tail[0] < 75
    assert set(tail) == {0, 1, 2}


def test_ranks_are_drawn_in_proportion() -> None:
    counts = Counter(choose_rank((64, 128, 192), 0, 0, step) for step in range(6000))
    assert abs(counts[64] / 6000 - 1 / 6) < 0.02
    assert abs(counts[192] / 6000 - 1 / 2) < 0.02


@given(st.lists(st.integers(0, 8), min_size=1, max_size=6), st.integers(0, 10), st.integers(0, 100))
def test_negatives_are_drawn_without_replacement(stored: list[int], wanted: int, step: int) -> None:
    drawn, taken = choose_negatives(stored, wanted, 0, 0, step)
    assert taken.tolist() == [min(wanted, n) for n in stored]
    for at, n, count in zip(drawn, taken, stored, strict=True):
        assert len(set(at[:n])) == n
        assert all(0 <= a < count for a in at[:n])
        assert not at[n:].any()


def test_negatives_differ_between_samples_unless_one_draw_serves_all() -> None:
    own, _ = choose_negatives([24] * 8, 7, 0, 0, 0)
    shared, _ = choose_negatives([24] * 8, 7, 0, 0, 0, per_sample=False)
    assert len({tuple(row) for row in own}) == 8
    assert len({tuple(row) for row in shared}) == 1
