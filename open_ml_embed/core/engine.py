"""Runs an operation over many tasks: in this process, in local processes, or as Ray Core tasks.

One task writes the shards of one part. All engines run the same code and return results in task order. Shards hold
nothing about the workers, so their bytes do not depend on the engine or on the number of workers.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from typing import IO, Any, Literal, Protocol

import pyarrow as pa
from pydantic import BaseModel

from open_ml_embed.core.errors import StageError
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.optional import installed, require
from open_ml_embed.core.processes import end_with_parent
from open_ml_embed.core.progress import Progress
from open_ml_embed.core.store import MARKER, WRITER, Marker, Output, Store

IN_FLIGHT_PER_WORKER = 2


@dataclass(frozen=True)
class Task:
    """One unit of work.

    Attributes:
        path: where its outputs go below the operation's folder; unique within the operation.
        inputs: content hashes of everything the task reads; they are part of the marker's key.
        payload: what the operation needs to find those inputs. It must be picklable. It must not affect the result in
            a way that `inputs` does not reflect.

    """

    path: str
    inputs: tuple[str, ...]
    payload: Any


class Outputs:
    """Writes the tables of a running task and records them for its marker."""

    def __init__(self, store: Store, operation: str, path: str) -> None:
        self._store, self._operation, self._stem = store, operation, f"{operation}/{path}"
        self.written: list[Output] = []
        self.elsewhere: list[str] = []
        """Paths of the written tables that another task may write too (those given with `at`)."""

    def table(
        self,
        suffix: str,
        batches: Iterable[pa.RecordBatch],
        schema: pa.Schema,
        *,
        at: str | None = None,
        compressed: bool = True,
    ) -> Output:
        """Write `<operation>/<task path>.<suffix>.arrow`; `at` replaces the task's path.

        Args:
            suffix: last part of the file name.
            batches: record batches in `schema`; consumed once.
            schema: of the table.
            at: path below the operation's folder that several tasks may write, the last one wins.
            compressed: compress with lz4; see `Store.write_table`.

        """
        stem = self._stem if at is None else f"{self._operation}/{at}"
        path = f"{stem}.{suffix}.arrow"
        # If two tasks write one file, the last one counts. Remove the record of the earlier writer first, so that the
        # marker of another task no longer vouches for this file.
        self._store.remove(path + WRITER)
        if stem != self._stem:
            self._store.remove(stem + MARKER)
            self.elsewhere.append(path)
        output = self._store.write_table(path, batches, schema, compressed=compressed)
        self.written.append(output)
        return output

    def file(self, suffix: str, write: Callable[[IO[bytes]], int]) -> Output:
        """Write `<operation>/<task path>.<suffix>`, a file of any format.

        Args:
            suffix: last part of the file name.
            write: writes the file and returns its number of rows.

        """
        output = self._store.write_file(f"{self._stem}.{suffix}", write)
        self.written.append(output)
        return output


class NoSettings(BaseModel):
    """The settings of an operation that its inputs alone determine."""


class Operation(Protocol):
    """The work of a step on one task: a name, a version, frozen settings, and `run`.

    Raise the version when the results change.
    """

    @property
    def name(self) -> str:
        """Folder of its outputs."""

    @property
    def version(self) -> int:
        """Part of every marker's key."""

    @property
    def settings(self) -> BaseModel:
        """Part of every marker's key."""

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Run the task, write its tables through `out`, and return its counts as JSON-serializable data."""


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


def _outcomes(
    operation: Operation, tasks: list[Task], store: Store, workers: Workers
) -> Generator[tuple[int, Marker | Exception]]:
    """Yield (index of the task, marker or exception), first for the tasks that were done before."""
    assert len({task.path for task in tasks}) == len(tasks), "two tasks would write the same files"
    keys = [key_of(operation, task) for task in tasks]
    markers = [store.read_marker(marker_path(operation, task), key) for task, key in zip(tasks, keys, strict=True)]
    yield from ((i, marker) for i, marker in enumerate(markers) if marker is not None)
    todo = [i for i, marker in enumerate(markers) if marker is None]
    jobs = [(i, (operation, tasks[i], keys[i], store.root)) for i in todo]
    if todo:
        store.sweep(operation.name)
    with (
        Progress(operation.name, total=len(tasks), done=len(tasks) - len(todo)) as progress,
        closing(_runner(workers, len(jobs))(jobs, workers)) as outcomes,
    ):
        for i, outcome in outcomes:
            progress.advance(tasks[i].path, outcome.stats if isinstance(outcome, Marker) else None)
            yield i, outcome


def unfinished(operation: Operation, tasks: list[Task], store: Store) -> list[Task]:
    """Return the tasks that `run` would run: those without a valid marker."""
    return [task for task in tasks if store.read_marker(marker_path(operation, task), key_of(operation, task)) is None]


def key_of(operation: Operation, task: Task) -> str:
    """Return the key that makes a task's marker valid: a hash of operation, version, settings, path and inputs."""
    return digest(
        {
            "operation": operation.name,
            "version": operation.version,
            "settings": operation.settings.model_dump(mode="json"),
            "path": task.path,
            "inputs": list(task.inputs),
        }
    )


