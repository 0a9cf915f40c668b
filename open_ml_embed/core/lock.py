"""Locks between processes. The system releases a lock when its process ends, so that none is ever left behind."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from open_ml_embed.core.errors import StageError
from open_ml_embed.core.os_errors import in_words, naming

NAME = ".lock"


@contextmanager
def locked(folder: Path, *, what: str, remedy: str) -> Iterator[None]:
    """Hold the lock of a folder, which is created if needed.

    Args:
        folder: the folder.
        what: what is wrong if another process holds the lock, for the error message.
        remedy: what to do then.

    Raises:
        StageError: another process holds it, or the folder cannot have one: a full or read-only disk, a file system
            without locks.

    """
    with in_words(), _held(folder / NAME, wait=False) as held:
        if not held:
            raise StageError(what, where=str(folder), remedy=remedy)
        yield


@contextmanager
def waiting(path: Path) -> Iterator[None]:
    """Hold the lock of a file, which is created with its folders if needed; wait for another process that holds it."""
    with _held(path, wait=True):
        yield


@contextmanager
def _held(path: Path, *, wait: bool) -> Iterator[bool]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        with naming(path):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                held = False
            else:
                held = True
        yield held
