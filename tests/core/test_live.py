"""What a run does now is in a file while it runs; none is left behind, and one of a dead process misleads nobody."""

import json
import subprocess
import sys
import time

import pytest

from open_ml_embed.core.live import EVERY_SECONDS, Doing, doing_at, show, shown_at
from open_ml_embed.core.progress import ByteProgress, Progress


@pytest.mark.parametrize(
    ("doing", "rate", "left"),
    [
        (Doing("mined", 30, 100, 10, 40.0), 0.5, 140.0),  # ten of them were done before: 20 in 40 s
        (Doing("mined", 10, 100, 10, 40.0), None, None),
        (Doing("mined", 100, 100, 0, 40.0), 2.5, 0.0),
        (Doing("fetch", 1, 9, 0, 10.0, bytes=500, total_bytes=2000), 50.0, 30.0),
        (Doing("fetch", 0, 9, 0, 0.0), None, None),
    ],
)
def test_the_time_left_follows_from_what_this_run_did(doing, rate, left):
    assert (doing.rate, doing.seconds_left) == (rate, left)


def test_the_file_is_there_while_the_block_runs(tmp_path):
    path = tmp_path / "now.json"
    with shown_at(path):
        with Progress("rows", total=3, done=1) as progress:
            found = doing_at(path)
            assert (found.step, found.done, found.total, found.resumed) == ("rows", 1, 3, 1)
            progress.advance("a")  # within two seconds: not written yet
            assert doing_at(path).done == 1
        with ByteProgress("fetch", total=2):
            assert doing_at(path).step == "fetch"
    assert not path.exists()
    show(Doing("rows", 0, 1, 0, 0.0), now=True)  # outside of any block
    assert list(tmp_path.iterdir()) == []


def test_it_is_written_again_after_a_while(tmp_path, monkeypatch):
    path = tmp_path / "now.json"
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with shown_at(path), Progress("rows", total=3) as progress:
        clock[0] = EVERY_SECONDS + 1
        progress.advance("a/b")
        assert (doing_at(path).done, doing_at(path).note) == (1, "a/b")


def test_a_file_of_a_process_that_ended_counts_for_nothing(tmp_path):
    path = tmp_path / "now.json"
    code = (
        "import os, sys; from pathlib import Path; from open_ml_embed.core import live;"
        "block = live.shown_at(Path(sys.argv[1])); block.__enter__();"
        "live.show(live.Doing('rows', 1, 2, 0, 1.0), now=True); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    assert json.loads(path.read_text())["step"] == "rows"
    assert doing_at(path) is None
    path.write_text("{")
    assert doing_at(path) is None
    assert doing_at(tmp_path / "none") is None


@pytest.mark.parametrize(("age", "counts"), [(5, True), (500, False)])
def test_a_file_of_another_machine_counts_while_it_is_new(tmp_path, age, counts):
    path = tmp_path / "now.json"
    found = {"step": "rows", "done": 1, "total": 2, "resumed": 0, "seconds": 1.0, "host": "another", "pid": 1}
    path.write_text(json.dumps(found | {"at": time.time() - age}))
    assert (doing_at(path) is not None) == counts


def test_a_folder_that_cannot_be_written_ends_no_run(tmp_path):
    (tmp_path / "file").write_text("")
    with shown_at(tmp_path / "file" / "now.json"), Progress("rows", total=1) as progress:
        progress.advance("a")
