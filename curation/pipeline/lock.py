"""The lock of a profile: one run at a time, be it of the command or from Python."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from curation.build import Build
from open_ml_embed.core.errors import StageError


@contextmanager
def alone(build: Build) -> Iterator[None]:
    """Hold the build's lock: two runs of one profile would write the same temporary files.

    Raises:
        StageError: another run holds it.

    """
    folder = build.local_work / build.name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StageError(
                "another run of this profile is at work", where=str(folder), remedy="wait for it, or end it"
            ) from None
        yield
