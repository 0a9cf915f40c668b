"""Runs an operation over many tasks: in this process, in local processes, or as Ray Core tasks.

One task writes the shards of one part. All engines run the same code and return results in task order. Shards hold
nothing about the workers, so their bytes do not depend on the engine or on the number of workers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from open_ml_embed.core import metering, ray_workers
from open_ml_embed.core.local_workers import LocalWorkers
from open_ml_embed.core.optional import installed
from open_ml_embed.core.progress import Progress
from open_ml_embed.core.store import Marker, Store
from open_ml_embed.core.task import Job, Operation, Outcomes, Task, execute, key_of, marker_path


@dataclass(frozen=True)
class Workers:
    """Engine and number of workers; never part of a marker's key."""

    kind: Literal["local", "ray"] = "local"
    count: int = 0
    """0: one per core."""
    ray_address: str | None = None
    gpus: float = 0
    """Fraction of a GPU for each worker. If a Ray cluster has GPUs, the workers are actors, as many as the GPUs allow,
    and a model that an actor has loaded stays on its GPU from task to task. If the local machine has a GPU, all tasks
    run in this process, since other processes would load the same model onto the same GPU again."""

    @property
    def number(self) -> int:
        """Return how many tasks run at once."""
        return self.count or len(os.sched_getaffinity(0))


_kept: ContextVar[LocalWorkers | None] = ContextVar("kept workers", default=None)


@contextmanager
def kept_workers() -> Iterator[LocalWorkers]:
    """Let all operations in the block share their local worker processes, which it yields, and their Ray cluster."""
    kept = _kept.get()
    if kept is not None:
        yield kept
        return
    with ray_workers.kept_connection(), LocalWorkers() as workers:
        token = _kept.set(workers)
        try:
            yield workers
        finally:
            _kept.reset(token)


def run(operation: Operation, tasks: list[Task], store: Store, workers: Workers) -> list[Marker]:
    """Run the tasks that are not done yet and return all markers, in the order of `tasks`.

    Raises:
        StageError: a worker process died (out of memory, killed). Finished shards stay; run again to resume.
        CorpusError: a task failed with an error that the user can correct.

    """
    with closing(_outcomes(operation, tasks, store, workers)) as outcomes:
        markers: dict[int, Marker] = {}
        for i, outcome in outcomes:
            if isinstance(outcome, Exception):
                outcomes.throw(outcome)
            else:
                markers[i] = outcome
    return [markers[i] for i in range(len(tasks))]


def run_all(operation: Operation, tasks: list[Task], store: Store, workers: Workers) -> list[Marker | Exception]:
    """Like `run`, but continue after a task that fails and return its exception in place of its marker.

    Raises:
        StageError: a worker process died (out of memory, killed). Finished shards stay; run again to resume.

    """
    outcomes = dict(_outcomes(operation, tasks, store, workers))
    return [outcomes[i] for i in range(len(tasks))]


def _outcomes(operation: Operation, tasks: list[Task], store: Store, workers: Workers) -> Outcomes:
    """Yield (index of the task, marker or exception), first for the tasks that were done before."""
    assert len({task.path for task in tasks}) == len(tasks), "two tasks would write the same files"
    keys = [key_of(operation, task) for task in tasks]
    markers = store.read_markers([(marker_path(operation, task), key) for task, key in zip(tasks, keys, strict=True)])
    yield from ((i, marker) for i, marker in enumerate(markers) if marker is not None)
    todo = [i for i, marker in enumerate(markers) if marker is None]
    jobs: list[tuple[int, Job]] = [(i, (operation, tasks[i], keys[i], store.root)) for i in todo]
    if todo:
        store.sweep(operation.name)
    metering.count_tasks(resumed=len(tasks) - len(todo))
    with (
        Progress(operation.name, total=len(tasks), done=len(tasks) - len(todo)) as progress,
        closing(_run(jobs, workers)) as outcomes,
    ):
        for i, outcome in outcomes:
            progress.advance(tasks[i].path, outcome.stats if isinstance(outcome, Marker) else None)
            metering.count_tasks(done=isinstance(outcome, Marker))
            yield i, outcome
    if todo and workers.kind == "ray":
        store.sweep(operation.name)  # Ray runs a task again whose process was killed, and the run goes on


def unfinished(operation: Operation, tasks: list[Task], store: Store) -> list[Task]:
    """Return the tasks that `run` would run: those without a valid marker."""
    markers = store.read_markers([(marker_path(operation, task), key_of(operation, task)) for task in tasks])
    return [task for task, marker in zip(tasks, markers, strict=True) if marker is None]


def _run(jobs: list[tuple[int, Job]], workers: Workers) -> Outcomes:
    if not jobs:
        return
    if workers.kind == "ray":
        yield from ray_workers.run(jobs, address=workers.ray_address, count=workers.count, gpus=workers.gpus)
    elif workers.number == 1 or len(jobs) == 1 or (workers.gpus and _has_gpu()):
        yield from _run_here(jobs)
    else:
        with kept_workers() as pool:
            yield from pool.run(jobs, workers.number)


def _has_gpu() -> bool:
    if not installed("torch"):
        return False
    from open_ml_embed.core import devices

    return devices.chosen() != "cpu"


def _run_here(jobs: list[tuple[int, Job]]) -> Outcomes:
    for i, job in jobs:
        outcome: Marker | Exception
        try:
            outcome = execute(*job)
        except Exception as error:
            outcome = error  # the caller decides whether the other tasks go on
        yield i, outcome
