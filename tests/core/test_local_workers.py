"""Local workers: kept between operations, few at once where memory is short, and named when they die."""

import os
import signal
import time
from pathlib import Path

import pytest

from open_ml_embed.core import local_workers, memory
from open_ml_embed.core.engine import Workers, kept_workers, run, run_all
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.local_workers import LocalWorkers
from open_ml_embed.core.store import Marker, Store
from open_ml_embed.core.task import NoSettings, Task, key_of

TWO = Workers("local", 2)


class Says:
    """Says which process ran the task, and when."""

    name, version, settings = "says", 1, NoSettings()

    def run(self, task, store, out):
        start = time.monotonic()
        time.sleep(task.payload)
        return {"process": os.getpid(), "start": start, "stop": time.monotonic()}


class Dies:
    """Ends its process by a signal: each time, or only while another task runs."""

    name, version, settings = "dies", 1, NoSettings()

    def run(self, task, store, out):
        other = Path(store.root, "other-runs")
        match task.payload:
            case "other":
                other.touch()
                time.sleep(1)
                other.unlink()
            case "if not alone":
                deadline = time.monotonic() + 0.5  # the other may not have begun, where this one is the second try
                while time.monotonic() < deadline:
                    if other.exists():
                        os.kill(os.getpid(), signal.SIGKILL)
                    time.sleep(0.01)
            case number:
                os.kill(os.getpid(), number)
        return {}


class Local(Exception):
    def __init__(self, one, two):
        super().__init__(one + two)


class Raises:
    name, version, settings = "raises", 1, NoSettings()

    def run(self, task, store, out):
        if task.payload:
            raise Local("a", "b")  # pickles, but cannot be made again
        raise KeyError("nothing there")


def tasks(payloads, memory=()):
    return [Task(str(i), (), p, *memory[i : i + 1]) for i, p in enumerate(payloads)]


def test_operations_in_one_block_share_their_processes(tmp_path):
    with kept_workers():
        found = [run(Says(), tasks([0.1] * 4), Store(str(tmp_path / name)), TWO) for name in "ab"]
    one, two = ({marker.stats["process"] for marker in markers} for markers in found)
    assert len(one) == 2
    assert one == two
    assert os.getpid() not in one
    for process in one:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_process_that_holds_much_is_replaced_before_the_next_operation(tmp_path, monkeypatch):
    monkeypatch.setattr("open_ml_embed.core.local_workers.MOST_KEPT", 1)
    with kept_workers():
        found = [run(Says(), tasks([0, 0]), Store(str(tmp_path / name)), TWO) for name in "ab"]
    one, two = ({marker.stats["process"] for marker in markers} for markers in found)
    assert not one & two


class Meets:
    """Waits some seconds for another task to run at the same time."""

    name, version, settings = "meets", 1, NoSettings()

    def run(self, task, store, out):
        own = Path(store.root, f"here-{task.path}")
        own.touch()
        deadline = time.monotonic() + task.payload
        while len(list(Path(store.root).glob("here-*"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        met = len(list(Path(store.root).glob("here-*")))
        time.sleep(0.2)  # so that the other sees this one
        own.unlink()
        return {"met": met}


@pytest.mark.parametrize(
    ("needs", "seconds", "met"), [([5, 5], 60, 2), ([20, 0], 60, 2), ([6, 6], 0.5, 1), ([20, 1], 0.5, 1)]
)
def test_as_many_tasks_run_at_once_as_memory_allows(tmp_path, needs, seconds, met):
    operation, root = Meets(), str(tmp_path)
    jobs = [(i, (operation, task, key_of(operation, task), root)) for i, task in enumerate(tasks([seconds] * 2, needs))]
    with LocalWorkers() as workers:
        outcomes = dict(workers.run(jobs, 2, available=10))
    assert all(isinstance(outcome, Marker) for outcome in outcomes.values())
    assert [outcomes[i].stats["met"] for i in range(2)] == [met, met]


def test_a_task_killed_beside_others_runs_again_alone(tmp_path, capfd):
    markers = run(Dies(), tasks(["other", "if not alone"], [2, 1]), Store(str(tmp_path)), TWO)
    assert len(markers) == 2
    assert "dies/1: its worker was killed; it runs again, alone" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("number", "says", "remedy"),
    [(signal.SIGKILL, "want of memory", "where more memory is free"), (signal.SIGSEGV, "SIGSEGV", "report it")],
)
def test_a_task_that_ends_its_process_is_named(tmp_path, number, says, remedy):
    with pytest.raises(StageError, match=says) as caught:
        run(Dies(), tasks([number, 0, 0]), Store(str(tmp_path)), TWO)
    assert caught.value.where.startswith("dies/")
    assert remedy in caught.value.remedy


def test_errors_of_programs_come_with_the_lines_of_the_worker(tmp_path):
    key, local = run_all(Raises(), tasks([False, True]), Store(str(tmp_path)), TWO)
    assert isinstance(key, KeyError)
    assert "in run" in key.__notes__[0]
    assert isinstance(local, RuntimeError)
    assert "Local" in str(local)


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("", {}, 8 << 30),
        ("0::/\n", {"memory.max": "max", "memory.current": "5", "memory.stat": ""}, 8 << 30),
        (
            "0::/job/part\n",
            {
                "job/memory.max": str(3 << 30),
                "job/memory.current": str(2 << 30),
                "job/memory.stat": f"anon 7\ninactive_file {1 << 30}",
                "job/part/memory.max": "max",
                "job/part/memory.current": "1",
                "job/part/memory.stat": "",
            },
            2 << 30,
        ),
        (
            "9:cpu:/a\n4:memory:/job\n",
            {
                "memory/job/memory.limit_in_bytes": str(1 << 30),
                "memory/job/memory.usage_in_bytes": str(1 << 29),
                "memory/job/memory.stat": "total_inactive_file 0",
            },
            1 << 29,
        ),
    ],
    ids=["machine", "no limit", "version 2", "version 1"],
)
def test_free_memory_is_that_of_machine_and_control_groups(tmp_path, monkeypatch, groups, files, expected):
    for name, text in files.items():
        write(tmp_path / "groups", name, text)
    write(tmp_path, "own", groups)
    write(tmp_path, "meminfo", f"MemTotal: {16 << 20} kB\nMemAvailable: {8 << 20} kB\n")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    assert memory.available() == expected


def test_free_memory_without_proc_is_all_of_it(tmp_path, monkeypatch):
    for name in ("CGROUPS", "OWN_GROUP", "MEMINFO", "STATM"):
        monkeypatch.setattr(memory, name, tmp_path / "none")
    assert memory.available() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory.resident() > 10 << 20


def test_resident_memory_follows_what_is_held():
    before = memory.resident()
    held = bytearray(os.urandom(1 << 16) * 1024)
    assert memory.resident() - before > 50 << 20
    assert held


def test_a_worker_that_is_still_starting_is_not_ended_by_ctrl_c(tmp_path, capfd):
    """Ctrl-C reaches all processes of a terminal; one that was importing printed a traceback."""
    worker, task = local_workers._Worker(), Task("a", (), 0)
    try:
        for _ in range(30):
            os.kill(worker._process.pid, signal.SIGINT)
            time.sleep(0.02)
        worker.start((Says(), task, key_of(Says(), task), str(tmp_path)))
        outcome = worker.outcome()
    finally:
        worker.stop(kill=True)
    assert isinstance(outcome, Marker)
    assert "Traceback" not in capfd.readouterr().err
