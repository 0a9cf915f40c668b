"""The lock of a profile: one run at a time, be it of the command or from Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from curation.build import Build
from open_ml_embed.core.live import shown_at
from open_ml_embed.core.lock import locked

LIVE, LIVE_TRAINING = ".now.json", ".now-training.json"
"""Files below `work/<profile>/` of what a run does now, for `curate status`."""


@contextmanager
def alone(build: Build) -> Iterator[None]:
    """Hold the build's lock: two runs of one profile would write the same temporary files.

    Raises:
        StageError: another run holds it.

    """
    folder = build.local_work / build.name
    with (
        locked(folder, what="another run of this profile is at work", remedy="wait for it, or end it"),
        shown_at(folder / LIVE),
    ):
        yield
