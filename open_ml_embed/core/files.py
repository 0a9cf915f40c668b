"""Files and folders that appear whole or not at all.

What is written goes to a temporary name beside its place, is flushed to the disk, and is renamed. A reader sees the old
content or the new one; a process that is killed leaves a temporary name that nobody reads and that the next writer of
the same file removes.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]+)-[0-9]+\.(?:tmp|old)")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a name to write to; what is there when the block ends without an error becomes `path`.

    Folders above it are made. Two processes that write the same file do not disturb each other: the last one stays.

    """
    temporary = _temporary(path)
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file; text is written as UTF-8, its line ends as they are."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder to fill; it takes the place of `path` when the block ends without an error."""
    temporary = _temporary(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        put_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def put_folder(filled: Path, path: Path) -> None:
    """Put a folder into the place of another on the same disk; the old one is moved aside first, then deleted."""
    for file in sorted(filled.rglob("*")):
        if file.is_file():
            _flush(file)
    old = _temporary(path).with_suffix(".old")
    if path.exists():
        path.rename(old)
    filled.rename(path)
    _flush(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _temporary(path: Path) -> Path:
    """Return a name beside `path` that is this thread's, and remove those that dead processes left for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.iterdir():
        found = _TEMPORARY.fullmatch(left.name)
        if found and found["name"] == path.name and not _alive(int(found["pid"])):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _flush(path: Path) -> None:
    """Have the disk hold what was written to a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
