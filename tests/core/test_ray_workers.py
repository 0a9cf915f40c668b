"""Ray as the engine: what does not answer, what no node can hold, and what Ray loses end in words."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks._ray_tasks import parent_of, runs_a_task
from open_ml_embed.core import ray_workers
from open_ml_embed.core.engine import Workers, run, run_all
from open_ml_embed.core.errors import CorpusError, StageError
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import NoSettings, Task
from tests.support import ROOT

RAY = Workers("ray", 2)


class Does:
    """Does what the payload says."""

    name, version, settings = "does", 1, NoSettings()

    def run(self, task, store, out):
        match task.payload:
            case "exit":
                os._exit(3)
            case "exit once":
                with store.writing(f"does/{task.path}.half") as sink:
                    sink.write(b"half")
                    sink.flush()
                    if not Path(store.root, "tried").exists():
                        Path(store.root, "tried").touch()
                        os._exit(3)
            case "sleep":
                Path(store.root, "begun").touch()
                time.sleep(600)
            case "look":
                return {"process": os.getpid(), "runs": runs_a_task(os.getpid()), "parent": parent_of(os.getpid())}
            case "raise":
                raise CorpusError("negative", where=task.path, remedy="positive")
        return {"process": os.getpid()}


BESIDE = """
import sys
from open_ml_embed.core.engine import Workers, run
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Task
from tests.core.test_ray_workers import Does

if __name__ == "__main__":
    print(len(run(Does(), [Task(str(i), (), "") for i in range(2)], Store(sys.argv[1]), Workers("ray", 1))))
"""


SHARES = """
import sys
import ray
from open_ml_embed.core.engine import Workers, kept_workers, run
from open_ml_embed.core.ray_workers import kept_connection
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Task
from tests.core.test_ray_workers import Does

def cluster(name, count):
    (marker,) = run(Does(), [Task("0", (), "")], Store(f"{sys.argv[1]}/{name}"), Workers("ray", count))
    return ray.get_runtime_context().get_node_id(), marker.stats["process"]

if __name__ == "__main__":
    with kept_connection():
        with kept_workers():
            found = [cluster("a", 1), cluster("b", 1)]
        found += [cluster("c", 1), cluster("d", 2)]
    assert not ray.is_initialized()
    nodes, processes = zip(*found)
    print(len(set(nodes[:3])), len(set(processes[:3])), nodes[3] in nodes[:3])
"""


SLEEPS = """
import sys, time
from open_ml_embed.core.engine import Workers, run
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Task
from tests.core.test_ray_workers import Does

if __name__ == "__main__":
    run(Does(), [Task("0", (), "sleep")], Store(sys.argv[1]), Workers("ray", 1))
"""


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_that_does_not_answer_is_refused_at_once(tmp_path, scheme):
    """Ray itself would try for ever."""
    pytest.importorskip("ray")
    address = f"{scheme}127.0.0.1:{free_port()}"
    start = time.monotonic()
    with pytest.raises(StageError, match="nothing answers there") as caught:
        run(Does(), [Task("a", (), "")], Store(str(tmp_path)), Workers("ray", 2, address))
    assert caught.value.where == f"--ray-address {address}"
    assert "ray start --head" in caught.value.remedy
    assert time.monotonic() - start < 30


ON_A_CLUSTER = """
import sys
from open_ml_embed.core.engine import Workers, run
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Task
from tests.core.test_ray_workers import Does

if __name__ == "__main__":
    tasks = [Task("a", (), ""), Task("b", (), "")]
    print(len(run(Does(), tasks, Store(sys.argv[1]), Workers("ray", 0, sys.argv[2]))))
