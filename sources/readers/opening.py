"""Opening raw files: gzip, bzip2 and xz are seen by their first bytes and undone as the file is read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

_KINDS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
_CHUNK = 1 << 20


class BrokenStreamError(Exception):
    """A compressed file ends early or is damaged; what was read before is sound."""


def open_binary(path: Path) -> BinaryIO:
    """Open a file for reading, decompressed.

    The stream raises `BrokenStreamError` where the compressed data are damaged or cut.
    """
    with path.open("rb") as file:
        opener = _KINDS.get(file.read(2))
    if opener is None:
        return path.open("rb")
    return _Patient(_Decompressed(opener(path, "rb")), _CHUNK)


class _Decompressed(io.RawIOBase):
    def __init__(self, inner: io.BufferedIOBase) -> None:
        self._inner = inner

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        try:
            data = self._inner.read1(len(view))
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise BrokenStreamError(str(error)) from None
        except OSError as error:  # bz2 says so of damaged data, without a number; the disk has one
            if error.errno is not None:
                raise
            raise BrokenStreamError(str(error)) from None
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._inner.close()
        super().close()


class _Patient(io.BufferedReader):
    """Gives what came before the damage first, and raises at the next call."""

    _error: BrokenStreamError | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        if self._error is not None:
            raise self._error
        most = -1 if size is None else size
        pieces: list[bytes] = []
        got = 0
        while most < 0 or got < most:
            try:
                piece = self.read1(_CHUNK if most < 0 else most - got)
            except BrokenStreamError as error:
                if not pieces:
                    raise
                self._error = error
                break
            if not piece:
                break
            pieces.append(piece)
            got += len(piece)
        return b"".join(pieces)
