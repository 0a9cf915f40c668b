"""Ray: drivers and workers killed, two builds at once, a small object store, nodes lost; then the same bytes."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._ray_tasks import runs_a_task
from benchmarks.torture import verbs
from benchmarks.torture.rows import Row

_MARK = "CURATE_TORTURE"
"""Variable in the environment of every process that a run starts, which also Ray's processes have."""
ORPHANS_S = 10.0
WAYS = ("the driver killed", "a worker killed", "two builds at once", "a small object store")
SMALL_STORE = {"RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES": str(80_000_000)}
"""Ray takes no less than 75 MiB."""


def row(count: int, seed: int) -> Row:
    """Try each of `WAYS`, `count` times in all, and lose half as many nodes besides."""
    result = Row(
        "Ray: drivers and workers killed, two builds at once, a small object store, nodes lost while tasks run"
    )
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, verbs.Stages(Path(folder)) as stages:
        for number in range(count):
            way = WAYS[number % len(WAYS)]
            step = rng.choice([1, 2, 3])
            stages.restore(step)
            what = f"{' '.join(verbs.VERBS[step])}, {way}"
            fault = _tried(stages, step, way, rng, f"{seed}-{number}")
            code = verbs.run(stages.root, verbs.VERBS[step], stages.log)
            differing = verbs.differing(stages.root, stages.after[step])
            fault = fault or (f"run again: exit code {code}" if code else "")
            result.count(f"{what}: {fault}" if fault else "", differences=len(differing))
    _lose_nodes(max(1, count // 2), result)
    return result


def _tried(stages: verbs.Stages, step: int, way: str, rng: random.Random, mark: str) -> str:
    first = _start(stages, step, mark, SMALL_STORE if way == "a small object store" else {})
    second = _start(stages, step, mark, {}) if way == "two builds at once" else None
    until = time.monotonic() + (60 if way in ("a worker killed", "a small object store") else rng.uniform(2, 12))
    worker = None
    while worker is None and time.monotonic() < until and first.poll() is None:
        time.sleep(0.01)
        worker = _worker(mark) if way == "a worker killed" else None
    if worker is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    elif way == "a worker killed":
        first.kill()
        first.wait()
        return "no worker was seen that ran a task"
    if way == "the driver killed":
        first.kill()
    for process in filter(None, (first, second)):
        try:
            process.wait(300)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return "it did not end in 300 s"
        expected = (-signal.SIGKILL,) if way == "the driver killed" else ()
        if fault := verbs.fault_in(stages.log, process.returncode, expected=expected):
            return fault
    limit = time.monotonic() + ORPHANS_S
    while (left := _marked(mark)) and time.monotonic() < limit:
        time.sleep(0.2)
    for process_id in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)
    return f"{len(left)} processes were left" if left else ""


def _start(stages: verbs.Stages, step: int, mark: str, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "curation.cli.app", *verbs.VERBS[step], "--engine", "ray", "--workers", "2"]
    with stages.log.open("ab") as log:
        environment = verbs.project.environment(stages.root) | {_MARK: mark, **variables}
        return subprocess.Popen(command, cwd=stages.root, env=environment, stdout=log, stderr=log)


def _marked(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and f"{_MARK}={mark}\0".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


def _worker(mark: str) -> int | None:
    """Return a process that runs a task, if there is one."""
    return next(filter(runs_a_task, _marked(mark)), None)


def _lose_nodes(losses: int, result: Row) -> None:
    """Let `benchmarks.node_losses` lose nodes, and add what it counts."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.node_losses", "--losses", str(losses), "--folder", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"(\d+) nodes lost.* (\d+) differ", done.stdout)
    if found is None:
        result.count(f"node_losses ended with {done.returncode}: {done.stderr[-300:]}", times=losses)
        return
    lost, differing = map(int, found.groups())
    fault = "" if lost == losses else f"{lost} nodes were lost, {losses} were to be"
    result.count(fault, times=losses, differences=differing)
