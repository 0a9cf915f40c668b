"""Build sources on a Ray cluster of several nodes, end nodes while tasks run on them, and compare the bytes.

    .venv/bin/python -m benchmarks.node_losses --losses 10

The raw files are those of the rehearsal (`benchmarks.rehearsal`). One build runs undisturbed in one local process. The
other runs by the same commands with `--engine ray` on a cluster of nodes on this machine, each with its own processes
and an object store of 80 MB. A node is ended by SIGKILL of its raylet and its workers as soon as a worker of it runs a
task, and another node joins. Every loss is printed with the node and the task's process. All files of `work/` and
`out/` must be equal at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks._ray_tasks import parent_of, runs_a_task
from benchmarks._results import results
from benchmarks.rehearsal import steps
from benchmarks.rehearsal.generate import generate
from sources import registry

STEPS = steps.STEPS[:-1]
"""All but the report."""
STORE = 80_000_000
"""Bytes of a node's object store: about the least that Ray takes."""
SOURCES = ("gooaq", "snli", "banking77", "ocgi", "sib200", "massive_intent", "xnli")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--losses", type=int, default=10)
    arguments.add_argument("--nodes", type=int, default=3)
    arguments.add_argument("--fraction", type=float, default=0.002, help="of the published samples")
    arguments.add_argument("--source", nargs="+", default=list(SOURCES))
    arguments.add_argument("--folder", type=Path, default=steps.ROOT / "work" / "node-losses")
    options = arguments.parse_args()
    prepare(options.folder, options.source, options.fraction)
    for step in STEPS:
        curate(options.folder / "project", step, "--workers", "1")
    one = tree(options.folder / "project")
    for part in ("work", "out"):
        shutil.rmtree(options.folder / "project" / part)
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    killer = Killer(cluster, options.nodes, options.losses)
    try:
        for number, step in enumerate(STEPS):
            # Losses are spread over the steps; what a step had no time for is added to the next one's.
            killer.allowed = options.losses * (number + 1) // len(STEPS)
            curate(
                options.folder / "project", step, "--engine", "ray", "--ray-address", cluster.address, watch=killer.look
            )
    finally:
        cluster.shutdown()
        ray.shutdown()
    other = tree(options.folder / "project")
    differing = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    print(f"{killer.lost} nodes lost of {options.nodes} at a time; {len(one):,} files, {len(differing)} differ")
    for name in differing[:20]:
        print(f"  {name}")
    if differing or killer.lost < options.losses:
        sys.exit(1)


def prepare(folder: Path, names: list[str], fraction: float) -> None:
    """Make the raw files and the settings of the project, in which both builds run: names of files have its path."""
    shutil.rmtree(folder, ignore_errors=True)
    project = folder / "project"
    project.mkdir(parents=True)
    manifests = [registry.load(name) for name in names]
    generate(project, manifests, fraction)
    steps.write_settings(project, manifests)


def curate(project: Path, step: str, *options: str, watch: Callable[[], None] = lambda: None) -> None:
    """Run a step to its end, and call `watch` all the time."""
    command = steps.command_of(project, step, *options)
    began = time.monotonic()
    log = project.parent / "step.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, env=steps.environment(), stdout=out, stderr=out)
        while process.poll() is None:
            watch()
            time.sleep(0.005)
    print(f"{step} {' '.join(options[:2])}: {time.monotonic() - began:,.0f} s", flush=True)
    if process.returncode:
        raise SystemExit(f"{step} ended with {process.returncode}:\n{log.read_text()[-4000:]}")


class Killer:
    """Ends nodes on which a task runs, as many as are allowed so far, and starts others.

    Attributes:
        allowed: losses in all, until now.
        lost: losses so far.

    """

    def __init__(self, cluster: Any, nodes: int, most: int) -> None:
        self._cluster, self._most = cluster, most
        self._nodes = [cluster.add_node(num_cpus=1, object_store_memory=STORE) for _ in range(nodes)]
        self.allowed = self.lost = 0

    def look(self) -> None:
        """End a node if one runs a task and a loss is allowed."""
        if self.lost >= min(self.allowed, self._most):
            return
        for node in self._nodes:
            if running := _running(node):
                self._lose(node, running)
                return

    def _lose(self, node: Any, running: list[int]) -> None:
        raylet = _raylet(node)
        for process in (raylet, *running):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.lost += 1
        print(f"  lost node {node.node_id[:8]} (raylet {raylet}) while {running} ran a task", flush=True)
        self._nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)
        self._nodes.append(self._cluster.add_node(num_cpus=1, object_store_memory=STORE))


def _raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def _running(node: Any) -> list[int]:
    """Return the processes of a node that run a task."""
    raylet = _raylet(node)
    processes = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [process for process in processes if runs_a_task(process) and parent_of(process) == raylet]


def tree(project: Path) -> dict[str, str]:
    """Return path → hash of each file of `work/` and `out/`."""
    return {str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest() for path in results(project)}


if __name__ == "__main__":
    main()
