"""Which processes run a task of Ray: it names each worker by what it does, `ray::IDLE` or `ray::` and the function."""

from __future__ import annotations

from pathlib import Path


def runs_a_task(process: int) -> bool:
    """Say whether a process is a worker of Ray with a task in it."""
    try:
        title = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False
    return title.startswith(b"ray::") and not title.startswith(b"ray::IDLE")


def parent_of(process: int) -> int | None:
    """Return the parent of a process, or None if it has ended."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None
