"""What was recorded about a file when it was written, and the check that the file still has those bytes.

The record is the marker of the task that wrote the file, or the `.writer` file beside a file that several tasks may
write. A file is checked once per process as long as its size, time and inode stay the same, when it is first read.
Checking reads the whole file at about the speed of memory; see docs/reliability.md for the cost.

Only files on a local disk are checked when they are read. An object store checks what it keeps and transfers;
`curate verify --deep` reads everything there too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from open_ml_embed.core.errors import StageError
from open_ml_embed.core.hashing import hash_file
from open_ml_embed.core.sealed import DamagedRecordError, unseal

MARKER, WRITER = ".done.json", ".writer"
"""Suffix of a task's marker, and suffix of the file beside a table that holds its hash and the key of its task."""
REPAIR = "`curate verify --repair` makes it again"
_State = tuple[int, int, int]
_checked: dict[str, _State] = {}
"""Full path → size in bytes, time of the last change in ns, and inode, of files that this process has checked."""


class DamagedFileError(StageError):
    """A file does not have the bytes that were written."""


class Recorded(NamedTuple):
    """Size in bytes and xxh3-128 of a file, as they were when it was written."""

    bytes: int
    xxh3: str


def check_file(base: str, path: str) -> None:
    """Check a local file against its record, unless this process has done so.

    A file without a record is not checked: it was written by hand, or by the task that is reading it.

    Args:
        base: folder of a store, on a local disk.
        path: of the file, below that folder.

    Raises:
        DamagedFileError: the size or the hash differs from the record.
        DamagedRecordError: the record itself is damaged.

    """
    full = f"{base}/{path}"
    try:
        state = _state(full)
    except OSError:
        return  # whoever opens it says what is wrong
    if _checked.get(full) == state:
        return
    wanted = record_of(base, path)
    if wanted is None:
        return
    if state[0] != wanted.bytes:
        raise DamagedFileError(f"it has {state[0]} bytes, and {wanted.bytes} were written", where=full, remedy=REPAIR)
    if hash_file(Path(full)) != wanted.xxh3:
        raise DamagedFileError("it does not have the bytes that were written", where=full, remedy=REPAIR)
    _checked[full] = state


def forget() -> None:
    """Check every file again when it is read next."""
    _checked.clear()


def record_of(base: str, path: str) -> Recorded | None:
    """Return what was recorded about a file when it was written; None if there is no record.

    Args:
        base: folder of a store, on a local disk.
        path: of the file, below that folder.

    Raises:
        DamagedRecordError: the record is damaged.

    """
    beside = _read(base, path + WRITER)
    if beside is not None:
        return _matching([beside.get("output")], path, f"{base}/{path}{WRITER}")
    folder, _, name = path.rpartition("/")
    # The name of a task may have dots: all that the file's name can begin with are looked up.
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        marker = f"{folder}/{'.'.join(parts[:length])}{MARKER}"
        record = _read(base, marker)
        if record is not None:
            found = _matching(record.get("outputs"), path, f"{base}/{marker}")
            if found is not None:
                return found
    return None


def _matching(outputs: Any, path: str, where: str) -> Recorded | None:
    """Return the entry of a path among the outputs that a record holds."""
    try:
        return next((Recorded(int(o["bytes"]), str(o["xxh3"])) for o in outputs if o["path"] == path), None)
    except (KeyError, TypeError, ValueError):
        raise DamagedRecordError("the file is no record of outputs", where=where, remedy=REPAIR) from None


def _read(base: str, path: str) -> dict[str, Any] | None:
    full = f"{base}/{path}"
    try:
        data = Path(full).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return unseal(data, path, where=full, remedy=REPAIR)


def _state(path: str) -> _State:
    found = os.stat(path)  # noqa: PTH116 (a string of a store, many times a task)
    return found.st_size, found.st_mtime_ns, found.st_ino
