"""What a run takes: seconds, CPU seconds and memory of this process and of those that work for it, and its tasks.

::

    with metered() as meter:
        run(operation, tasks, store, workers)
    meter.cpu_seconds, meter.peak_memory, meter.tasks_done
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

from open_ml_embed.core import memory


@dataclass(frozen=True)
class Usage:
    """What a task took in its process: CPU seconds, and the most bytes of memory that the process held."""

    cpu_seconds: float
    peak_memory: int


class Meter:
    """Measures from when it is made.

    Attributes:
        started: when it was made, in UTC.
        tasks_done: tasks that the engine has finished since.
        tasks_resumed: tasks that were done before, so that the engine left them as they are.
        elsewhere: CPU seconds of tasks in processes that are no children of this one.
        largest_worker: peak memory of the processes that ran tasks, in bytes.

    """

    def __init__(self) -> None:
        memory.restart_peak()
        self.started = datetime.now(UTC)
        self.tasks_done = self.tasks_resumed = 0
        self.elsewhere, self.largest_worker = 0.0, 0
        self._clock, self._cpu = time.monotonic(), _cpu_seconds()

    @property
    def seconds(self) -> float:
        """Seconds by the clock since the start."""
        return time.monotonic() - self._clock

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of this process, of its children that have ended, and of the tasks on a cluster."""
        return _cpu_seconds() - self._cpu + self.elsewhere

    @property
    def peak_memory(self) -> int:
        """The most bytes that one process held: this one since the start, or one that ran tasks."""
        return max(self.largest_worker, memory.peak())


_current: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def metered() -> Iterator[Meter]:
    """Yield a meter to which the engine reports the tasks of the block."""
    meter = Meter()
    token = _current.set(meter)
    try:
        yield meter
    finally:
        _current.reset(token)


def count_tasks(*, done: int = 0, resumed: int = 0) -> None:
    """Count tasks for the block's meter, if there is one."""
    meter = _current.get()
    if meter is not None:
        meter.tasks_done += done
        meter.tasks_resumed += resumed


def saw_worker(peak_memory: int) -> None:
    """Tell the block's meter the peak memory of a process that ran tasks, in bytes."""
    meter = _current.get()
    if meter is not None:
        meter.largest_worker = max(meter.largest_worker, peak_memory)


def saw_elsewhere(usage: Usage) -> None:
    """Tell the block's meter what a task took in a process that is no child of this one."""
    meter = _current.get()
    if meter is not None:
        meter.elsewhere += usage.cpu_seconds
        saw_worker(usage.peak_memory)


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended and were waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
