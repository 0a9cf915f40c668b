"""The record of runs: what each run of a step took on this machine, when it was, and how it ended.

It is no result: two equal builds take different times. So it stays out of `out/` and of every table that the page
shows, in a hidden file beside the shards, `work/<profile>/.runs.jsonl`, of this machine also where shards lie in an
object store. `curate status` shows the last run of each step; `curate report --data FOLDER --runs` writes all of them.

A line is a run, as JSON. A line that was cut off, by a crash or a full disk, is skipped. Of each step the last `KEPT`
runs stay.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from curation.build import Build, named, title
from curation.failures import RefusedError, RefusedForNowError
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.lock import waiting
from open_ml_embed.core.metering import Meter
from open_ml_embed.core.printing import say
from open_ml_embed.core.version import code_commit, version

NAME = ".runs.jsonl"
KEPT = 100
"""Runs of a step that are kept."""
MOST_BYTES = 1 << 18
"""A longer record loses its old lines."""
End = Literal["done", "refused", "failed", "stopped"]


@dataclass(frozen=True)
class Run:
    """A run of a step.

    Attributes:
        step: as the command names it.
        started: date and time in UTC, ISO 8601.
        end: `done`; `refused`: to its end, but some sources failed; `failed`; `stopped`: by a signal or Ctrl-C.
        seconds: by the clock, without the start of the program.
        cpu_seconds: of all processes.
        peak_memory: bytes, of the largest process.
        engine: `local` or `ray`.
        workers: tasks at once; null: as many as the cluster has cores.
        tasks_done: tasks of the engine that the run finished.
        tasks_resumed: tasks that were done before it.
        version: of this program.
        commit: of its code; null: unknown.

    """

    step: str
    started: str
    end: End
    seconds: float
    cpu_seconds: float
    peak_memory: int
    engine: str
    workers: int | None
    tasks_done: int
    tasks_resumed: int
    version: str
    commit: str | None


_RUN = TypeAdapter(Run)


@contextmanager
def recorded(build: Build, step: str, meter: Meter) -> Iterator[None]:
    """Record the block as a run of a step, whatever its end. A record that cannot be written is no failure of the run.

    Args:
        build: the profile.
        step: name of its file.
        meter: has measured since the step began.

    """
    end: End = "failed"
    try:
        yield
        end = "done"
    except (RefusedError, RefusedForNowError):
        end = "refused"
        raise
    except (KeyboardInterrupt, SystemExit):
        end = "stopped"
        raise
    finally:
        try:
            _append(path_of(build), _run(build, step, meter, end))
        except OSError as error:
            say(f"warning: the time and memory of this run are not recorded: {error}")


def path_of(build: Build) -> Path:
    """Return the path of a profile's record."""
    return build.local_work / build.name / NAME


def read_runs(build: Build) -> list[Run]:
    """Return the runs on record, in the order in which they ended; none if there is no record."""
    try:
        data = path_of(build).read_bytes()
    except OSError:
        return []
    return list(_parsed(data))


def last_runs(build: Build) -> dict[str, Run]:
    """Return the last run of each step that has one, by the name of the step's file."""
    return {named(run.step): run for run in read_runs(build)}


def _run(build: Build, step: str, meter: Meter, end: End) -> Run:
    workers = build.workers
    return Run(
        step=title(step),
        started=meter.started.isoformat(timespec="milliseconds"),
        end=end,
        seconds=round(meter.seconds, 3),
        cpu_seconds=round(meter.cpu_seconds, 3),
        peak_memory=meter.peak_memory,
        engine=workers.kind,
        workers=(workers.count or None) if workers.kind == "ray" else workers.number,
        tasks_done=meter.tasks_done,
        tasks_resumed=meter.tasks_resumed,
        version=version(),
        commit=code_commit(),
    )


def _append(path: Path, run: Run) -> None:
    with waiting(path.with_name(f"{NAME}.lock")), path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # the last line was cut off: the new one must not be glued to it
                file.write(b"\n")
        file.write(_line(run))
        file.flush()
        if file.tell() > MOST_BYTES:
            file.seek(0)
            write_whole(path, b"".join(map(_line, _newest(list(_parsed(file.read()))))))


def _line(run: Run) -> bytes:
    return json.dumps(asdict(run), ensure_ascii=False).encode() + b"\n"


def _parsed(data: bytes) -> Iterator[Run]:
    for line in data.splitlines():
        try:
            yield _RUN.validate_json(line)
        except ValidationError:
            continue  # cut off, or of another version


def _newest(runs: list[Run]) -> list[Run]:
    """Return the last runs of each step, in their order."""
    counts: dict[str, int] = {}
    kept = []
    for run in reversed(runs):
        counts[run.step] = counts.get(run.step, 0) + 1
        if counts[run.step] <= KEPT:
            kept.append(run)
    return kept[::-1]
