"""Batches that are made ahead: the same ones, errors in their words, and no thread that stays."""

from __future__ import annotations

import itertools
import json
import mmap
import os
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from open_ml_embed.core.errors import StageError
from tests.support.synthetic import write_mix
from tests.train.loop.test_loop import facts, fresh
from train.data.feed import Feed
from train.data.mapped_pages import PAGE, MappedPages
from train.data.memmap_columns import Column, Ragged
from train.loop import stages
from train.loop.loop import Trainer


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "train3d-feed"]


@pytest.fixture(autouse=True)
def _nothing_stays():
    yield
    assert not threads()


@pytest.mark.parametrize("ahead", [0, 1, 3, 100])
def test_items_come_in_order_and_no_more_are_made_than_may_wait(ahead: int) -> None:
    made: list[int] = []

    def make(step: int) -> int:
        made.append(step)
        return step * step

    with Feed(make, 4, 20, ahead=ahead) as feed:
        for step in range(4, 20):
            assert feed.take(step) == step * step
            assert len(made) <= step - 4 + 1 + (ahead + 1 if ahead else 0)
        assert bool(threads()) <= bool(ahead)
    assert made == list(range(4, 20))


def test_a_step_out_of_order_is_a_mistake_of_ours() -> None:
    with Feed(str, 0, 5, ahead=2) as feed, pytest.raises(AssertionError):
        feed.take(1)


@pytest.mark.parametrize("ahead", [0, 2])
def test_an_error_comes_at_its_step_and_stays(ahead: int) -> None:
    error = StageError("the disk does not answer", where="a.arrow", remedy="see the log")

    def make(step: int) -> int:
        if step == 3:
            raise error
        return step

    with Feed(make, 0, 9, ahead=ahead) as feed:
        assert [feed.take(step) for step in range(3)] == [0, 1, 2]
        with pytest.raises(StageError) as caught:
            feed.take(3)
        assert caught.value is error


def test_the_wait_is_what_the_loop_waited() -> None:
    with Feed(lambda step: time.sleep(0.05), 0, 4, ahead=2) as feed:
        feed.take(0)
        first = feed.waited
        time.sleep(0.4)
        feed.take(1)
    assert first >= 0.02
    assert feed.waited < first


def test_a_feed_that_nobody_takes_from_ends() -> None:
    feed = Feed(lambda step: step, 0, 1 << 40, ahead=1)
    feed.close()
    feed.close()
    assert not threads()


