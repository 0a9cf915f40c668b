"""The record of runs: what a step took, kept beside the shards, and no part of a result."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import open_ml_embed as ome
from curation.build import Build, StepResult
from curation.failures import RefusedError
from curation.pipeline import run as running
from curation.pipeline import runs
from curation.pipeline.runs import KEPT, last_runs, path_of, read_runs, recorded
from curation.report.data import FORMS, read_folder
from curation.settings import Profile
from open_ml_embed.core import engine, memory, metering, ray_workers
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.metering import Meter, metered
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import NoSettings, Task
from tests.support import project

RECORD = "work/tiny/.runs.jsonl"


@pytest.fixture
def build(tmp_path):
    return Build("tiny", Profile(), tmp_path, Workers("local", 3))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A project after three steps, the second of them run twice."""
    root = project.make(tmp_path_factory.mktemp("built"), rows=40)
    for step in ("fetch", "normalize", "normalize", "identify"):
        project.curate(root, step, "--workers", "2")
    return root


def test_every_run_is_on_record(built):
    lines = [json.loads(line) for line in (built / RECORD).read_text().splitlines()]
    assert [line["step"] for line in lines] == ["fetch", "normalize", "normalize", "identify"]
    assert {line["end"] for line in lines} == {"done"}
    of_identify = len(list((built / "work/tiny").rglob("*.done.json"))) - 5
    counts = [(line["tasks_done"], line["tasks_resumed"]) for line in lines]
    assert counts == [(0, 0), (5, 0), (0, 5), (of_identify, 0)]
    for line in lines:
        assert (line["engine"], line["workers"]) == ("local", 2)
        assert datetime.now(UTC) - datetime.fromisoformat(line["started"]) < timedelta(hours=1)
        assert datetime.fromisoformat(line["started"]).utcoffset() == timedelta(0)
        assert 0 < line["seconds"] < 600
        assert line["peak_memory"] > 50 << 20
    assert lines[1]["cpu_seconds"] > lines[2]["cpu_seconds"], "two worker processes were started"


def test_the_status_shows_the_last_runs(built):
    lines = [json.loads(line) for line in (built / RECORD).read_text().splitlines()]
    status = json.loads(project.run(built, "status", "--json"))
    assert status["last_runs"] == {"fetch": lines[0], "normalize": lines[2], "identify": lines[3]}
    shown = project.run(built, "status")
    assert "last runs on this machine" in shown
    day = lines[2]["started"][:10]
    (row,) = [line.split() for line in shown.splitlines() if "normalize" in line and day in line]
    assert row[-2:] == ["0", "5"]


def test_the_record_is_no_unknown_file_and_no_part_of_a_result(built):
    verified = json.loads(project.run(built, "verify", "--deep", "--json"))
    assert verified["findings"] == []
    assert RECORD not in project.tree(built)


