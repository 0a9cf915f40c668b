"""The memory of a run: one computation for a key, also among threads, and none is kept that failed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sources.fetch.once import Once


def test_threads_that_ask_at_once_get_one_result():
    once, calls, barrier = Once(), [], threading.Barrier(8)

    def compute():
        calls.append(1)
        return object()

    def ask(_):
        barrier.wait()
        return once.of("key", compute)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(ask, range(8)))
    assert len(calls) == 1
    assert len(set(map(id, results))) == 1
    assert once.of("other", compute) is not results[0]


def test_a_failure_is_not_remembered():
    once, answers = Once(), iter([ValueError("not yet"), None])

    def compute():
        answer = next(answers)
        if answer is not None:
            raise answer
        return "done"

    with pytest.raises(ValueError, match="not yet"):
        once.of("key", compute)
    assert once.of("key", compute) == "done"
