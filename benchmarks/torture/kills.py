"""Kills: at file operations chosen at random, and at random times, of parents, workers and whole groups."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.torture import verbs
from benchmarks.torture.rows import Row

ORPHANS_S = 10.0
"""Seconds after which no process of a run may be left."""
_OPERATIONS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "open"}


def at_operations(count: int, seed: int) -> Row:
    """Kill `count` verbs right before a file operation chosen at random, then run them again."""
    result = Row("kills at a file operation (open for writing, rename, remove, link, mkdir), over all verbs")
    rng = random.Random(seed)
    verbs.load()
    with tempfile.TemporaryDirectory() as folder, verbs.Stages(Path(folder)) as stages:
        totals = [_operations(stages, number) for number in range(len(verbs.VERBS))]
        for _ in range(count):
            number = rng.choices(range(len(totals)), [total + 20 for total in totals])[0]
            at = rng.randrange(totals[number])
            stages.restore(number)
            code = verbs.run(stages.root, verbs.VERBS[number], stages.log, before=lambda at=at: _doom(at))
            fault = "" if code == -signal.SIGKILL else f"it was to die, and ended with {code}"
            what = f"{' '.join(verbs.VERBS[number])}, operation {at} of {totals[number]}"
            _again(stages, number, what, fault, result)
    return result


def _operations(stages: verbs.Stages, number: int) -> int:
    """Return how many file operations a verb does."""
    stages.restore(number)
    counted = stages.folder / "count"
    verbs.run(stages.root, verbs.VERBS[number], stages.log, before=lambda: _count(counted))
    return int(counted.read_text())


def _watch(happened: Callable[[], None]) -> None:
    """Call a function before every file operation that writes below the current folder."""
    root = str(Path.cwd())

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event not in _OPERATIONS:
            return
        if event == "open":
            flags = arguments[2]
            if not (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                return
        path = arguments[0]
        if isinstance(path, (str, os.PathLike)) and str(path).startswith((root, "work", "out")):
            happened()

    sys.addaudithook(hook)


def _count(target: Path) -> None:
    descriptor = os.open(target, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    seen = [0]

    def happened() -> None:
        seen[0] += 1
        os.pwrite(descriptor, str(seen[0]).encode(), 0)

    _watch(happened)


def _doom(at: int) -> None:
    left = [at]

    def happened() -> None:
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    _watch(happened)


def at_times(count: int, seed: int) -> Row:
    """Signal `count` verbs that run in two workers, at random times, then run them again."""
    result = Row("signals at random times: KILL of the parent, of a worker, of all; TERM, INT, HUP")
    rng = random.Random(seed)
    verbs.load()
    with tempfile.TemporaryDirectory() as folder, verbs.Stages(Path(folder)) as stages:
        signaled = [
            i for i, verb in enumerate(verbs.VERBS) if verb in (*verbs.project.STEPS, verbs.PUBLISH, *verbs.TRAINING)
        ]
        for _ in range(count):
            number, way = rng.choice(signaled), rng.choice(list(WAYS))
            stages.restore(number)
            child = verbs.start(stages.root, verbs.VERBS[number], stages.log, workers=2)
            pause = rng.uniform(0.0, 4.0)
            code = verbs.wait(child, pause)
            if code is None:
                WAYS[way](child)
                code = verbs.wait(child, 60 if way == "a worker" else ORPHANS_S)
            what = f"{' '.join(verbs.VERBS[number])}, {way} after {pause:.2f} s"
            fault = ""
            if code is None:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                fault = f"{what}: it did not end in {ORPHANS_S:.0f} s"
            else:
                sent = (-signal.SIGKILL, -signal.SIGINT, 130)
                ended = verbs.fault_in(stages.log, code, expected=sent)
                fault = f"{what}: {ended}" if ended else ""
            if not fault and (left := _orphans(child)):
                fault = f"{what}: {len(left)} processes were left"
            # A signal saves a checkpoint, which the number of kept ones counts.
            _again(stages, number, what, fault, result, apart_from="/checkpoints/")
    return result


def _kill_worker(parent: int) -> None:
    children = _session(parent) - {parent}
    for child in sorted(children)[-1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


WAYS: dict[str, Callable[[int], None]] = {
    "KILL of the parent": lambda parent: os.kill(parent, signal.SIGKILL),
    "a worker": _kill_worker,
    "KILL of all": lambda parent: os.killpg(parent, signal.SIGKILL),
    "TERM": lambda parent: os.kill(parent, signal.SIGTERM),
    "INT": lambda parent: os.killpg(parent, signal.SIGINT),
    "HUP": lambda parent: os.kill(parent, signal.SIGHUP),
}


def _orphans(session: int) -> set[int]:
    """Return the processes of a run that are still there after ten seconds."""
    until = time.monotonic() + ORPHANS_S
    while (left := _session(session)) and time.monotonic() < until:
        time.sleep(0.2)
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return left


def _session(session: int) -> set[int]:
    """Return the living processes of a session."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                state, _, _, of = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(of) == session and state not in "ZX":
                    found.add(int(folder.name))
    return found


def _again(
    stages: verbs.Stages, number: int, what: str, fault: str, result: Row, *, apart_from: str | None = None
) -> None:
    """Run the verb again to its end, and compare all files with those of an undisturbed run."""
    code = verbs.run(stages.root, verbs.VERBS[number], stages.log)
    again = verbs.fault_in(stages.log, code)
    if code and not again:
        again = f"exit code {code}: {stages.log.read_text()[-300:]}"
    differences = verbs.differing(stages.root, stages.after[number])
    if apart_from is not None:
        differences = [name for name in differences if apart_from not in name]
    if again:
        fault = f"{what}; run again: {again}"
    elif differences:
        fault = f"{what}; run again: {differences[:3]} differ"
    result.count(fault, differences=len(differences))
