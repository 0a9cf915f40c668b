"""Workers never outlive their parent, and a run that is asked to end does so at once, with its locks released."""

import os
import signal
import subprocess
import sys
import time

import pytest

from open_ml_embed.core.store import Store
from tests.support import ROOT, project

SLOW = """
import os, sys, time
from pathlib import Path
from pydantic import BaseModel
from open_ml_embed.core.engine import Workers, run
from open_ml_embed.core.task import Task
from open_ml_embed.core.processes import ended_by_signals
from open_ml_embed.core.store import Store

class Nothing(BaseModel):
    pass

class Sleep:
    name, version, settings = "sleep", 1, Nothing()
    def run(self, task, store, out):
        with store.writing(f"sleep/{task.path}.txt") as sink:
            sink.write(b"half")
            Path(store.root, f"pid-{os.getpid()}").touch()
            time.sleep(60)
        return {}

if __name__ == "__main__":
    with ended_by_signals():
        run(Sleep(), [Task(str(i), (), None) for i in range(4)], Store(sys.argv[1]), Workers(count=2))
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_no_worker_is_left_ten_seconds_after_its_parent(tmp_path, how):
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    store = tmp_path / "store"
    command = [sys.executable, str(script), str(store)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
    while len(pids := [int(p.name.removeprefix("pid-")) for p in store.glob("pid-*")]) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(how)
    begun = time.monotonic()
    code = process.wait(timeout=30)
    while any(map(alive, pids)) and time.monotonic() - begun < 20:
        time.sleep(0.05)
    assert time.monotonic() - begun < 10
    assert code == (128 + how if how in (signal.SIGTERM, signal.SIGHUP) else code)
    assert code != 0
    left = list(store.rglob("*.tmp"))
    assert left, "a killed worker leaves what it was writing"
    Store(str(store)).sweep("sleep")
    assert list(store.rglob("*.tmp")) == []
    assert not list(store.rglob("*.txt")), "half a file is no file"


def test_two_writers_of_one_file_do_not_share_a_temporary_one(tmp_path):
    store = Store(str(tmp_path))
    with store.writing("a/b.txt") as first:
        first.write(b"first, longer")
        with store.writing("a/b.txt") as second:
            second.write(b"second")
        store.sweep("a")
        assert (tmp_path / "a/b.txt").read_bytes() == b"second"
    assert (tmp_path / "a/b.txt").read_bytes() == b"first, longer"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.txt"]


def test_a_temporary_file_of_another_machine_is_removed_once_nobody_can_be_writing_it(tmp_path):
    """Nobody here can ask whether its process lives: a lost node of a cluster comes back under another name."""
    (tmp_path / "a").mkdir()
    names = ["old.arrow.elsewhere-1-0.tmp", "new.arrow.elsewhere-1-0.tmp", "notes.tmp"]
    for name in names:
        (tmp_path / "a" / name).write_bytes(b"")
    for name in (names[0], names[2]):
        os.utime(tmp_path / "a" / name, (0, 0))
    Store(str(tmp_path)).sweep("a")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(names[1:])


@pytest.mark.slow
def test_a_command_that_is_ended_says_so_and_goes_on_later(tmp_path):
    root = project.make(tmp_path, rows=1500)
    project.curate(root, "fetch")
    command = [sys.executable, "-m", "curation.cli.app", "normalize", "--workers", "2"]
    process = subprocess.Popen(
        command, cwd=root, env=project.environment(root), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    while process.poll() is None and not list((root / "work").rglob("*.done.json")):
        time.sleep(0.01)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (0, 143)
    if process.returncode == 143:
        assert "stopped; what is finished is kept: run the same command again" in said
        assert "Traceback" not in said
    project.curate(root, "normalize")
    fresh = project.make(tmp_path / "fresh", rows=1500)
    project.curate(fresh, "fetch")
    project.curate(fresh, "normalize")

    def rows(folder):
        return {p.name: p.read_bytes() for p in sorted((folder / "work/tiny/rows").rglob("*.rows.arrow"))}

    assert rows(root) == rows(fresh)
    assert rows(root)
