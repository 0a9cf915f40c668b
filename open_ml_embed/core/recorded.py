"""What was recorded about a file when it was written, and the check that the file still has those bytes.

The record is the marker of the task that wrote the file, or the `.writer` file beside a file that several tasks may
write. A file is checked once per process as long as its size, time and inode stay the same, when it is first read.
Checking reads the whole file at about the speed of memory; see docs/reliability.md for the cost.

Only files on a local disk are checked when they are read. On object storage, a read of some columns fetches only those
columns, and the service checks what it transfers; `curate verify --deep` reads everything there too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from open_ml_embed.core.errors import StageError
from open_ml_embed.core.hashing import hash_file
from open_ml_embed.core.sealed import DamagedRecordError, unseal

if TYPE_CHECKING:
    from open_ml_embed.core.store import Output, Store

REPAIR = "`curate verify --repair` makes it again"
_State = tuple[int, int, int]
_checked: dict[str, _State] = {}
"""Full path → size in bytes, time of the last change in ns, and inode, of files that this process has checked."""


class DamagedFileError(StageError):
    """A file does not have the bytes that were written."""


def check_file(store: Store, path: str) -> None:
    """Check a local file against its record, unless this process has done so.

    A file without a record is not checked: it was written by hand, or by the task that is reading it.

    Args:
        store: on a local disk.
        path: below the store's root.

    Raises:
        DamagedFileError: the size or the hash differs from the record.
        DamagedRecordError: the record itself is damaged.

    """
    full = store.full(path)
    try:
        state = _state(full)
    except OSError:
        return  # whoever opens it says what is wrong
    if _checked.get(full) == state:
        return
    output = record_of(store, path)
    if output is None:
        return
    if state[0] != output.bytes:
        raise DamagedFileError(f"it has {state[0]} bytes, and {output.bytes} were written", where=full, remedy=REPAIR)
    if hash_file(Path(full)) != output.xxh3:
        raise DamagedFileError("it does not have the bytes that were written", where=full, remedy=REPAIR)
    _checked[full] = state


def forget() -> None:
    """Check every file again when it is read next."""
    _checked.clear()


def record_of(store: Store, path: str) -> Output | None:
    """Return what was recorded about a file when it was written; None if there is no record.

    Raises:
        DamagedRecordError: the record is damaged.

    """
    from open_ml_embed.core.store import MARKER, WRITER, Output, marker_of

    beside = _bytes(store, path + WRITER)
    if beside is not None:
        return Output(**unseal(beside, where=store.full(path + WRITER), remedy=REPAIR)["output"])
    folder, _, name = path.rpartition("/")
    # The name of a task may have dots: all that the file's name can begin with are looked up.
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        stem = "/".join(filter(None, (folder, ".".join(parts[:length]))))
        raw = _bytes(store, stem + MARKER)
        if raw is not None:
            try:
                marker = marker_of(raw)
            except (ValueError, KeyError, TypeError) as error:
                raise DamagedRecordError(
                    "the marker is damaged", where=store.full(stem + MARKER), remedy=REPAIR
                ) from error
            found = next((output for output in marker.outputs if output.path == path), None)
            if found is not None:
                return found
    return None


def _bytes(store: Store, path: str) -> bytes | None:
    try:
        return Path(store.full(path)).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _state(path: str) -> _State:
    found = os.stat(path)  # noqa: PTH116 (a string of a store, many times a task)
    return found.st_size, found.st_mtime_ns, found.st_ino
