"""A lock on a folder, so that only one process works in it at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from open_ml_embed.core.errors import StageError

NAME = ".lock"


@contextmanager
def locked(folder: Path, *, what: str, remedy: str) -> Iterator[None]:
    """Hold the lock of a folder, which is created if needed. The system releases it when the process ends.

    Args:
        folder: the folder.
        what: what is wrong if another process holds the lock, for the error message.
        remedy: what to do then.

    Raises:
        StageError: another process holds it.

    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / NAME).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StageError(what, where=str(folder), remedy=remedy) from None
        yield
