"""Files and folders are there whole or not at all."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from open_ml_embed.core.files import is_alive, whole_file, whole_folder, write_whole


def test_a_file_appears_when_its_block_ends_and_folders_are_made(tmp_path):
    path = tmp_path / "a/b/c.json"
    with whole_file(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["c.json"]


def test_an_error_leaves_what_was_there(tmp_path):
    write_whole(tmp_path / "x", "old")
    with pytest.raises(RuntimeError), whole_file(tmp_path / "x") as temporary:  # noqa: PT012 (the block is what fails)
        temporary.write_text("half")
        raise RuntimeError
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "x.d") as filled:  # noqa: PT012 (likewise)
        (filled / "one").write_text("half")
        raise RuntimeError
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x"]
    assert (tmp_path / "x").read_text() == "old"


def test_a_folder_takes_the_place_of_the_one_before(tmp_path):
    for number in range(3):
        with whole_folder(tmp_path / "d") as filled:
            (filled / f"{number}").mkdir()
            (filled / f"{number}" / "file").write_bytes(b"x" * number)
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["d", "d/2", "d/2/file"]


KILLED = """
import sys, time
from pathlib import Path
from open_ml_embed.core.files import whole_file, whole_folder
path = Path(sys.argv[1])
with whole_file(path / "file") as one, whole_folder(path / "folder") as two:
    one.write_text("half")
    (two / "part").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_left_is_removed_by_the_next_writer(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    left = sorted(p.name for p in tmp_path.iterdir())
    assert len(left) == 2
    write_whole(tmp_path / "file", "mine")  # the other still writes: its names are not touched
    assert set(left) < {p.name for p in tmp_path.iterdir()}
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{process.pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    write_whole(tmp_path / "file", "mine")
    with whole_folder(tmp_path / "folder") as filled:
        (filled / "part").write_text("whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "folder/part").read_text() == "whole"


def test_two_names_of_which_one_begins_with_the_other_do_not_disturb_each_other(tmp_path):
    with whole_file(tmp_path / "a") as one, whole_file(tmp_path / "a.b") as two:
        one.write_text("1")
        two.write_text("2")
    assert (tmp_path / "a").read_text() + (tmp_path / "a.b").read_text() == "12"


def test_a_process_that_has_ended_does_not_run_though_nobody_has_waited_for_it():
    """A container's first process may never wait: what such a process left would stay for good."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert is_alive(child.pid)
        child.kill()
        until = time.monotonic() + 20
        while is_alive(child.pid) and time.monotonic() < until:
            time.sleep(0.05)
        assert not is_alive(child.pid)
    finally:
        child.communicate()
