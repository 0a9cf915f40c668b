"""SIGTERM and SIGHUP during training: the run saves a checkpoint after the present optimizer step, and then ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch

from train.distributed.parallel import Group

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """What a signal has asked for.

    Attributes:
        number: number of the signal; 0: none came.

    """

    def __init__(self) -> None:
        self.number = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note signals in the block instead of ending the process; only the main thread can do that."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, _frame: FrameType | None) -> None:
            self.number = number

        # A program started with `nohup` ignores SIGHUP, and goes on doing so.
        handled = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, note) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def agreed(self, group: Group, device: torch.device) -> int:
        """Return the number of the signal that any process got; the same on all, so that they end at the same step."""
        if group.size == 1:
            return self.number
        return -int(group.least(torch.tensor(-self.number, device=device)))
