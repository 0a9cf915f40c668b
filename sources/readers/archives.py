"""Archives: unpacks the members of a zip or tar file one at a time into a temporary file.

The name of a member is never used as a path, so that it cannot leave the temporary folder. A decompression bomb is
refused before it fills the disk.
"""

from __future__ import annotations

import errno
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from open_ml_embed.core.scratch import scratch_folder
from sources.globs import any_match
from sources.quarantine import Quarantine, plain
from sources.readers.sniff import BrokenStreamError, compression_of, head_of, open_binary

MAX_RATIO = 1000
"""Largest ratio of a member's unpacked bytes to the packed bytes of the archive; text stays below 50."""
SAFE_BYTES = 64 << 20
"""Unpacked size of a member that is allowed at any ratio."""
MOST_ROOMS = 4
"""How many times the most that one member may have is unpacked of an archive, all members together. Members that share
the same packed bytes would otherwise unpack without end."""
_CHUNK = 1 << 13
"""Bytes to copy at a time; if an archive is cut, the data of the failing read are lost, so this is small."""
_CUT = (BrokenStreamError, EOFError, tarfile.ReadError)
"""Exceptions of a cut member; the data before the cut are valid."""
DAMAGE = (
    struct.error,
    zipfile.BadZipFile,
    tarfile.TarError,
    BrokenStreamError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)
"""Exceptions of zipfile and tarfile for damaged, encrypted or unsupported archives."""
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
"""First bytes of a zip archive: header of a member, or the end record of an empty archive."""
_BLOCK = 512


class _BombError(Exception):
    pass


@contextmanager
def damage_of_streams() -> Iterator[None]:
    """Raise `BadZipFile` for an `OSError` that is the archive's fault: a bad offset, or a bad bzip2 stream.

    An offset outside of the file is EINVAL to the system; `bz2` raises an `OSError` without a number. All others, such
    as a full disk, are not damage and pass.
    """
    try:
        yield
    except OSError as error:
        if type(error) is not OSError or error.errno not in (None, errno.EINVAL):  # errors of a network are subclasses
            raise
        raise zipfile.BadZipFile(f"damaged: {error}") from error


def is_archive(path: str | Path, name: str = "") -> bool:
    """Tell from its first bytes whether a file is a zip or a (compressed) tar archive."""
    head = head_of(Path(path), name, _BLOCK)
    return head.startswith(_ZIP) or _is_tar(head)


def _is_tar(head: bytes) -> bool:
    """Recognize a tar header by its checksum (POSIX.1-2017, pax, "ustar Interchange Format").

    The magic word `ustar` alone could occur in a text.
    """
    if len(head) < _BLOCK or not head[0]:
        return False
    field = head[148:156].strip(b" \0")
    if not field or field.strip(b"01234567"):
        return False
    return int(field, 8) == sum(head[:148]) + 8 * ord(" ") + sum(head[156:_BLOCK])


@contextmanager
def unpacked(path: Path, name: str, quarantine: Quarantine) -> Iterator[Path | None]:
    """Yield the path of the decompressed file (the file itself if it is not compressed); None if that fails."""
    with path.open("rb") as file:
        packed = compression_of(file.read(16), name)
    if packed is None:
        yield path
        return
    with scratch_folder("unpacked") as folder:
        target = folder / "file"
        try:
            with open_binary(path, name) as source:
                _copy(source, target, limit=_room(path))
        except (_BombError, BrokenStreamError) as error:
            why = str(error) or "it unpacks to more than a thousand times its size"
            quarantine.add_unreadable(name, why, path.stat().st_size)
            yield None
        else:
            yield target


def members(path: Path, name: str, globs: list[str] | None, quarantine: Quarantine) -> Iterator[tuple[str, Path]]:
    """Unpack the matching members one after another, in the archive's order.

    Args:
        path: the archive.
        name: its name at the origin.
        globs: patterns for member names; None: all members.
        quarantine: receives members that are damaged, encrypted, unsafe or decompression bombs.

    Yields:
        (``name!member``, path of a temporary file that exists until the next iteration). Bytes of a member's name that
        are no UTF-8 are escaped. For the last member of a cut archive, the file holds the part before the cut.

    """
    with scratch_folder("member") as folder:
        target = folder / "member"
        archive: _Zip | _Tar | None = None
        reached = False
        room, spent = _room(path), 0
        try:
            with path.open("rb") as file:
                archive = _Zip(path, globs) if file.read(4) in _ZIP else _Tar(path, name, globs)
            for member, size, stream in archive:
                full, reached = f"{name}!{plain(member)}", True
                if PurePosixPath(member).is_absolute() or ".." in PurePosixPath(member).parts:
                    quarantine.add(full, 0, "unsafe-member", member)
                    continue
                if spent >= MOST_ROOMS * room:
                    what = f"its members unpack to more than {spent:,} bytes: those from {member!r} on are not read"
                    quarantine.add_unreadable(name, what, path.stat().st_size, reason="decompression-bomb")
                    return
                try:
                    with damage_of_streams(), stream as source:
                        spent += _copy(source, target, limit=room)
                except _BombError:
                    spent += room
                    quarantine.add_unreadable(
                        full, "it unpacks to far more than the archive holds", size, reason="decompression-bomb"
                    )
                    continue
                except DAMAGE as error:
                    received = target.stat().st_size if isinstance(error, _CUT) and target.exists() else 0
                    quarantine.add_unreadable(
                        full, str(error), max(size - received, 0), reason="unreadable-member", count=int(not received)
                    )
                    if not received:
                        continue
                yield full, target
        except DAMAGE as error:
            left = path.stat().st_size
            if reached and isinstance(error, _CUT):  # the missing bytes are recorded for the member
                left = error.left if isinstance(error, BrokenStreamError) else 0
            quarantine.add_unreadable(name, str(error), left, reason="unreadable-archive")
            return
        for link in archive.links:
            quarantine.add(f"{name}!{plain(link)}", 0, "link-member", link)
        if archive.damage:
            quarantine.add_unreadable(name, archive.damage, archive.skipped, reason="unreadable-archive")
        elif not reached and not archive.links:
            why = f"none of its {archive.listed} members is a file that `members` names" if globs else "it has no files"
            quarantine.add_unreadable(name, why, path.stat().st_size, reason="no-members")


