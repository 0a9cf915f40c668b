"""Shards, markers and the engine: what counts as done, and the same bytes from everybody."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from curation.normalize.settings import NormalizeSettings
from curation.settings import load_profile
from open_ml_embed.core.engine import Workers, run
from open_ml_embed.core.errors import CorpusError, SettingsError, UnknownNameError
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Task
from tests.support import ROOT

SCHEMA = pa.schema([pa.field("n", pa.int64())])


class Squares:
    """Writes squares; counts its own calls in a file beside the store."""

    name = "squares"
    version = 1

    def __init__(self, shard_rows: int = 10) -> None:
        self.settings = NormalizeSettings(shard_rows=shard_rows)

    def run(self, task, store, out):
        with Path(store.root, "calls").open("a") as calls:
            calls.write(task.path + "\n")
        if task.payload < 0:
            raise CorpusError("negative", where=task.path, remedy="positive")
        table = pa.table({"n": [i * i for i in range(task.payload)]}, schema=SCHEMA)
        out.table("squares", table.to_batches(), SCHEMA)
        return {"rows": task.payload}


def calls(store: Store) -> list[str]:
    path = Path(store.root, "calls")
    found = sorted(path.read_text().split()) if path.exists() else []
    path.unlink(missing_ok=True)
    return found


TASKS = [Task(f"s/{i}", (str(i),), i) for i in range(6)]


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_done_work_is_not_done_again_and_broken_work_is(tmp_path):
    store = Store(str(tmp_path))
    run(Squares(), TASKS, store, Workers("local", 1))
    assert len(calls(store)) == 6
    before = tree(tmp_path)
    run(Squares(), TASKS, store, Workers("local", 1))
    assert calls(store) == []
    shard = tmp_path / "squares/s/2.squares.arrow"
    shard.write_bytes(shard.read_bytes()[:-9])
    (tmp_path / "squares/s/3.squares.arrow").unlink()
    (tmp_path / "squares/s/4.done.json").unlink()
    (tmp_path / "squares/s/5.done.json").write_text('{"key": ')
    run(Squares(), TASKS, store, Workers("local", 1))
    assert calls(store) == ["s/2", "s/3", "s/4", "s/5"]
    assert tree(tmp_path) == before


def test_a_changed_setting_version_or_input_is_new_work(tmp_path):
    store = Store(str(tmp_path))
    run(Squares(), TASKS, store, Workers("local", 1))
    calls(store)
    run(Squares(shard_rows=11), TASKS, store, Workers("local", 1))
    assert len(calls(store)) == 6
    newer = Squares(shard_rows=11)
    newer.version = 2
    run(newer, TASKS, store, Workers("local", 1))
    assert len(calls(store)) == 6
    run(newer, [Task("s/1", ("other",), 1), *TASKS[2:]], store, Workers("local", 1))
    assert calls(store) == ["s/1"]


def test_results_come_in_task_order_whoever_works(tmp_path):
    trees = []
    for name, workers in {"one": Workers("local", 1), "four": Workers("local", 4)}.items():
        store = Store(str(tmp_path / name))
        Path(store.root).mkdir()
        markers = run(Squares(), TASKS, store, workers)
        assert [m.stats["rows"] for m in markers] == list(range(6))
        calls(store)
        trees.append(tree(tmp_path / name))
    assert trees[0] == trees[1]


class Places(Squares):
    """Says which process did the work."""

    def run(self, task, store, out):
        return super().run(task, store, out) | {"process": os.getpid()}


@pytest.mark.parametrize(("gpu", "here"), [(True, True), (False, False)])
def test_what_wants_a_gpu_of_this_machine_is_done_by_one_process(tmp_path, monkeypatch, gpu, here):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    markers = run(Places(), TASKS, Store(str(tmp_path)), Workers("local", 2, gpus=1))
    assert all((marker.stats["process"] == os.getpid()) == here for marker in markers)


@pytest.mark.parametrize("workers", [Workers("local", 1), Workers("local", 2)])
def test_a_users_error_comes_through_whole(tmp_path, workers):
    store = Store(str(tmp_path))
    with pytest.raises(CorpusError, match="s/7: negative") as caught:
        run(Squares(), [*TASKS, Task("s/7", ("7",), -1)], store, workers)
    assert caught.value.remedy == "positive"


def test_progress_is_json_lines_without_a_terminal(tmp_path, capsys):
    run(Squares(), TASKS, Store(str(tmp_path)), Workers("local", 1))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines[0]["done"] == 0
    assert (lines[-1]["step"], lines[-1]["done"], lines[-1]["total"]) == ("squares", 6, 6)


def test_marker_hash_is_the_hash_of_the_file(tmp_path):
    import xxhash

    store = Store(str(tmp_path))
    (marker,) = run(Squares(), TASKS[5:], store, Workers("local", 1))
    data = (tmp_path / marker.outputs[0].path).read_bytes()
    assert (marker.outputs[0].bytes, marker.outputs[0].xxh3) == (len(data), xxhash.xxh3_128_hexdigest(data))


def test_columns_are_read_by_name(tmp_path):
    store = Store(str(tmp_path))
    schema = pa.schema([("a", pa.int64()), ("b", pa.string()), ("c", pa.list_(pa.int32()))])
    table = pa.table({"a": [1, 2], "b": ["x", "y"], "c": [[1], []]}, schema=schema)
    store.write_table("t.arrow", table.to_batches(), schema)
    assert store.read_table("t.arrow", ["c", "a"]).equals(table.select(["c", "a"]))
    with pytest.raises(CorpusError, match="lacks the columns"):
        store.read_table("t.arrow", ["d"])


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("sample: {dedup: {shingel: 3}}", UnknownNameError, "shingle"),
        ("sample: {dedupe: {}}", UnknownNameError, "dedup"),
        ("sample: {dedup: {threshold: 2}}", SettingsError, "less than or equal to 1"),
        ("sample: {mixes: {retrieval: {capp: 2}}}", UnknownNameError, "cap"),
        ("smaple: {}", UnknownNameError, "smaple"),
        ("sample: [", SettingsError, "not YAML"),
        ("", SettingsError, "the file holds nothing"),
        ("# all commented out\n", SettingsError, "the file holds nothing"),
        ("- sample\n- full", SettingsError, "the file holds a list.*\n.*one section a profile"),
        ("sample", SettingsError, "the file holds only 'sample'"),
        ("profile: full", UnknownNameError, "sample"),
    ],
)
def test_wrong_settings_say_what_would_be_right(tmp_path, text, error, says):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(error, match=says):
        load_profile(path, "sample")


def test_the_checkouts_own_profiles_are_valid():
    root = ROOT
    assert {load_profile(root / "params.yaml", name)[0] for name in ("sample", "pilot", "full", None)} >= {"sample"}