@pytest.fixture
def mapped(tmp_path: Path):
    """Two files of lists and numbers, mapped as a store is, and their arrays."""
    lists = [
        pa.array([[i] * (i % 7 * 300) for i in range(part, part + 50)], pa.large_list(pa.int32())) for part in (0, 50)
    ]
    numbers = [pa.array(range(part, part + 50), pa.int64()) for part in (0, 50)]
    maps, batches = [], []
    for i, columns in enumerate(zip(lists, numbers, strict=True)):
        batch = pa.record_batch(list(columns), names=["a", "b"])
        path = tmp_path / f"{i}.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)
        with path.open("rb") as file:
            maps.append((path, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
        batches.append(pa.ipc.open_file(pa.BufferReader(pa.py_buffer(maps[-1][1]))).get_batch(0))
    return maps, batches


def test_exactly_the_pages_of_the_rows_are_read(mapped, monkeypatch: pytest.MonkeyPatch) -> None:
    maps, batches = mapped
    pages, paths = MappedPages(maps), [path for path, _ in maps]
    seen: set[tuple[int, int]] = set()
    own = os.pread

    def read(file: int, size: int, start: int) -> bytes:
        path = Path(f"/proc/self/fd/{file}").readlink()
        assert start % PAGE == size % PAGE == 0
        seen.update((paths.index(path), page) for page in range(start // PAGE, (start + size) // PAGE))
        return own(file, size, start)

    monkeypatch.setattr(os, "pread", read)
    rows = np.array([3, 77, 48, 51, 3, 99], np.int64)
    ragged, column = Ragged([b.column("a") for b in batches], pages), Column([b.column("b") for b in batches], pages)
    wanted: set[tuple[int, int]] = set()

    def add(part: int, address: int, size: int) -> None:
        start = address - np.frombuffer(maps[part][1], np.uint8).ctypes.data
        wanted.update((part, page) for page in range(start // PAGE, (start + max(size, 1) - 1) // PAGE + 1) if size)

    for row in rows.tolist():
        part, at = divmod(row, 50)
        array, number = batches[part].column("a"), batches[part].column("b")
        offsets = np.asarray(array.offsets)
        add(part, offsets.ctypes.data + 8 * at, 16)
        values = np.asarray(array.values)
        add(part, values.ctypes.data + 4 * int(offsets[at]), 4 * int(offsets[at + 1] - offsets[at]))
        add(part, number.to_numpy().ctypes.data + 8 * at, 8)
    ragged.prepare(rows)
    column.prepare(rows)
    assert seen == wanted
    assert [ragged[int(row)].tolist() for row in rows] == [[int(row) % 100] * (int(row) % 7 * 300) for row in rows]
    assert column[rows].tolist() == rows.tolist()


def test_a_file_that_became_shorter_is_an_error_in_words(mapped) -> None:
    maps, batches = mapped
    column = Column([b.column("b") for b in batches], MappedPages(maps))
    os.truncate(maps[1][0], 0)
    with pytest.raises(StageError, match="ends before byte") as caught:
        column.prepare(np.array([99]))
    assert caught.value.where == str(maps[1][0])


def test_the_files_are_closed_with_their_pages(mapped) -> None:
    maps, _ = mapped

    def opened() -> int:
        """How often these files are open: other tests' files may be closed at any time."""
        links = [os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()]
        return sum(links.count(str(path.resolve())) for path, _ in maps)

    before = opened()
    pages = MappedPages(maps)
    assert opened() == before + 2
    del pages
    assert opened() == before


@pytest.fixture(scope="module")
def without(settings, work, tmp_path_factory: pytest.TempPathFactory):
    """Facts and weights of a run that makes every batch when it needs it."""
    run = fresh(settings.model_copy(update={"prefetch": 0}), work, tmp_path_factory.mktemp("without"))
    trainer = Trainer(run)
    return facts(trainer.steps()), {name: value.clone() for name, value in trainer.model.state_dict().items()}


@pytest.mark.parametrize("ahead", [1, 4])
def test_steps_are_the_same_bits_with_and_without(settings, work, tmp_path: Path, without, ahead: int) -> None:
    run = fresh(settings.model_copy(update={"prefetch": ahead}), work, tmp_path)
    half = facts(itertools.islice(Trainer(run).steps(), 7))
    trainer = Trainer(run)
    assert trainer.position.done == 4
    assert half[:4] + facts(trainer.steps()) == without[0]
    assert all(torch.equal(value, without[1][name]) for name, value in trainer.model.state_dict().items())
    lines = [json.loads(line) for line in trainer.log.read_text("utf-8").splitlines()]
    assert all(0 <= line["data_wait_seconds"] <= line["seconds"] for line in lines)


def test_an_error_of_the_thread_ends_the_run_and_its_checkpoints_stay(settings, work, tmp_path, monkeypatch) -> None:
    own = stages.make_batch

    def make(store, plan, step, **named):
        if step == 6:
            raise OSError(5, "Input/output error", "documents-00000.ids.arrow")
        return own(store, plan, step, **named)

    monkeypatch.setattr(stages, "make_batch", make)
    trainer, entries = Trainer(fresh(settings, work, tmp_path)), []
    with pytest.raises(OSError, match=r"documents-00000\.ids\.arrow"):
        entries += trainer.steps()
    assert not threads()
    assert Trainer(fresh(settings, work, tmp_path)).position.done == 4


def test_a_loop_that_is_left_leaves_no_thread(settings, work, tmp_path) -> None:
    steps = Trainer(fresh(settings, work, tmp_path)).steps()
    next(steps)
    assert threads()
    steps.close()


def test_vectors_of_a_teacher_come_with_their_batch(mix, tmp_path, settings, work) -> None:
    """The thread reads the teacher's rows too; the loss is that of a loop without it."""
    root = write_mix(tmp_path / "mixes" / "mix")
    from train.config import Distillation
    from train.data.mix import Mix

    made = Mix(root, tmp_path / "digests.json")
    (tmp_path / "teacher" / "mix").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, kind in (("queries", "train"), ("documents", "documents")):
        np.save(
            tmp_path / "teacher" / "mix" / f"{name}.npy", rng.standard_normal((made.rows(kind), 8)).astype(np.float16)
        )
    distillation = Distillation(on="scores", teacher=str(tmp_path / "teacher"))
    objective = settings.objective.model_copy(update={"distillation": distillation})
    found = []
    for ahead in (0, 2):
        run = fresh(
            settings.model_copy(update={"objective": objective, "prefetch": ahead}), work, tmp_path / str(ahead)
        )
        found.append(facts(itertools.islice(Trainer(run).steps(), 5)))
    assert found[0] == found[1]
