"""Runs tasks on a Ray cluster: as Ray Core tasks, or as actors on its GPUs."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from open_ml_embed.core import metering
from open_ml_embed.core.errors import CorpusError, StageError
from open_ml_embed.core.metering import Meter, Usage
from open_ml_embed.core.optional import require
from open_ml_embed.core.ray_guard import guarded
from open_ml_embed.core.store import Marker
from open_ml_embed.core.task import Job, Outcomes, execute

_Submit = Callable[[Job], Any]
CONNECT_SECONDS = 10.0
IN_FLIGHT_PER_WORKER = 2
STARTS = 3
"""How often it is tried to start a cluster."""
MOST_RETRIES = 5
"""How often Ray runs a task again whose node or process is lost."""


def run(jobs: list[tuple[int, Job]], *, address: str | None, count: int, gpus: float) -> Outcomes:
    """Run the jobs and yield their outcomes as they come.

    Args:
        jobs: (index, job).
        address: of the cluster, as `ray.init` takes it; null: start one on this machine.
        count: most tasks at once; 0: as many as the cluster has cores.
        gpus: fraction of a GPU for each worker; if the cluster has GPUs, the workers are actors.

    Raises:
        StageError: the cluster does not answer, or Ray lost a task for good.

    """
    if address:
        _send_token()
    require("ray", what="the engine ray", where="--engine ray", instead="take the engine local")
    import ray

    with kept_connection() as connection:
        connection.ensure(ray, address, count)
        cluster = _Cluster(ray, count, gpus)
        free = cluster.submits * IN_FLIGHT_PER_WORKER
        waiting = iter(sorted(jobs, key=lambda job: -job[1][1].memory))
        running: dict[Any, tuple[int, Job, _Submit]] = {}
        while True:
            while free and (chosen := next(waiting, None)) is not None:
                submit = free.pop(0)
                running[submit(chosen[1])] = (*chosen, submit)
            if not running:
                return
            (done, *_), _rest = ray.wait(list(running), num_returns=1)
            index, job, submit = running.pop(done)
            free.append(submit)
            yield index, _outcome(ray, done, job)


class Connection:
    """A connection to a cluster, made when it is first needed: to start one takes seconds."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._to: tuple[str | None, int] | None = None

    def ensure(self, ray: Any, address: str | None, count: int) -> None:
        """Connect to a cluster, or start one on this machine, unless that is done, or was done by the caller.

        Raises:
            StageError: the cluster does not answer, or Ray does not start.

        """
        if ray.is_initialized() and self._to in (None, (address, count)):
            return
        self.close()
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if address:
            _check_answers(address)
            _start(ray, address, {})
        else:
            local = {"num_cpus": count or len(os.sched_getaffinity(0)), "include_dashboard": False}
            self._held.enter_context(guarded(lambda: _start(ray, None, local)))
        self._held.callback(ray.shutdown)
        self._to = (address, count)

    def close(self) -> None:
        """Disconnect, and end the cluster if it was started here."""
        self._to = None
        self._held.close()


_kept: ContextVar[Connection | None] = ContextVar("kept connection", default=None)


@contextmanager
def kept_connection() -> Iterator[Connection]:
    """Let all operations in the block share their connection to a cluster."""
    kept = _kept.get()
    if kept is not None:
        yield kept
        return
    connection = Connection()
    token = _kept.set(connection)
    try:
        yield connection
    finally:
        _kept.reset(token)
        connection.close()


