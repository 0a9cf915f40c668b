"""The lock of a profile: one run at a time, be it of the command or from Python."""

from __future__ import annotations

from contextlib import AbstractContextManager

from curation.build import Build
from open_ml_embed.core.lock import locked


def alone(build: Build) -> AbstractContextManager[None]:
    """Hold the build's lock: two runs of one profile would write the same temporary files.

    Raises:
        StageError: another run holds it.

    """
    folder = build.root / "work" / build.name
    return locked(folder, what="another run of this profile is at work", remedy="wait for it, or end it")