"""


@pytest.mark.parametrize("head", ["token", "disabled"])
def test_a_cluster_gets_the_token_that_is_on_this_machine(tmp_path, head):
    """As a user has it: one command starts the head, another one builds on it, and neither names a token."""
    pytest.importorskip("ray")
    home, port = tmp_path / "home", free_port()
    (home / ".ray").mkdir(parents=True)
    (home / ".ray" / "auth_token").write_text("a" * 64)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | {"HOME": str(home)}
    ray = str(Path(sys.executable).parent / "ray")
    options = [f"--port={port}", "--num-cpus=1", "--include-dashboard=false", f"--temp-dir=/tmp/ray-{port}", "--block"]
    mode = {"RAY_AUTH_MODE": "disabled"} if head == "disabled" else {}
    started = subprocess.Popen(
        [ray, "start", "--head", *options], env=plain | mode, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and not answers(port):
            time.sleep(0.5)
        done = subprocess.run(
            [sys.executable, "-c", ON_A_CLUSTER, str(tmp_path / "work"), f"127.0.0.1:{port}"],
            env=plain | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.split() == ["2"]
    finally:
        started.terminate()
        started.wait()
        shutil.rmtree(f"/tmp/ray-{port}", ignore_errors=True)


def answers(port):
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


class BusyMachine:
    """Ray where the first starts end after its own 30 s; it raises nothing but `Exception` then."""

    def __init__(self, times):
        self.times, self.shutdowns = times, 0

    def init(self, **_):
        self.times -= 1
        if self.times >= 0:
            raise Exception("The current node timed out during startup.")

    def shutdown(self):
        self.shutdowns += 1


def test_a_start_that_takes_too_long_is_tried_again_and_then_explained():
    slow = BusyMachine(2)
    ray_workers._start(slow, None, {})
    assert slow.shutdowns == 2
    with pytest.raises(StageError, match="timed out during startup") as caught:
        ray_workers._start(BusyMachine(3), None, {})
    assert "too busy" in caught.value.remedy


def test_a_task_for_more_memory_than_any_node_has_runs_all_the_same(tmp_path, cluster):
    tasks = [Task(str(i), (), "", memory=1 << 50) for i in range(3)]
    markers = run(Does(), tasks, Store(str(tmp_path)), RAY)
    assert all(marker.stats["process"] != os.getpid() for marker in markers)


def test_a_worker_is_known_by_its_title_while_a_task_runs(tmp_path, cluster):
    """The benchmarks that kill workers and nodes look for it; a title they do not know would let all live."""
    (marker,) = run(Does(), [Task("a", (), "look")], Store(str(tmp_path)), RAY)
    assert marker.stats["runs"]
    assert marker.stats["parent"] != os.getpid()
    limit = time.monotonic() + 10
    while runs_a_task(marker.stats["process"]) and time.monotonic() < limit:
        time.sleep(0.01)
    assert not runs_a_task(marker.stats["process"])
    assert not runs_a_task(os.getpid())


def test_a_users_error_comes_through_whole(tmp_path, cluster):
    (error,) = run_all(Does(), [Task("a", (), "raise")], Store(str(tmp_path)), RAY)
    assert isinstance(error, CorpusError)
    assert (error.what, error.where, error.remedy) == ("negative", "a", "positive")
    assert str(error) == "a: negative\n  remedy: positive"  # not the remote traceback, which Ray puts there


def test_a_task_that_ends_its_process_is_named(tmp_path, cluster, monkeypatch):
    monkeypatch.setattr(ray_workers, "MOST_RETRIES", 0)
    with pytest.raises(StageError, match="Ray lost this task") as caught:
        run(Does(), [Task("a", (), "exit")], Store(str(tmp_path)), RAY)
    assert caught.value.where == "does/a"
    assert "finished shards are kept" in caught.value.remedy


def test_what_a_lost_process_was_writing_is_removed_by_the_run_that_goes_on(tmp_path, cluster):
    run(Does(), [Task("a", (), "exit once")], Store(str(tmp_path)), RAY)
    assert (tmp_path / "tried").exists()
    assert sorted(path.name for path in (tmp_path / "does").iterdir()) == ["a.done.json", "a.half"]


def printed_by(program, folder):
    """Return the words that a program of its own process prints."""
    script = folder / "program.py"
    script.write_text(program)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), str(folder / "store")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


def test_without_an_address_ray_is_started_here_beside_any_other_cluster(tmp_path, cluster):
    """`ray.init()` would connect to the other one, and refuse the number of cores."""
    assert printed_by(BESIDE, tmp_path)[-1] == "2"


def test_the_operations_of_a_step_and_the_steps_of_a_run_share_a_cluster(tmp_path):
    """To start one takes seconds, and dedup has ten operations. Another number of cores is another cluster."""
    pytest.importorskip("ray")
    assert printed_by(SHARES, tmp_path)[-3:] == ["1", "1", "False"]


def test_a_driver_that_is_killed_leaves_no_process_of_its_cluster(tmp_path):
    """Two agents of Ray were left: they wait for minutes for a server that is gone."""
    pytest.importorskip("ray")
    psutil = pytest.importorskip("psutil")
    script = tmp_path / "sleeps.py"
    script.write_text(SLEEPS)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    driver = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment)
    try:
        until = time.monotonic() + 120
        while not (tmp_path / "begun").exists():
            assert driver.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        of_cluster = psutil.Process(driver.pid).children(recursive=True)
        assert len(of_cluster) >= 5
    finally:
        driver.kill()
        driver.wait()
    _, left = psutil.wait_procs(of_cluster, timeout=10)
    assert left == []