class _Zip:
    """Iterates over (name, packed size, stream) of the matching members of a zip archive.

    Attributes:
        listed: number of members so far.

    """

    damage = ""
    skipped = 0

    def __init__(self, path: Path, globs: list[str] | None) -> None:
        self._path, self._globs = path, globs
        self.links: list[str] = []
        self.listed = 0

    def __iter__(self) -> Iterator[tuple[str, int, AbstractContextManager[IO[bytes]]]]:
        with damage_of_streams():
            opened = zipfile.ZipFile(self._path)
        with opened as archive:
            for info in archive.infolist():
                self.listed += 1
                if not info.is_dir() and _admitted(info.filename, self._globs):
                    yield info.filename, info.compress_size, _Opening(archive, info)


class _Opening:
    """Context manager that opens a member of a zip archive on entry, so that a damaged member fails separately."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive, self._info = archive, info

    def __enter__(self) -> IO[bytes]:
        self._stream = self._archive.open(self._info)
        return self._stream

    def __exit__(self, *_: object) -> None:
        self._stream.close()


class _Tar:
    """Iterates over (name, size, stream) of the matching members of a tar archive, and records its damage.

    Blocks that are not a header are skipped, as with `--ignore-zeros` of GNU tar. A damaged header therefore loses only
    its member, and concatenated archives are read to the end.

    Attributes:
        damage: description of the damage; empty if there is none.
        skipped: number of skipped bytes.
        links: matching members that are links or devices, which are not followed.
        listed: number of members so far.

    """

    def __init__(self, path: Path, name: str, globs: list[str] | None) -> None:
        self._path, self._name, self._globs = path, name, globs
        self.damage, self.skipped = "", 0
        self.links: list[str] = []
        self.listed = 0

    def __iter__(self) -> Iterator[tuple[str, int, AbstractContextManager[IO[bytes]]]]:
        headers = _Headers()
        with (
            open_binary(self._path, self._name) as stream,
            tarfile.open(fileobj=stream, mode="r|", ignore_zeros=True, tarinfo=headers.kind) as archive,
        ):
            for member in archive:
                self.listed += 1
                if not (member.isreg() or member.isdir()) and _admitted(member.name, self._globs):
                    self.links.append(member.name)
                if member.isreg() and _admitted(member.name, self._globs):
                    content = archive.extractfile(member)
                    assert content is not None, "a regular file has a content"
                    yield member.name, member.size, content
        self.skipped = headers.bad * _BLOCK
        if headers.bad:
            self.damage = f"{headers.bad} blocks of {_BLOCK} bytes are no headers, and members of it may be lost"
        elif not headers.ends:
            self.damage = "no end-of-archive block: the archive was cut"


class _Headers:
    """Counts bad headers and end-of-archive blocks; `kind` is the `TarInfo` class that does the counting."""

    def __init__(self) -> None:
        self.bad = self.ends = 0
        counts = self

        class Header(tarfile.TarInfo):
            @classmethod
            def fromtarfile(cls, archive: tarfile.TarFile) -> Any:
                try:
                    return super().fromtarfile(archive)
                except tarfile.EOFHeaderError:  # type: ignore[attr-defined] # typeshed lacks it
                    counts.ends += 1
                    raise
                except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError):  # type: ignore[attr-defined] # likewise
                    counts.bad += 1
                    raise

        self.kind = Header


def _admitted(name: str, globs: list[str] | None) -> bool:
    return globs is None or any_match(name, globs)


def _room(path: Path) -> int:
    """Return how many bytes a packed file may unpack to."""
    return max(SAFE_BYTES, MAX_RATIO * path.stat().st_size)


def _copy(source: IO[bytes], target: Path, *, limit: int) -> int:
    """Copy a stream into a file, and return its size in bytes."""
    size = 0
    target.unlink(missing_ok=True)  # overwriting a file would make ext4 flush it to the disk
    with target.open("wb") as out:
        while chunk := source.read1(_CHUNK):  # type: ignore[attr-defined] # not of all IO, of these
            size += len(chunk)
            if size > limit:
                raise _BombError
            out.write(chunk)
    return size
