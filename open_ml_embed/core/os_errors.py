"""What the system refuses, in words: the path, the free space, and what to do.

Code that writes files lets `OSError` pass; `in_words` stands around a command and around a step, and makes a
`StageError` of it. `naming` adds the path where the system does not tell it, as for a write to a full disk.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from open_ml_embed.core.errors import StageError

KEPT = "what is finished is kept: run the same command again"
_NUMBER = re.compile(r"\[[Ee]rrno (\d+)\]")


@dataclass(frozen=True)
class _Kind:
    """What some error numbers mean.

    Attributes:
        numbers: of the system.
        what: what went wrong; `{reason}` is the system's word for it, `{free}` the free space, `{most}` the most files.
        remedy: what to do about it.

    """

    numbers: tuple[int, ...]
    what: str
    remedy: str


_KINDS = (
    _Kind(
        (errno.ENOSPC, errno.EDQUOT),
        "there is no room to write: {reason}{free}",
        f"make room there, or put work/ on a larger disk; {KEPT}",
    ),
    _Kind(
        (errno.EROFS,),
        "the file system can only be read{free}",
        f"mount it for writing, or work in another folder; {KEPT}",
    ),
    _Kind(
        (errno.EACCES, errno.EPERM),
        "this user may not do that: {reason}",
        f"give this user the right to it (`ls -ld` shows who has it), or work in another folder; {KEPT}",
    ),
    _Kind(
        (errno.EMFILE, errno.ENFILE),
        "too many files are open; this process may open {most}",
        f"allow more with `ulimit -n 65536`, or use fewer --workers; {KEPT}",
    ),
    _Kind(
        (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTSUP),
        "this file system has no locks ({reason}), so two runs could write the same files",
        "put work/ on a file system with locks (flock), such as a local disk",
    ),
    _Kind(
        (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP),
        "something else stands there: {reason}",
        "move it away, then run the command again",
    ),
    _Kind(
        (errno.ENAMETOOLONG,),
        "the name is too long for this file system",
        "use shorter names, or a folder higher up",
    ),
    _Kind(
        (errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO),
        "the disk does not answer as it should: {reason}",
        "see the system's log; `curate verify --deep` shows which files are damaged",
    ),
    _Kind(
        (errno.ENOENT,),
        "{reason}",
        "see that the file is there and can be read (`curate fetch` brings raw files), then run it again",
    ),
    _Kind((errno.ENOMEM,), "the memory of this machine is not enough", f"use fewer --workers; {KEPT}"),
    _Kind((errno.EFBIG,), "the file is larger than the file system or `ulimit -f` allows", "allow larger files"),
    _Kind(
        (errno.EBUSY, errno.ETXTBSY, errno.EXDEV, errno.ETIMEDOUT),
        "the system refuses: {reason}",
        f"see what else uses it; {KEPT}",
    ),
)


class SystemRefusedError(StageError):
    """The operating system refused to read or write: a full disk, a read-only folder, a file in the way."""


@contextmanager
def in_words() -> Iterator[None]:
    """Turn an `OSError` and a `MemoryError` of the block into an error for users.

    Raises:
        SystemRefusedError: with the path, the free space and what to do.
        OSError: one whose number means nothing here; it is a fault of the program.

    """
    try:
        yield
    except MemoryError as error:
        what = "the memory of this machine is not enough"
        raise SystemRefusedError(what, remedy=f"use fewer workers (--workers 1) or a larger machine; {KEPT}") from error
    except OSError as error:
        ours = explained(error)
        if ours is None:
            raise
        raise ours from error


@contextmanager
def naming(path: object) -> Iterator[None]:
    """Add a path to an `OSError` of the block that names none."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def explained(error: OSError) -> StageError | None:
    """Return an error for users; None if the number of the error is not one that a system gives for a file.

    Args:
        error: of Python, or of Arrow, which has the number in its text.

    """
    number = error.errno or _number_in(str(error))
    kind = next((kind for kind in _KINDS if number in kind.numbers), None)
    if number is None or kind is None or isinstance(error, ConnectionError):
        return None
    where = _path_of(error)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    what = kind.what.format(reason=os.strerror(number).lower(), free=_free(where), most=most)
    return SystemRefusedError(what, where=where, remedy=kind.remedy)


def _path_of(error: OSError) -> str:
    # Of a rename, the second name is the one that was to be made.
    name = error.filename2 or error.filename
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    return "" if name is None else str(name)


def _free(where: str) -> str:
    """Return the free space where a path lies, as part of a sentence; empty if it cannot be found out."""
    folder = Path(where) if where else Path.cwd()
    for candidate in (folder, *folder.absolute().parents):
        try:
            return f"; {shutil.disk_usage(candidate).free / 1e9:,.1f} GB are free there"
        except OSError:
            continue
    return ""


def _number_in(text: str) -> int | None:
    found = _NUMBER.search(text)
    return int(found[1]) if found else None
