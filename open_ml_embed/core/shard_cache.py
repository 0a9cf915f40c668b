"""Copies of an object store's files on the local disk, shared by all processes of a user on this machine.

The name of a copy is a hash of the file's address and version, so a copy is never out of date. The least recently used
copies are removed when all of them together would take more than their share of the disk. The folder lies in the
folder for temporary files (`TMPDIR`).
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from open_ml_embed.core.files import is_alive

MOST_BYTES = 64 << 30
"""Most bytes that all copies may take; never more than half of what the disk has free for them."""
IN_USE_SECONDS = 60
"""Copies that were opened or made in these last seconds are kept."""
_TRIES = 5
_number = itertools.count()


def folder() -> Path:
    """Return the folder of the copies, which only this user can read."""
    path = Path(tempfile.gettempdir()) / f"open-ml-embed-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


@contextmanager
def spooled() -> Iterator[Path]:
    """Yield the path of a temporary file on the local disk, which is removed at the end."""
    path = _temporary()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def opened(name: str, size: int, download: Callable[[Path], None], open_file: Callable[[str], Any]) -> Any:
    """Open the copy of a version; download it if this machine has none.

    Args:
        name: of the version.
        size: of the file in bytes.
        download: writes the file to a path.
        open_file: opens a path.

    Raises:
        FileNotFoundError: other processes removed the copy each time before it was opened: the disk is too small.

    """
    path = folder() / name
    for tries in range(_TRIES):
        try:
            if path.stat().st_size == size:
                os.utime(path)
                return open_file(str(path))
        except FileNotFoundError:
            if tries == _TRIES - 1:
                raise
        _make_room(size)
        with spooled() as temporary:
            download(temporary)
            temporary.replace(path)
    raise FileNotFoundError(f"the copy in {path} has another size than the file")


def _temporary() -> Path:
    return folder() / f"{os.getpid()}-{threading.get_ident()}-{next(_number)}.tmp"


def _make_room(size: int) -> None:
    """Remove what dead processes left, and the least recently used copies that would leave no room for `size` bytes."""
    copies: list[tuple[float, int, Path]] = []
    for path in folder().iterdir():
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        if path.suffix == ".tmp":
            if not is_alive(int(path.name.partition("-")[0])):
                path.unlink(missing_ok=True)
            continue
        copies.append((state.st_mtime, state.st_size, path))
    held = sum(size_of_copy for _, size_of_copy, _ in copies)
    most = min(MOST_BYTES, (shutil.disk_usage(folder()).free + held) // 2)
    for used, size_of_copy, path in sorted(copies):
        if held + size <= most or time.time() - used < IN_USE_SECONDS:
            return
        path.unlink(missing_ok=True)
        held -= size_of_copy