def test_the_runs_are_a_table_on_request(built, tmp_path):
    for name, options in (("without", ()), ("with", ("--runs",))):
        project.run(built, "report", "--data", str(tmp_path / name), *options)
    files = {name: {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("without", "with")}
    assert not any(name.startswith("runs") for name in files["without"])
    assert {name for name in files["with"] if files["with"][name] != files["without"].get(name)} == {
        "runs.json", "runs.csv", "runs.parquet", "tables.json"
    }  # fmt: skip
    lines = [json.loads(line) for line in (built / RECORD).read_text().splitlines()]
    assert pq.read_table(tmp_path / "with" / "runs.parquet").to_pylist() == lines
    assert set(read_folder(tmp_path / "with")) == set(FORMS), "a diff does not compare them"
    tables = ome.Build.from_params(built / "params.yaml").tables(with_runs=True)
    assert isinstance(tables["runs"].arrow, pa.Table)
    assert tables["runs"].rows == lines
    with pytest.raises(ome.CorpusError, match="--data FOLDER"):
        project.run(built, "report", "--runs")


def test_where_shards_lie_in_a_bucket_the_record_stays_here(tmp_path):
    build = Build("tiny", Profile.model_validate({"work": "s3://bucket/folder"}), tmp_path)
    with recorded(build, "mix-all", Meter()):
        pass
    assert path_of(build) == tmp_path / RECORD
    (run,) = read_runs(build)
    assert (run.step, run.workers) == ("mix all", len(os.sched_getaffinity(0)))
    assert last_runs(build) == {"mix-all": run}


@pytest.mark.parametrize(
    ("error", "end"),
    [(None, "done"), (RefusedError("x"), "refused"), (ValueError("x"), "failed"), (KeyboardInterrupt(), "stopped"),
     (SystemExit(143), "stopped")],
)  # fmt: skip
def test_how_a_run_ended_is_recorded(build, error, end):
    with pytest.raises(type(error)) if error else nullcontext(), recorded(build, "dedup", Meter()):
        if error:
            raise error
    assert [run.end for run in read_runs(build)] == [end]


def test_a_run_that_does_not_begin_is_not_recorded(tmp_path):
    root = project.make(tmp_path, rows=10)
    with pytest.raises(ome.CorpusError, match="fetch"):
        project.run(root, "normalize")
    assert not (root / RECORD).exists()


def test_a_line_that_was_cut_off_is_skipped_and_nothing_is_glued_to_it(build):
    path = path_of(build)
    path.parent.mkdir(parents=True)
    for cut in (b"", b'{"step": "dedup", "sta', b"\xff\xfe\n", b'{"step": "dedup"}'):
        with path.open("ab") as file:
            file.write(cut)
        with recorded(build, "dedup", Meter()):
            pass
    assert len(read_runs(build)) == 4
    assert len(path.read_bytes().splitlines()) == 7


def test_old_lines_are_dropped_and_the_last_run_of_each_step_stays(build, monkeypatch):
    monkeypatch.setattr(runs, "MOST_BYTES", 40_000)
    with recorded(build, "fetch", Meter()):
        pass
    for n in range(400):
        meter = Meter()
        meter.tasks_done = n
        with recorded(build, "mine", meter):
            pass
        assert path_of(build).stat().st_size <= 40_000
    found = read_runs(build)
    assert found[0].step == "fetch"
    mined = [run.tasks_done for run in found if run.step == "mine"]
    assert mined == list(range(400 - len(mined), 400))
    assert len(mined) >= KEPT


def test_a_record_that_cannot_be_written_does_not_fail_the_run(build, capsys):
    path_of(build).mkdir(parents=True)
    with recorded(build, "dedup", Meter()):
        pass
    assert "not recorded" in capsys.readouterr().err
    assert read_runs(build) == []


def test_a_step_from_python_is_recorded_by_what_runs_every_step(build, monkeypatch):
    made = StepResult("dedup")
    monkeypatch.setattr(running, "inputs_of", lambda build, step: None)
    monkeypatch.setitem(running.RUNS, "dedup", f"{__name__}:_step")
    monkeypatch.setattr(sys.modules[__name__], "MADE", made, raising=False)
    assert running.run_step(build, "dedup") is made
    (run,) = read_runs(build)
    assert run.cpu_seconds >= 0.3
    assert run.peak_memory >= 300 << 20
    assert memory.resident() < run.peak_memory


def _step(build, inputs):
    held = bytearray(300 << 20)
    held[:: 1 << 12] = bytes(len(held[:: 1 << 12]))
    begun = time.process_time()
    while time.process_time() < begun + 0.3:
        pass
    return MADE  # noqa: F821 (set by the test)


class Busy:
    """Takes CPU time and memory in each task."""

    name, version, settings = "busy", 1, NoSettings()

    def run(self, task, store, out):
        held = bytearray(task.payload)
        held[:: 1 << 12] = b"1" * len(held[:: 1 << 12])
        begun = time.process_time()
        while time.process_time() < begun + 0.25:
            pass
        return {}


def test_worker_processes_are_measured(tmp_path):
    tasks = [Task(f"t{n}", (str(n),), (200 << 20) * (n == 1)) for n in range(4)]
    with metered() as meter, engine.kept_workers():
        engine.run(Busy(), tasks, Store(str(tmp_path)), Workers("local", 2))
    assert (meter.tasks_done, meter.tasks_resumed) == (4, 0)
    assert meter.cpu_seconds >= 1.0
    assert 200 << 20 <= meter.peak_memory < 200 << 20 | 4 << 30
    with metered() as again:
        engine.run(Busy(), tasks, Store(str(tmp_path)), Workers("local", 2))
    assert (again.tasks_done, again.tasks_resumed) == (0, 4)
    assert again.cpu_seconds < meter.cpu_seconds / 2


def test_tasks_of_a_cluster_are_measured_where_they_run(tmp_path):
    task = Task("t", (), 200 << 20)
    marker, usage = ray_workers._execute(Busy(), task, "key", str(tmp_path))
    assert marker.key == "key"
    assert usage.cpu_seconds >= 0.25
    assert usage.peak_memory >= 200 << 20
    metering.saw_elsewhere(usage)  # without a meter nothing is counted
    with metered() as meter:
        before = meter.cpu_seconds
        metering.saw_elsewhere(usage)
        assert meter.cpu_seconds - before >= usage.cpu_seconds
    assert meter.peak_memory >= usage.peak_memory


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/self/clear_refs")
def test_the_peak_of_an_earlier_step_is_not_that_of_the_next():
    script = (
        "from open_ml_embed.core import memory\n"
        "held = b'1' * (400 << 20)\n"
        "high = memory.peak()\n"
        "del held\n"
        "memory.restart_peak()\n"
        "print(high, memory.peak())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    high, low = map(int, done.stdout.split())
    assert high >= 400 << 20 > low > 1 << 20


def test_without_proc_the_peak_is_that_of_the_process(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "nowhere")
    monkeypatch.setattr(memory, "CLEAR_PEAK", tmp_path / "nowhere" / "either")
    memory.restart_peak()
    unit = 1 if sys.platform == "darwin" else 1024
    assert memory.peak() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def test_a_run_that_is_ended_by_a_signal_is_recorded(tmp_path):
    root = project.make(tmp_path, rows=3000)
    project.run(root, "fetch")
    command = [sys.executable, "-m", "curation.cli.app", "normalize", "--workers", "1"]
    child = subprocess.Popen(
        command, cwd=root, env=project.environment(root), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    child.stderr.readline()  # its first line of progress
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=60)
    assert child.returncode == 128 + signal.SIGTERM
    last = [json.loads(line) for line in (root / RECORD).read_text().splitlines()][-1]
    assert (last["step"], last["end"]) == ("normalize", "stopped")
