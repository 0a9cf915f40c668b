"""Decompression that says where it had to stop: every member of a file, to its end.

A file may be several compressed streams one after the other (`cat a.gz b.gz`, what parallel compressors write); zero
bytes between and behind them are padding. Anything else behind a stream is damage: what the standard library's own
file objects pass over in bzip2 and xz.
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
"""Bytes handed to a decompressor at a time; damage costs what it makes of so many."""
_MOST = 1 << 20
"""Bytes taken from it at a time."""


class BrokenStreamError(Exception):
    """A compressed file ends early or is damaged; what was read before is sound.

    Attributes:
        left: bytes of the file, as it is stored, from the damage to the end.

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
    """`zlib` with the interface of the other two; it checks the length and the checksum at the end of a member."""

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
    """Yield what a gzip file holds (RFC 1952)."""
    return _members(file, _Gzip, "gzip")


def bzip2(file: BinaryIO) -> Iterator[bytes]:
    """Yield what a bzip2 file holds."""
    return _members(file, bz2.BZ2Decompressor, "bzip2")


def lzma_stream(file: BinaryIO) -> Iterator[bytes]:
    """Yield what an xz file holds."""
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
    """Make a function that yields what a file compressed by one of Arrow's codecs holds."""

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
            # What the failing call had got is lost with it: read up to there again, and on byte by byte.
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
    """A file that Arrow reads and leaves open, for it may be read twice."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.latest = 0
        """Where the latest read began."""

    def read(self, size: int = -1) -> bytes:
        self.latest = self._file.tell()
        return self._file.read(size)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        pass
