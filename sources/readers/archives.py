"""Archives: the members of a zip or tar file, one at a time, through a temporary file.

A member's own name is never used as a path, so it cannot leave the temporary folder. A member that unpacks to far
more than its archive holds is refused before it fills the disk.
"""

from __future__ import annotations

import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from sources.globs import any_match
from sources.quarantine import Quarantine
from sources.readers.opening import BrokenStreamError, open_binary

MAX_RATIO = 1000
"""Unpacked bytes for each byte of the archive; text stays below 50."""
SAFE_BYTES = 64 << 20
"""Whatever the ratio, a member may unpack to this much."""
_CHUNK = 1 << 20
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, BrokenStreamError, EOFError,
    zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError,
)  # fmt: skip
"""What zipfile and tarfile raise for damaged, encrypted or exotic archives."""


class _BombError(Exception):
    pass


def is_archive(path: str | Path) -> bool:
    """Tell by its first bytes whether a file is a zip or a (compressed) tar archive."""
    try:
        with open_binary(Path(path)) as stream:
            head = stream.read(512)
    except BrokenStreamError:
        return False
    return head.startswith(b"PK\x03\x04") or head[257:262] == b"ustar"


def members(path: Path, name: str, globs: list[str] | None, quarantine: Quarantine) -> Iterator[tuple[str, Path]]:
    """Unpack the matching members one after the other, in the archive's order.

    Args:
        path: the archive.
        name: what the origin calls it.
        globs: over member names; null admits all.
        quarantine: takes members that are damaged, encrypted, unsafe or bombs.

    Yields:
        (``name!member``, path of a temporary file that is gone after the next step).

    """
    with tempfile.TemporaryDirectory(prefix="member-") as folder:
        try:
            for member, stream in _streams(path, globs):
                full = f"{name}!{member}"
                if PurePosixPath(member).is_absolute() or ".." in PurePosixPath(member).parts:
                    quarantine.add(full, 0, "unsafe-member", member)
                    continue
                target = Path(folder) / "member"
                try:
                    with stream() as source:
                        _copy(source, target, limit=max(SAFE_BYTES, MAX_RATIO * path.stat().st_size))
                except _BombError:
                    quarantine.add(full, 0, "decompression-bomb", member)
                    continue
                except _DAMAGE as error:
                    quarantine.add(full, 0, "unreadable-member", str(error))
                    continue
                yield full, target
        except _DAMAGE as error:
            quarantine.add(name, 0, "unreadable-archive", str(error))


class _Opener:
    """Opens one member when called; a class rather than a closure over a loop variable."""

    def __init__(self, archive: zipfile.ZipFile | tarfile.TarFile, member: zipfile.ZipInfo | tarfile.TarInfo) -> None:
        self._archive, self._member = archive, member

    def __call__(self) -> IO[bytes]:
        if isinstance(self._archive, zipfile.ZipFile):
            assert isinstance(self._member, zipfile.ZipInfo)
            return self._archive.open(self._member)
        assert isinstance(self._member, tarfile.TarInfo)
        stream = self._archive.extractfile(self._member)
        assert stream is not None, "only regular files are opened"
        return stream


def _streams(path: Path, globs: list[str] | None) -> Iterator[tuple[str, _Opener]]:
    with path.open("rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
    if is_zip:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir() and _admitted(info.filename, globs):
                    yield info.filename, _Opener(archive, info)
        return
    with open_binary(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            if member.isreg() and _admitted(member.name, globs):
                yield member.name, _Opener(archive, member)


def _admitted(name: str, globs: list[str] | None) -> bool:
    return globs is None or any_match(name, globs)


def _copy(source: IO[bytes], target: Path, *, limit: int) -> None:
    size = 0
    target.unlink(missing_ok=True)  # writing over a file would have ext4 flush it to the disk
    with target.open("wb") as out:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                raise _BombError
            out.write(chunk)
