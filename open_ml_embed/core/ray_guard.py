"""Ends what a local Ray cluster leaves when the process that started it is killed.

Ray's own agents notice the death of their parents, and then wait for a server that is gone for minutes. The guard is a
process of its own that waits at a pipe from the driver. The pipe closes when the driver ends, however it ends. Then the
guard kills every process of the cluster that is left.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = "OPEN_ML_EMBED_RAY"
"""Variable in the environment of all processes of a cluster."""
LOOK_S = 1.0
"""Seconds after which the guard looks for new processes."""
GRACE_S = 2.0
"""Seconds in which processes of the cluster may end by themselves."""
_ROUNDS = 5
"""How often the guard looks for processes, since one that ends may have started another."""


@contextmanager
def guarded(start: Callable[[], None]) -> Iterator[None]:
    """Start a cluster, and let a guard watch it while the block runs.

    Args:
        start: starts the processes of the cluster. They carry the guard's mark, and nothing that is started later does.

    """
    mark = uuid.uuid4().hex
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C at a terminal goes to the driver alone
    )
    try:
        os.environ[MARK] = mark
        try:
            start()
        finally:
            del os.environ[MARK]
        yield
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait()


class Watched:
    """The processes that belong to a cluster, as far as they have been seen.

    Two signs tell them: the mark, or a parent that belongs to the cluster. After its parent's death a process has
    another one; and a process that sets its title, as Ray's do, overwrites its environment.
    """

    def __init__(self, mark: str) -> None:
        self._mark = f"{MARK}={mark}\0".encode()
        self._seen: dict[int, str] = {}
        """Process → when it started, in clock ticks since the machine did: numbers of processes are used again."""

    def look(self) -> set[int]:
        """Look for new processes of the cluster; return all that are still there, none where there is no `/proc`."""
        parents, started = {}, {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if fields[0] not in "ZX":
                    parents[int(folder.name)], started[int(folder.name)] = int(fields[1]), fields[19]
        self._seen = {process: since for process, since in self._seen.items() if started.get(process) == since}
        for process in sorted(parents, key=lambda process: int(started[process])):  # parents before their children
            if process not in self._seen and (parents[process] in self._seen or self._is_marked(process)):
                self._seen[process] = started[process]
        return set(self._seen)

    def _is_marked(self, process: int) -> bool:
        with contextlib.suppress(OSError):
            return self._mark in Path(f"/proc/{process}/environ").read_bytes()
        return False


def watch(mark: str) -> None:
    """Wait until the driver ends; then kill the processes of the cluster that do not end by themselves."""
    watched = Watched(mark)
    while not select.select([sys.stdin], [], [], LOOK_S)[0]:
        watched.look()
    until = time.monotonic() + GRACE_S
    while watched.look() and time.monotonic() < until:
        time.sleep(0.1)
    for _ in range(_ROUNDS):
        left = watched.look()
        if not left:
            return
        for process in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.2)


if __name__ == "__main__":
    watch(sys.argv[1])
