"""Runs tasks in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import traceback
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Self

from open_ml_embed.core import memory, metering
from open_ml_embed.core.errors import CorpusError, StageError
from open_ml_embed.core.printing import say
from open_ml_embed.core.processes import end_with_parent
from open_ml_embed.core.store import Marker
from open_ml_embed.core.task import Job, Outcomes, execute

MOST_KEPT = 512 << 20
"""A worker that holds more bytes than this at the end of an operation is replaced before the next one."""


class LocalWorkers:
    """Worker processes, each of which runs one task at a time.

    They are started when they are needed and stay for the next operation: a process takes more than a second to start.
    At most as many tasks run at once as their memory allows; a task that alone needs more than the machine has runs
    alone. A task whose worker was killed while others ran is tried once more, alone, since memory may have been short.
    """

    def __init__(self) -> None:
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop(self._workers, kill=kind is not None)

    def run(self, jobs: list[tuple[int, Job]], count: int, available: int | None = None) -> Outcomes:
        """Run the jobs and yield their outcomes as they come.

        Args:
            jobs: (index, job); those that need the most memory run first.
            count: most processes at once.
            available: bytes that the tasks may hold together; null: what the machine has left now.

        Raises:
            StageError: a worker process died.

        """
        self._stop([worker for worker in self._workers if worker.resident > MOST_KEPT])
        schedule = _Schedule(jobs, memory.available() if available is None else available)
        running: dict[Connection, tuple[_Worker, int, Job]] = {}
        try:
            while True:
                while (chosen := schedule.next([job for _, _, job in running.values()], count)) is not None:
                    worker = self._idle([worker for worker, _, _ in running.values()])
                    worker.start(chosen[1])
                    running[worker.connection] = (worker, *chosen)
                if not running:
                    return
                for connection in wait(list(running)):
                    assert isinstance(connection, Connection)
                    worker, index, job = running.pop(connection)
                    outcome = worker.outcome()
                    if outcome is None:
                        self._workers.remove(worker)
                        schedule.died(index, job, worker.exit_code(), alone=not running)
                    else:
                        yield index, outcome
        except BaseException:
            # What a worker was writing is not there yet; waiting for its end could take minutes.
            self._stop(self._workers, kill=True)
            raise

    def _idle(self, busy: list[_Worker]) -> _Worker:
        for worker in self._workers:
            if worker not in busy:
                return worker
        self._workers.append(_Worker())
        return self._workers[-1]

    def _stop(self, workers: list[_Worker], *, kill: bool = False) -> None:
        for worker in workers:
            worker.stop(kill=kill)
        self._workers = [worker for worker in self._workers if worker not in workers]


class _Schedule:
    """Decides which task runs next."""

    def __init__(self, jobs: list[tuple[int, Job]], available: int) -> None:
        self._waiting = sorted(jobs, key=lambda job: -job[1][1].memory)
        self._available = available
        self._alone: list[tuple[int, Job]] = []

    def next(self, running: list[Job], count: int) -> tuple[int, Job] | None:
        """Remove and return the next job; null if none can be started now."""
        if len(running) >= count:
            return None
        left = self._available - sum(job[1].memory for job in running)
        for position, (_, job) in enumerate(self._waiting):
            if not running or not job[1].memory or job[1].memory <= left:
                return self._waiting.pop(position)
        return self._alone.pop() if self._alone and not running else None

    def died(self, index: int, job: Job, code: int, *, alone: bool) -> None:
        """Keep a job for another try if memory may have been short, or raise."""
        operation, task, *_ = job
        where = f"{operation.name}/{task.path}"
        if code == -signal.SIGKILL and not alone:
            say(f"{where}: its worker was killed; it runs again, alone")
            self._alone.append((index, job))
            return
        if code == -signal.SIGKILL:
            raise StageError(
                "the worker process of this task was killed, most likely for want of memory",
                where=where,
                remedy="run the same command again where more memory is free: finished shards are kept",
            )
        ended = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        raise StageError(
            f"the worker process of this task {ended}",
            where=where,
            remedy="please report it with this line and the raw file; finished shards are kept",
        )


class _Worker:
    """One process."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, os.getpid()), daemon=True)
        # A process inherits the mask, so that Ctrl-C meets no worker before it has come to ignore it. The tracker
        # unblocks the signal when it is started, which the first worker would do.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        other.close()  # so that reading fails once the process has ended
        self.resident = 0

    def start(self, job: Job) -> None:
        with suppress(BrokenPipeError):  # it has died: `outcome` finds out
            self.connection.send(job)

    def outcome(self) -> Marker | Exception | None:
        """Return the outcome of its task, or null if the process has died."""
        try:
            outcome, self.resident, peak = self.connection.recv()
        except (EOFError, ConnectionResetError):
            return None
        assert isinstance(outcome, Marker | Exception)
        metering.saw_worker(peak)
        return outcome

    def exit_code(self) -> int:
        self._process.join()
        self.connection.close()
        return self._process.exitcode or 0

    def stop(self, *, kill: bool) -> None:
        if kill:
            self._process.kill()
        self.connection.close()
        self._process.join()


def _work(connection: Connection, parent: int) -> None:
    """Run tasks until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent ends its workers
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    end_with_parent(parent)
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        outcome: Marker | Exception
        try:
            outcome = execute(*job)
        except Exception as error:
            outcome = _picklable(error)
        connection.send((outcome, memory.resident(), memory.peak()))


def _picklable(error: Exception) -> Exception:
    """Return the exception with the worker's traceback as a note; one that cannot be pickled becomes its text."""
    if not isinstance(error, CorpusError):
        error.add_note("".join(["in a worker process:\n", *traceback.format_exception(error)]))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)))
    return error
