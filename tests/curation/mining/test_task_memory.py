"""The memory that tasks of step `mine` say they need, beside what they take."""

import random
import sys
import threading
from pathlib import Path

import pytest

from curation.mining.step import run as step
from open_ml_embed.core import engine, memory
from tests.support.mining_rows import mine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def held() -> int:
    """Return the bytes that this process holds for itself; pages of files are not counted."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


class Peak:
    """Measures the most memory that is held beyond what was held at the start."""

    def __enter__(self) -> "Peak":
        memory.give_back()
        self.start = self.most = held()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self) -> None:
        while not self.ended.wait(0.002):
            self.most = max(self.most, held())

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
        self.bytes = self.most - self.start


def rows(count: int, words: int, negatives: int, vocabulary: int) -> list[dict]:
    rng = random.Random(count)

    def text(length: int) -> str:
        return " ".join(f"w{int(vocabulary ** rng.random())}" for _ in range(length))

    return [
        {"query": text(8), "positive": text(words), "negatives": [text(words) for _ in range(negatives)]}
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("count", "words", "negatives", "vocabulary"),
    [
        pytest.param(200, 20, 0, 20_000, id="small"),
        pytest.param(4_000, 60, 0, 20_000, id="passages"),
        pytest.param(1_500, 40, 3, 20_000, id="given negatives"),
        pytest.param(800, 600, 0, 20_000, id="articles"),
        pytest.param(4_000, 40, 0, 10**12, id="words that occur once"),
    ],
)
def test_a_task_takes_no_more_memory_than_it_says(workshop, monkeypatch, count, words, negatives, vocabulary):
    workshop.manifest("a", ["x"])
    made = rows(count, words, negatives, vocabulary)
    taken: dict[str, tuple[int, int]] = {}
    run = engine.run

    def measured(operation, tasks, store, workers):
        with Peak() as peak:
            markers = run(operation, tasks, store, workers)
        if operation.name in ("pools", "mined"):
            (task,) = tasks
            taken[operation.name] = (peak.bytes, task.memory)
        return markers

    mine(workshop, {("a", "x"): made[:50]})  # compiles, and imports what is imported late
    monkeypatch.setattr(step.engine, "run", measured)
    mine(workshop, {("a", "x"): made}, shard_rows=3000)
    assert set(taken) == {"pools", "mined"}
    for name, (peak, stated) in taken.items():
        assert peak <= stated, name
        assert stated < 64 * 2**20 + 12 * max(peak, 8 * 2**20), name
