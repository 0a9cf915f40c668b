"""Memory of this process and of the machine: what is held, what is free, and how to give some back."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

CGROUPS = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
OWN_GROUP = Path("/proc/self/cgroup")
STATM = Path("/proc/self/statm")
STATUS = Path("/proc/self/status")
CLEAR_PEAK = Path("/proc/self/clear_refs")


def give_back() -> None:
    """Return freed memory to the operating system: that of Arrow's pool, and that of glibc's heap (`malloc_trim`)."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # other C libraries have no `malloc_trim`
        trim(0)


def resident() -> int:
    """Return how many bytes of memory this process holds; where `/proc` is missing, the most it has held."""
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return _peak_of_usage()


def peak() -> int:
    """Return the most bytes of memory that this process has held, since `restart_peak` where the kernel can do that.

    Not `getrusage` where `/proc` has it: for a program that a larger one started, that has the peak of the larger one.
    """
    try:
        lines = STATUS.read_text().splitlines()
    except FileNotFoundError:
        return _peak_of_usage()
    found = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
    return _peak_of_usage() if found is None else found


def restart_peak() -> None:
    """Let `peak` count from now on (Linux: proc(5), clear_refs); elsewhere it goes on from the start of the process."""
    with suppress(OSError):
        CLEAR_PEAK.write_text("5")


def _peak_of_usage() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def available() -> int:
    """Return how many bytes processes can still take: of the machine, and of the control groups of this process.

    Pages of files that the kernel can drop count as free. Without `/proc`, all memory of the machine counts as free.
    """
    try:
        lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (FileNotFoundError, KeyError):
        free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(0, min([free, *_of_groups()]))


def _of_groups() -> Iterator[int]:
    """Yield what each control group with a limit has left, from the own group up (cgroups version 2, then 1)."""
    try:
        groups = [line.split(":", 2) for line in OWN_GROUP.read_text().splitlines()]
    except FileNotFoundError:
        return
    for _, controllers, group in groups:
        if not controllers:
            for folder in _upwards(CGROUPS, group):
                yield from _left(folder, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            for folder in _upwards(CGROUPS / "memory", group):
                yield from _left(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _upwards(top: Path, group: str) -> Iterator[Path]:
    own = top / group.strip("/")
    yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(top))


def _left(folder: Path, limit: str, used: str, droppable: str) -> Iterator[int]:
    try:
        most, held = (folder / limit).read_text().strip(), int((folder / used).read_text())
        pages = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except OSError:
        return
    if most != "max":
        yield int(most) - held + int(pages.get(droppable, 0))
