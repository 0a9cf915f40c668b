"""Makes the batches of a stage ahead of their use, in a thread, so that a step does not wait for the disk.

A batch is a function of its step, so batches that are made ahead are those that the loop would make itself. An error
reaches the loop at the step whose batch could not be made. A thread and not a process: it reads with calls that do not
hold Python's lock (`train.data.mapped_pages`), and nothing has to be copied between processes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Feed(Generic[T]):
    """The items of consecutive steps, to be taken in order; a context manager that ends the thread.

    Attributes:
        waited: seconds that the last `take` has waited.

    """

    def __init__(self, make: Callable[[int], T], first: int, end: int, *, ahead: int) -> None:
        """Start making items.

        Args:
            make: returns the item of a step; called in the thread, in the order of the steps.
            first: the first step.
            end: the step after the last one.
            ahead: number of items that wait to be taken, besides the one that is being made; 0: no thread, an item is
                made when it is taken.

        """
        self.waited = 0.0
        self._make, self._next = make, first
        self._ready: deque[T | BaseException] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        if ahead:
            self._thread = threading.Thread(
                target=self._run, args=(first, end, ahead), name="train3d-feed", daemon=True
            )
            self._thread.start()

    def take(self, step: int) -> T:
        """Return the item of a step; steps must be taken one after the other.

        Raises:
            Exception: what `make` has raised for this step.

        """
        assert step == self._next, (step, self._next)
        self._next += 1
        began = time.monotonic()
        if self._thread is None:
            made: T | BaseException = self._make(step)
        else:
            with self._changed:
                self._changed.wait_for(lambda: self._ready)
                made = self._ready.popleft()
                self._changed.notify_all()
        self.waited = time.monotonic() - began
        if isinstance(made, BaseException):
            self._ready.append(made)  # it stays: there is nothing after it
            raise made
        return made

    def close(self) -> None:
        """End the thread, and forget what it has made."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._ready.clear()

    def __enter__(self) -> Feed[T]:
        """Return the feed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the feed."""
        self.close()

    def _run(self, first: int, end: int, ahead: int) -> None:
        for step in range(first, end):
            try:
                made: T | BaseException = self._make(step)
            except BaseException as error:  # the loop raises it
                made = error
            with self._changed:
                self._changed.wait_for(lambda: self._closed or len(self._ready) < ahead)
                if self._closed:
                    return
                self._ready.append(made)
                self._changed.notify_all()
            if isinstance(made, BaseException):
                return
