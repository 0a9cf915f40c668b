from __future__ import annotations

import itertools
import math

import pytest

from train.config import Schedule
from train.loop.schedule import learning_rate

STEPS, WARMUP, PEAK = 200, 20, 2e-5
KINDS = ("cosine", "linear", "constant", "wsd")


def rates(**settings: object) -> list[float]:
    schedule = Schedule.model_validate(settings)
    return [learning_rate(s, peak=PEAK, warmup=WARMUP, steps=STEPS, schedule=schedule) for s in range(2 * STEPS)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_every_schedule_warms_up_and_never_rises_again(kind: str, floor: float) -> None:
    found = rates(kind=kind, floor=floor)
    assert found[:WARMUP] == pytest.approx([PEAK * (s + 1) / WARMUP for s in range(WARMUP)])
    assert max(found) == found[WARMUP - 1] == pytest.approx(PEAK)
    assert all(a >= b for a, b in itertools.pairwise(found[WARMUP - 1 :]))
    last = PEAK if kind == "constant" else PEAK * floor
    assert found[STEPS:] == pytest.approx([last] * STEPS)


def test_the_cosine_has_a_floor() -> None:
    found = rates(kind="cosine", floor=0.1)
    middle = WARMUP + (STEPS - WARMUP) // 2
    assert found[middle] == pytest.approx(PEAK * 0.55)
    at = WARMUP + 30
    assert found[at] == pytest.approx(PEAK * (0.1 + 0.9 * (1 + math.cos(math.pi * 30 / 180)) / 2))


def test_wsd_stays_and_falls_at_the_end() -> None:
    found = rates(kind="wsd", decay=0.25)
    assert found[WARMUP : STEPS - 50] == pytest.approx([PEAK] * (STEPS - 50 - WARMUP))
    assert found[STEPS - 25] == pytest.approx(PEAK / 2)
    assert found[STEPS - 1] == pytest.approx(PEAK / 50)


def test_linear_is_halfway_in_the_middle() -> None:
    assert rates(kind="linear")[WARMUP + 90] == pytest.approx(PEAK / 2)
