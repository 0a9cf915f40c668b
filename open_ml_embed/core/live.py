"""What a run is doing now, in a small file that other processes read: `curate status` shows it."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from open_ml_embed.core.files import write_whole

EVERY_SECONDS = 2.0
OLD_SECONDS = 120.0
"""A file of another machine that is older is left over."""


@dataclass(frozen=True)
class Doing:
    """What a run is doing.

    Attributes:
        step: name of the operation, or `train`.
        done, total: tasks, or steps of a training.
        resumed: how many of `done` an earlier run finished.
        seconds: since this operation began.
        bytes, total_bytes: that arrived, and that are expected; 0 where no bytes are counted.
        note: the task that ended last, or what a training says of itself.
        at: when this was written, in seconds since 1970.
        host, pid: the process.

    """

    step: str
    done: int
    total: int
    resumed: int
    seconds: float
    bytes: int = 0
    total_bytes: int = 0
    note: str = ""
    at: float = 0.0
    host: str = ""
    pid: int = 0

    @property
    def rate(self) -> float | None:
        """Bytes a second where bytes are counted, else tasks a second; null before the first one."""
        part = self.bytes if self.total_bytes else self.done - self.resumed
        return part / self.seconds if part > 0 and self.seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the seconds until this operation ends, at the rate so far; null before the first task."""
        if self.rate is None:
            return None
        left = self.total_bytes - self.bytes if self.total_bytes else self.total - self.done
        return max(0.0, left / self.rate)


_DOING = TypeAdapter(Doing)


class _File:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0.0

    def write(self, doing: Doing, *, now: bool) -> None:
        if not now and time.monotonic() - self.written < EVERY_SECONDS:
            return
        self.written = time.monotonic()
        found = asdict(doing) | {"at": time.time(), "host": socket.gethostname(), "pid": os.getpid()}
        with suppress(OSError):  # a full disk is no reason to end a run here
            write_whole(self.path, json.dumps(found, ensure_ascii=False))


_file: ContextVar[_File | None] = ContextVar("file of what this run does", default=None)


@contextmanager
def shown_at(path: Path) -> Iterator[None]:
    """Keep what the block does in a file, which is removed at its end."""
    token = _file.set(_File(path))
    try:
        yield
    finally:
        _file.reset(token)
        with suppress(OSError):
            path.unlink(missing_ok=True)


def show(doing: Doing, *, now: bool = False) -> None:
    """Write what this process does, at most every two seconds unless `now`; nothing outside of `shown_at`."""
    file = _file.get()
    if file is not None:
        file.write(doing, now=now)


def doing_at(path: Path) -> Doing | None:
    """Return what another process does; null if none is at work, or if its file was left over."""
    try:
        doing = _DOING.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    if doing.host != socket.gethostname():
        return doing if time.time() - doing.at < OLD_SECONDS else None
    try:
        os.kill(doing.pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return doing