def _send_token() -> None:
    """Let Ray send the token that is on this machine, which it does by itself only where it looks for the cluster.

    Since Ray 2.59 the first local cluster leaves a token in HOME, and a head that is started there later asks for it.
    Clusters without tokens ignore what is sent. Ray reads the variable when it is imported; a program that has done so
    sets it itself.

    """
    if "ray" in sys.modules:
        return
    token = Path.home() / ".ray" / "auth_token"
    if any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")) or token.is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _start(ray: Any, address: str | None, local: dict[str, Any]) -> None:
    """Connect to a cluster, or start one; Ray gives its own processes 30 s, which a busy machine may not do at once."""
    for left in reversed(range(1 if address else STARTS)):
        try:
            ray.init(address=address or "local", log_to_driver=False, **local)
        except Exception as error:
            expected = isinstance(error, ConnectionError | ValueError | OSError | RuntimeError)
            if left and not expected:  # Ray raises a bare `Exception` after its 30 s
                ray.shutdown()
                continue
            raise StageError(
                f"Ray does not start: {str(error).strip() or type(error).__name__}",
                where=f"--ray-address {address}" if address else "--engine ray",
                remedy="see that `ray status` answers there, that HOME and the temporary folder can be written, and, "
                "if the cluster asks for a token, that this machine has it: `ray get-auth-token` on the head, "
                "~/.ray/auth_token here"
                if address
                else "see that HOME and the temporary folder can be written and that the machine is not too busy, "
                "or take --engine local",
            ) from error
        else:
            return


def _check_answers(address: str) -> None:
    """Raise if nothing answers at an address with a port: `ray.init` would try for ever."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not (host and port.isdigit()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise StageError(
            f"nothing answers there: {error}",
            where=f"--ray-address {address}",
            remedy="give the address that `ray start --head` printed, and see that its port can be reached from here",
        ) from None


class _Cluster:
    """The workers of a cluster, as functions that submit a job to one of them."""

    def __init__(self, ray: Any, count: int, gpus: float) -> None:
        resources = ray.cluster_resources()
        actors = int(resources.get("GPU", 0) / gpus) if gpus else 0
        self.submits: list[_Submit]
        if actors:
            actor = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=MOST_RETRIES, max_task_retries=MOST_RETRIES)(
                _Actor
            )
            self.submits = [_to_actor(actor.remote()) for _ in range(actors)]
            return
        # A task that asks for more memory than any node has would wait for ever.
        self._largest = max((node["Resources"].get("memory", 0) for node in ray.nodes() if node["Alive"]), default=0)
        self._task = ray.remote(num_cpus=1, max_retries=MOST_RETRIES)(_execute)
        self.submits = [self._submit] * (count or max(1, int(resources.get("CPU", 1))))

    def _submit(self, job: Job) -> Any:
        memory = int(min(job[1].memory, self._largest))
        return (self._task.options(memory=memory) if memory else self._task).remote(*job)


def _to_actor(actor: Any) -> _Submit:
    return lambda job: actor.execute.remote(*job)


class _Actor:
    def execute(self, *job: Any) -> tuple[Marker, Usage]:
        return _execute(*job)


def _execute(*job: Any) -> tuple[Marker, Usage]:
    """Run a task in a process of the cluster; return its marker and what it took."""
    meter = Meter()
    return execute(*job), Usage(meter.cpu_seconds, meter.peak_memory)


def _cause(error: Any) -> Exception:
    """Return the exception that a task raised, itself: Ray's own has the remote traceback as its message."""
    cause = error.cause
    if isinstance(cause, CorpusError | OSError | MemoryError):
        return cause
    other = error.as_instanceof_cause()
    return other if isinstance(other, Exception) else RuntimeError(str(error))


def _outcome(ray: Any, done: Any, job: Job) -> Marker | Exception:
    try:
        marker, usage = ray.get(done)
    except ray.exceptions.RayTaskError as error:
        return _cause(error)
    except ray.exceptions.RayError as error:
        operation, task, *_ = job
        raise StageError(
            f"Ray lost this task: {type(error).__name__}: {str(error).splitlines()[0]}",
            where=f"{operation.name}/{task.path}",
            remedy="run the same command again: finished shards are kept; `ray status` shows the nodes",
        ) from error
    assert isinstance(marker, Marker)
    metering.saw_elsewhere(usage)
    return marker
