"""Transfers of one run: several files at once, a limited number of requests for each host, and a count of bytes.

Without a pool (`Transfers()`), each file is fetched when its result is asked for, one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import Condition, Event, Lock
from typing import Generic, Literal, Protocol, TypeVar

_Result = TypeVar("_Result")
Kind = Literal["hub", "url"]


class Bytes(Protocol):
    """Counts the bytes of all files of a run."""

    def expect(self, more: int) -> None:
        """Add bytes that will come; negative if fewer will."""

    def arrived(self, more: int) -> None:
        """Add bytes that came; negative if some of them are fetched again."""


class _NotCounted:
    def expect(self, more: int) -> None:
        pass

    def arrived(self, more: int) -> None:
        pass


class StoppedError(Exception):
    """The run ends early, so this transfer ends too; what came of the file is kept for the next run."""


@dataclass(frozen=True)
class Limits:
    """Most requests at once, for each host of a kind of origin."""

    hub: int = 8
    url: int = 2

    def of(self, kind: Kind) -> int:
        """Return the limit for a host."""
        return self.hub if kind == "hub" else self.url


@dataclass
class Counter:
    """Bytes of one file, which may come in several attempts.

    Attributes:
        total: the counter of the run.
        expected: size of the file, as far as it is known.
        at: bytes that are here.

    """

    total: Bytes
    stopped: Event
    expected: int = 0
    at: int = 0

    def expect(self, size: int) -> None:
        """State the size of the file."""
        self.total.expect(size - self.expected)
        self.expected = size

    def reach(self, position: int) -> None:
        """State how many bytes of the file are here.

        Raises:
            StoppedError: the run ends early.

        """
        self.total.arrived(position - self.at)
        self.at = position
        if self.stopped.is_set():
            raise StoppedError


class _Host:
    """A host: how many requests are under way, and how many of them wait because the host asked for a pause."""

    def __init__(self, limit: int) -> None:
        self.changed = Condition()
        self.limit, self.busy, self.resting = limit, 0, 0

    @contextmanager
    def slot(self, stopped: Event) -> Iterator[None]:
        with self.changed:
            while (self.busy >= self.limit or self.resting) and not stopped.is_set():
                self.changed.wait()
            if stopped.is_set():
                raise StoppedError
            self.busy += 1
        try:
            yield
        finally:
            with self.changed:
                self.busy -= 1
                self.changed.notify_all()

    @contextmanager
    def rest(self) -> Iterator[None]:
        """Let no further request begin until the `with` block ends."""
        with self.changed:
            self.resting += 1
        try:
            yield
        finally:
            with self.changed:
                self.resting -= 1
                self.changed.notify_all()


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


@dataclass(frozen=True)
class Pauses:
    """How to wait between attempts.

    Attributes:
        sleep: takes the seconds.
        resting: while its `with` block lasts, no other request to the host begins.

    """

    sleep: Callable[[float], None] = _sleep
    resting: Callable[[], AbstractContextManager[None]] = nullcontext

    def backoff(self, seconds: float) -> None:
        """Wait after a failure."""
        self.sleep(seconds)

    def asked(self, seconds: float) -> None:
        """Wait as the host asked; its other requests wait too."""
        with self.resting():
            self.sleep(seconds)


class Started(Generic[_Result]):
    """A file that is being fetched, or will be when its result is asked for."""

    def __init__(self, call: Callable[[], _Result], future: Future[_Result] | None = None) -> None:
        self._call, self._future = call, future

    def result(self) -> _Result:
        """Return the result; raise what the call raised."""
        return self._call() if self._future is None else self._future.result()

    def cancel(self) -> None:
        """Do not begin it, unless it has begun."""
        if self._future is not None:
            self._future.cancel()


@dataclass(frozen=True)
class Begun(Generic[_Result]):
    """Files that are being fetched.

    Attributes:
        result: waits for them and returns them; raises what was raised for the first of them.
        cancel: gives up those that have not begun.

    """

    result: Callable[[], _Result]
    cancel: Callable[[], None] = lambda: None


@dataclass
class Transfers:
    """The transfers of one run.

    Attributes:
        limits: most requests at once for a host.
        counted: counts bytes.
        at_once: whether files are fetched at once, by threads; otherwise one after the other.

    """

    limits: Limits = field(default_factory=Limits)
    counted: Bytes = field(default_factory=_NotCounted)
    at_once: bool = False
    _stopped: Event = field(default_factory=Event)
    _hosts: dict[tuple[Kind, str], _Host] = field(default_factory=dict)
    _pools: dict[tuple[Kind, str], ThreadPoolExecutor] = field(default_factory=dict)
    _guard: Lock = field(default_factory=Lock)

    def start(self, kind: Kind, host: str, call: Callable[[], _Result]) -> Started[_Result]:
        """Start to fetch a file; `call` must not start others. It runs with a slot of the host."""

        def whole() -> _Result:
            with self.slot(kind, host):
                return call()

        if not self.at_once:
            return Started(whole)
        with self._guard:
            if (kind, host) not in self._pools:
                self._pools[kind, host] = ThreadPoolExecutor(self.limits.of(kind), thread_name_prefix=f"fetch {host}")
            return Started(whole, self._pools[kind, host].submit(whole))

    @contextmanager
    def slot(self, kind: Kind, host: str) -> Iterator[None]:
        """Hold one of the host's requests; wait until one is free and the host asks for no pause.

        Raises:
            StoppedError: the run ends early.

        """
        with self._host(kind, host).slot(self._stopped):
            yield

    def pauses(self, kind: Kind, host: str) -> Pauses:
        """Return how to wait before another attempt at this host."""
        return Pauses(self._sleep, self._host(kind, host).rest)

    def counter(self) -> Counter:
        """Return the counter of one file."""
        return Counter(self.counted, self._stopped)

    def stop(self) -> None:
        """End the run early: begin no further transfer, and end those under way at their next piece."""
        self._stopped.set()
        for host in list(self._hosts.values()):
            with host.changed:
                host.changed.notify_all()
        self.close()

    def close(self) -> None:
        """Let the threads end; transfers that have not begun are given up."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    def _sleep(self, seconds: float) -> None:
        if not self.at_once:
            _sleep(seconds)
        elif self._stopped.wait(seconds):
            raise StoppedError

    def _host(self, kind: Kind, host: str) -> _Host:
        with self._guard:
            return self._hosts.setdefault((kind, host), _Host(self.limits.of(kind)))
