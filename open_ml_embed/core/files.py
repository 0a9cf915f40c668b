"""Atomic writes of files and folders.

Data is written under a temporary name beside the target, flushed to the disk (fsync), and renamed. A reader sees the
old content or the new one. A killed process leaves a temporary file that no reader opens; the next writer of the same
target removes it.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from open_ml_embed.core.os_errors import naming

HOST = re.sub(r"[^A-Za-z0-9]", "", platform.node()) or "here"
"""Name of this machine, as it stands in the names of temporary files that other machines may see."""
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]+)-[0-9]+\.(?:tmp|old)")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; it is renamed to `path` when the block ends without an error.

    Parent folders are created. Two processes may write the same file at once; the last rename wins.

    """
    with naming(path):
        temporary = _temporary(path)
        try:
            yield temporary
            _flush(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file atomically; text is encoded as UTF-8, line ends are not converted."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a new temporary folder to fill; it replaces `path` when the block ends without an error."""
    with naming(path):
        temporary = _temporary(path)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
            put_folder(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def put_folder(filled: Path, path: Path) -> None:
    """Replace the folder `path` with `filled`, on the same file system; the old one is moved aside, then deleted."""
    for file in sorted(filled.rglob("*")):
        if file.is_file():
            _flush(file)
    old = _temporary(path).with_suffix(".old")
    if path.exists():
        path.rename(old)
    filled.rename(path)
    _flush(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def remove(path: Path) -> None:
    """Remove a file, or whatever stands in its place: a folder, a link to nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """Return a temporary path beside `path`, unique to this thread; remove those that dead processes left for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.iterdir():
        match = _TEMPORARY.fullmatch(left.name)
        if match and match["name"] == path.name and not is_alive(int(match["pid"])):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")


def is_alive(pid: int) -> bool:
    """Tell whether a process of this machine runs; one that has ended and that nobody has waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # the process exists and belongs to another user
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:  # no Linux, or it has just ended: the next run finds out
        return True
    return state not in (b"Z", b"X")


def _flush(path: Path) -> None:
    """Flush a file's data, or a folder's entries, to the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