def marker_path(operation: Operation, task: Task) -> str:
    """Return the path of a task's marker below the store's root."""
    return f"{operation.name}/{task.path}{MARKER}"


Job = tuple[int, tuple[Operation, Task, str, str]]


Outcomes = Generator[tuple[int, Marker | Exception]]


class _Runner(Protocol):
    def __call__(self, jobs: list[Job], workers: Workers) -> Outcomes: ...


def _runner(workers: Workers, jobs: int) -> _Runner:
    if workers.kind == "ray":
        return _run_ray
    return _run_here if workers.number == 1 or jobs <= 1 or (workers.gpus and _has_gpu()) else _run_processes


def _has_gpu() -> bool:
    if not installed("torch"):
        return False
    from open_ml_embed.core import devices

    return devices.chosen() != "cpu"


def _execute(operation: Operation, task: Task, key: str, root: str) -> Marker:
    store = Store(root)
    out = Outputs(store, operation.name, task.path)
    # Remove the old marker first: if this process dies after writing a table, the marker would be taken for valid.
    store.remove(marker_path(operation, task))
    stats = operation.run(task, store, out)
    for path in out.elsewhere:
        store.write_bytes(path + WRITER, key.encode())
    marker = Marker(key, tuple(out.written), stats)
    store.write_marker(marker_path(operation, task), marker)
    return marker


def _run_here(jobs: list[Job], workers: Workers) -> Outcomes:
    for i, job in jobs:
        outcome: Marker | Exception
        try:
            outcome = _execute(*job)
        except Exception as error:
            outcome = error  # the caller decides whether the other tasks go on
        yield i, outcome


def _run_processes(jobs: list[Job], workers: Workers) -> Outcomes:
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(
        min(workers.number, len(jobs)), mp_context=context, initializer=end_with_parent, initargs=(os.getpid(),)
    ) as pool:
        waiting = iter(jobs)
        running: dict[Future[Marker], int] = {}
        try:
            while True:
                while len(running) < IN_FLIGHT_PER_WORKER * workers.number:
                    job = next(waiting, None)
                    if job is None:
                        break
                    running[pool.submit(_execute, *job[1])] = job[0]
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), _outcome_of(future)
        except BrokenProcessPool:
            raise StageError(
                "a worker process died, most likely for want of memory",
                remedy="run the same command again, with fewer --workers: finished shards are kept",
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(multiprocessing.active_children()) - others:
                worker.kill()  # what it was writing is not there yet; waiting for it could take minutes
            raise


def _outcome_of(future: Future[Marker]) -> Marker | Exception:
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as error:
        return error


def _run_ray(jobs: list[Job], workers: Workers) -> Outcomes:
    if not jobs:
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    require("ray", what="the engine ray", where="--engine ray", instead="take the engine local")
    import ray

    started = not ray.is_initialized()
    if started:
        local: dict[str, Any] = {"num_cpus": workers.number, "include_dashboard": False}
        ray.init(address=workers.ray_address, log_to_driver=False, **({} if workers.ray_address else local))
    try:
        free = _ray_workers(ray, workers) * IN_FLIGHT_PER_WORKER
        waiting = iter(jobs)
        running: dict[Any, tuple[int, Callable[..., Any]]] = {}
        while True:
            while free and (job := next(waiting, None)) is not None:
                submit = free.pop(0)
                running[submit(*job[1])] = job[0], submit
            if not running:
                return
            (done, *_), _rest = ray.wait(list(running), num_returns=1)
            index, submit = running.pop(done)
            free.append(submit)
            outcome: Marker | Exception
            try:
                outcome = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                outcome = error.as_instanceof_cause()
            yield index, outcome
    finally:
        if started:
            ray.shutdown()


class _Actor:
    def execute(self, *job: Any) -> Marker:
        return _execute(*job)


def _ray_workers(ray: Any, workers: Workers) -> list[Callable[..., Any]]:
    """Return the submit function of each worker: Ray tasks, or actors if GPUs are wanted and the cluster has some."""
    actors = int(ray.cluster_resources().get("GPU", 0) / workers.gpus) if workers.gpus else 0
    if not actors:
        return [ray.remote(num_cpus=1, max_retries=2)(_execute).remote] * workers.number
    actor = ray.remote(num_cpus=1, num_gpus=workers.gpus, max_restarts=2, max_task_retries=2)(_Actor)
    return [actor.remote().execute.remote for _ in range(actors)]
