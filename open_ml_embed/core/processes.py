"""The ends of processes: workers end with their parent, and a run that is asked to end does so as on Ctrl-C."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_WATCH_SECONDS = 1.0


def end_with_parent(parent: int) -> None:
    """Make this process end when its parent does, however that ends.

    On Linux the kernel sends SIGKILL (prctl(2), PR_SET_PDEATHSIG). Elsewhere, and if the parent has ended before the
    call, a thread looks for it once a second.

    Args:
        parent: process id of the parent.

    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="end-with-parent").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """End the block on SIGTERM and SIGHUP by `SystemExit`, so that workers are ended and locks are released.

    The exit code is 128 plus the number of the signal, as a shell has it.
    """

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    known = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    handled = [number for number in known if signal.getsignal(number) == signal.SIG_DFL]  # `nohup` ignores SIGHUP
    before = {number: signal.signal(number, end) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
