"""Decompression of all streams of a file, with exact detection of damage.

A file may consist of several concatenated streams (`cat a.gz b.gz`, or the output of parallel compressors). Zero bytes
between and after them are padding. Any other data after a stream are reported as damage, which the standard library's
file objects ignore for bzip2 and xz.
"""

from __future__ import annotations

import bz2
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

import pyarrow as pa

_COMPRESSED = 1 << 15
"""Compressed bytes per call of a decompressor; at a damage, the output of this many bytes is lost."""
_MOST = 1 << 20
"""Most decompressed bytes per call."""


class BrokenStreamError(Exception):
    """A compressed file is cut or damaged; the data read before are valid.

    Attributes:
        left: bytes of the stored file from the damage to the end.

    """

    def __init__(self, what: str, left: int = 0) -> None:
        super().__init__(what)
        self.left = left


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


class _Gzip:
    """`zlib` with the interface of the other decompressors; it verifies length and checksum of each member."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = _MOST) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail


def gzipped(file: BinaryIO) -> Iterator[bytes]:
    """Yield the decompressed content of a gzip file (RFC 1952).

    Raises:
        BrokenStreamError: the file is cut or damaged; raised while iterating.

    """
    return _members(file, _Gzip, "gzip")


def bzip2(file: BinaryIO) -> Iterator[bytes]:
    """Yield the decompressed content of a bzip2 file; raises as `gzipped`."""
    return _members(file, bz2.BZ2Decompressor, "bzip2")


def lzma_stream(file: BinaryIO) -> Iterator[bytes]:
    """Yield the decompressed content of an xz file; raises as `gzipped`."""
    return _members(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ), "xz")


def _members(file: BinaryIO, make: Callable[[], _Decompressor], kind: str) -> Iterator[bytes]:
    size = os.fstat(file.fileno()).st_size
    inner, begun, data = make(), False, b""
    while True:
        if not data:
            data = file.read(_COMPRESSED)
            if not data:
                break
        if not begun:
            data = data.lstrip(b"\0")
            if not data:
                continue
        before = file.tell() - len(data)
        begun = True
        try:
            yield from _drained(inner, data)
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
            raise BrokenStreamError(f"damaged {kind} data: {error}", size - before) from None
        data = b""
        if inner.eof:
            data, inner, begun = inner.unused_data, make(), False
    if begun:
        raise BrokenStreamError(f"the {kind} data end before their end", 0)


def _drained(inner: _Decompressor, data: bytes) -> Iterator[bytes]:
    while True:
        piece = inner.decompress(data, _MOST)
        if piece:
            yield piece
        data = b""
        if inner.eof or getattr(inner, "needs_input", True):
            return


def through_arrow(codec: str) -> Callable[[BinaryIO], Iterator[bytes]]:
    """Return a function that yields the decompressed content of a file with one of Arrow's codecs."""

    def pieces(file: BinaryIO) -> Iterator[bytes]:
        size = os.fstat(file.fileno()).st_size
        given, source = 0, _Unclosed(file)
        try:
            for piece in _read(source, codec):
                yield piece
                given += len(piece)
        except OSError as error:
            if error.errno is not None:
                raise
            cut = str(error).startswith("Truncated")
            left = 0 if cut else size - source.latest
            # The data of the failing call are lost: read again up to that point, and continue byte by byte.
            yield from _last(file, codec, given)
            raise BrokenStreamError(f"{'cut' if cut else 'damaged'} {codec} data: {error}", left) from None

    return pieces


def _read(source: _Unclosed, codec: str) -> Iterator[bytes]:
    with pa.CompressedInputStream(pa.PythonFile(source, mode="r"), codec) as stream:
        while piece := stream.read(_COMPRESSED):
            yield piece


def _last(file: BinaryIO, codec: str, given: int) -> Iterator[bytes]:
    file.seek(0)
    with pa.CompressedInputStream(pa.PythonFile(_Unclosed(file), mode="r"), codec) as stream:
        passed = 0
        while passed < given:
            passed += len(stream.read(min(_COMPRESSED, given - passed)))
        try:
            while piece := stream.read(1):
                yield piece
        except OSError as error:
            if error.errno is not None:
                raise


class _Unclosed:
    """Wrapper that keeps Arrow from closing a file, since the file may be read twice."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.latest = 0
        """Position at which the latest read began."""

    def read(self, size: int = -1) -> bytes:
        self.latest = self._file.tell()
        return self._file.read(size)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        pass
