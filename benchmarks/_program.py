"""Runs another program, and measures all of its processes: time, CPU, memory, bytes written."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks._footprint import family, proportional


@dataclass(frozen=True)
class Cost:
    """What a program took, its children included.

    Attributes:
        code: exit code.
        seconds: by the clock.
        cpu: seconds of CPU time of all processes that ended before the program did.
        largest: bytes, peak of the resident memory of the largest process, sampled.
        memory: bytes, peak of the sum of the proportional set sizes of all processes, sampled.
        written: bytes that went to a disk.

    """

    code: int
    seconds: float
    cpu: float
    largest: int
    memory: int
    written: int


def measured(command: list[str], *, log: Path, environment: dict[str, str], every: float = 0.3) -> Cost:
    """Run a command to its end.

    Args:
        command: program and arguments.
        log: file that gets standard output and standard error.
        environment: of the program.
        every: seconds between two samples of memory.

    """
    began = time.monotonic()
    with log.open("w") as out:
        program = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        watch = _Watch(program.pid, every)
        watch.start()
        # Not `program.wait`, which does not tell what the process and its children used.
        _, status, usage = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
        watch.stop()
    return Cost(
        program.returncode,
        time.monotonic() - began,
        usage.ru_utime + usage.ru_stime,
        watch.largest,
        watch.memory,
        usage.ru_oublock * 512,
    )


class _Watch(threading.Thread):
    def __init__(self, pid: int, every: float) -> None:
        super().__init__(daemon=True)
        self.pid, self.every, self.largest, self.memory = pid, every, 0, 0
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(self.every):
            processes = family(self.pid)
            self.largest = max(self.largest, *map(_peak, processes))
            self.memory = max(self.memory, sum(map(proportional, processes)))

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _peak(pid: int) -> int:
    """Return the peak of a process's resident memory in bytes; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
