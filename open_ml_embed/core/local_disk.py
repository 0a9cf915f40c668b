"""Files of a store on a local or network disk."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa

from open_ml_embed.core.files import HOST, is_alive
from open_ml_embed.core.os_errors import naming

TEMPORARY = ".tmp"
"""Suffix of a file that is being written; its name holds the machine, the process and a number, so that no two writers
share one."""
ABANDONED_S = 2 * 24 * 3600.0
"""Seconds after which a temporary file of another machine, not written to since, is taken for one of a lost node."""
_LEFT = re.compile(r"\.(?P<host>[^./]+)-(?P<pid>[0-9]+)-[0-9]+\.tmp\Z")
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""Errors of a path where no file is; the last one is a link that leads nowhere."""
_written = itertools.count()


class LocalDisk:
    """A folder on a disk that renames files atomically. Paths are relative to it and slash-separated."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)  # noqa: PTH100 (a path with `..` stays as short as the system can make it)

    def full(self, path: str) -> str:
        """Return the path on the disk."""
        return f"{self.root}/{path}"

    @contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """Open `path` for writing; the file appears atomically when the block ends without an error."""
        final = self.full(path)
        temporary = Path(f"{final}.{HOST}-{os.getpid()}-{next(_written)}{TEMPORARY}")
        with naming(final):
            temporary.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as sink:
                    yield sink
                    sink.flush()
                    os.fsync(sink.fileno())
                temporary.replace(final)
            except BaseException:  # on a full disk, what is unfinished takes the room of what comes next
                temporary.unlink(missing_ok=True)
                raise

    def read(self, path: str) -> bytes | None:
        """Return the content of a small file; None if it does not exist."""
        try:
            return Path(self.full(path)).read_bytes()
        except OSError as error:
            if error.errno not in _MISSING:
                raise
            return None

    def read_all(self, paths: Iterable[str]) -> list[bytes | None]:
        """Return the content of many small files; None for a missing one."""
        return [self.read(path) for path in paths]

    def mapped(self, path: str) -> pa.NativeFile:
        """Open a file as a memory map; the caller closes it."""
        return pa.memory_map(self.full(path))

    def opened(self, path: str) -> pa.NativeFile:
        """Open a file for reading without a memory map; the caller closes it."""
        return pa.OSFile(self.full(path))

    def sizes(self, paths: Iterable[str]) -> dict[str, int | None]:
        """Return the sizes of files in bytes, by path; None for a missing file."""
        found: dict[str, int | None] = {}
        start, stat = f"{self.root}/", os.stat
        for path in paths:  # a status of 50,000 shards asks for 300,000 sizes: no call per path but one
            try:
                found[path] = stat(start + path).st_size
            except OSError as error:
                if error.errno not in _MISSING:
                    raise
                found[path] = None
        return found

    def paths(self, folder: str) -> Iterator[str]:
        """Yield the paths of all files in a folder and below it, in any order; an empty name is the root."""
        return (path for path, is_folder in self._below(folder) if not is_folder)

    def folders(self, folder: str) -> Iterator[str]:
        """Yield the paths of all folders below a folder, in any order; an empty name is the root."""
        return (path for path, is_folder in self._below(folder) if is_folder)

    def count(self, folder: str, suffix: str) -> int:
        """Return how many files in a folder and below it have names that end in `suffix`."""
        number, folders = 0, [self.full(folder)]
        while folders:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name.endswith(suffix):
                        number += 1
                    elif _is_folder(entry):
                        folders.append(entry.path)
        return number

    def _below(self, folder: str) -> Iterator[tuple[str, bool]]:
        folders = [self.full(folder) if folder else self.root]
        while folders:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folders.pop()) as entries:
                for entry in entries:
                    is_folder = _is_folder(entry)
                    if is_folder:
                        folders.append(entry.path)
                    yield entry.path[len(self.root) + 1 :], is_folder

    def put(self, local: Path, path: str) -> None:
        """Copy a file of this machine to `path`."""
        with local.open("rb") as source, self.writing(path) as sink:
            shutil.copyfileobj(source, sink, 1 << 22)

    def get(self, path: str, target: Path) -> None:
        """Put a finished file at a path of this machine, as a hard link where the disk allows it, else as a copy.

        Finished files are replaced, never changed, so a link keeps its content.
        """
        try:
            os.link(self.full(path), target)
        except OSError:
            shutil.copyfile(self.full(path), target)

    def remove(self, path: str) -> None:
        """Remove a file if it exists."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            Path(self.full(path)).unlink()

    def sweep(self, folder: str) -> None:
        """Remove temporary files below a folder: of dead processes of this machine, and old ones of other machines."""
        for left in Path(self.full(folder)).rglob(f"*{TEMPORARY}"):
            match = _LEFT.search(left.name)
            if match and _is_abandoned(left, match["host"], int(match["pid"])):
                left.unlink(missing_ok=True)


def _is_abandoned(left: Path, host: str, process: int) -> bool:
    """Tell whether nobody writes a temporary file any more. Processes of other machines cannot be looked up."""
    if host == HOST:
        return not is_alive(process)
    try:
        return time.time() - left.stat().st_mtime > ABANDONED_S
    except FileNotFoundError:
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder; a link to itself is none."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno not in _MISSING:
            raise
        return False
