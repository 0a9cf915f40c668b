"""Measures the peak memory of this process and its children, and the peak size of folders, while a block runs."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType


class Footprint:
    """Context manager that samples memory and disk usage twice a second and keeps the peaks.

    Attributes:
        memory: in bytes; sum of the proportional set sizes of all processes, so that shared pages count once.
        disk: in bytes; all files below the folders.

    """

    def __init__(self, folders: list[Path]) -> None:
        self.folders, self.memory, self.disk = folders, 0, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Footprint:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self._disk()

    def _watch(self) -> None:
        beats = 0
        while not self._stop.wait(0.5):
            self.memory = max(self.memory, sum(proportional(pid) for pid in family(os.getpid())))
            if beats % 20 == 0:
                self._disk()
            beats += 1

    def _disk(self) -> None:
        total = 0
        for folder in self.folders:
            for path in folder.rglob("*"):
                try:
                    total += path.stat().st_size if path.is_file() else 0
                except FileNotFoundError:
                    continue  # a temporary name that was just renamed
        self.disk = max(self.disk, total)


def family(pid: int) -> list[int]:
    """Return a process and all below it."""
    found, waiting = [], [pid]
    while waiting:
        at = waiting.pop()
        found.append(at)
        try:
            for task in Path(f"/proc/{at}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def proportional(pid: int) -> int:
    """Return the proportional set size of a process in bytes; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
