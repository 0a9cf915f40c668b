"""Opens raw files: detects compression and UTF-16 by the first bytes, and decodes them while reading.

gzip, bzip2, xz, zstd and LZ4 have a signature. Brotli has none and is detected by the extension `.br`.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sources.readers.decompress import BrokenStreamError, bzip2, gzipped, lzma_stream, through_arrow

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["BrokenStreamError", "compression_of", "head_of", "open_binary", "open_text"]

HEAD_BYTES = 4096
"""Number of first bytes that are read to recognize a file."""
_CHUNK = 1 << 20
_SIGNATURES: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\x1f\x8b\x08"), "gzip"),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "bzip2"),  # a block, or the end of an empty file
    (re.compile(rb"\xfd7zXZ\x00"), "xz"),
    (re.compile(rb"(?:[\x50-\x5f]\x2a\x4d\x18|\x28\xb5\x2f\xfd)", re.DOTALL), "zstd"),  # RFC 8878, 3.1
    (re.compile(rb"\x04\x22\x4d\x18"), "lz4"),
)
_UNPACKERS: dict[str, Callable[[BinaryIO], Iterator[bytes]]] = {
    "gzip": gzipped,
    "bzip2": bzip2,
    "xz": lzma_stream,
    "zstd": through_arrow("zstd"),
    "lz4": through_arrow("lz4"),
    "brotli": through_arrow("brotli"),
}
_BOM = codecs.BOM_UTF8
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def compression_of(head: bytes, name: str) -> str | None:
    """Return the compression of a file from its first bytes and its name, or None."""
    for signature, kind in _SIGNATURES:
        if signature.match(head):
            return kind
    return "brotli" if name.endswith((".br", ".brotli")) else None


def open_binary(path: Path, name: str = "") -> BinaryIO:
    """Open a file for reading, with decompression.

    If the compressed data are damaged or cut, `read` first returns the data before the damage, and then raises
    `BrokenStreamError`.

    Args:
        path: local path of the file.
        name: name of the file at its origin; empty: the name of the path.

    """
    file = path.open("rb")
    kind = compression_of(file.read(16), name or path.name)
    file.seek(0)
    if kind is None:
        return file
    return _Patient(_Pieces(_UNPACKERS[kind](file), file), _CHUNK)


def open_text(path: Path, name: str = "", encoding: str = "utf-8") -> BinaryIO:
    """Open a text file for reading as UTF-8, with decompression and without its byte-order mark.

    Bytes that are invalid in the encoding become bytes that are invalid in UTF-8, so that only the record that contains
    them is quarantined.

    Args:
        path: local path of the file.
        name: name of the file at its origin.
        encoding: as the manifest declares; a byte-order mark takes precedence.

    """
    head = head_of(path, name, 3 * len(_BOM))
    stream = open_binary(path, name)
    for mark, marked in _MARKS:
        if head.startswith(mark):
            stream.read(len(mark))
            return _recoded(stream, marked)
    if codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig", "ascii"):
        return _recoded(stream, encoding)
    while head.startswith(_BOM):
        head = head[len(_BOM) :]
        stream.read(len(_BOM))
    return stream


def head_of(path: Path, name: str = "", size: int = HEAD_BYTES) -> bytes:
    """Return the first bytes of a file, decompressed; fewer if the file is shorter, none if it is damaged there."""
    with open_binary(path, name) as stream:
        try:
            return stream.read(size)
        except BrokenStreamError:
            return b""


def _recoded(stream: BinaryIO, encoding: str) -> BinaryIO:
    return _Patient(_Pieces(_in_utf8(stream, encoding), stream), _CHUNK)


def _in_utf8(stream: BinaryIO, encoding: str) -> Iterator[bytes]:
    unicode = codecs.lookup(encoding).name.startswith("utf-")
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass" if unicode else "surrogateescape")
    try:
        while data := stream.read(_CHUNK):
            yield decoder.decode(data).encode("utf-8", "surrogatepass")
        yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise BrokenStreamError(f"not {encoding}: {error.reason}", 0) from None


class _Pieces(io.RawIOBase):
    """A raw stream over an iterator of bytes; closing it also closes the source."""

    def __init__(self, pieces: Iterator[bytes], source: BinaryIO) -> None:
        self._pieces, self._source, self._rest = pieces, source, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        view = memoryview(buffer)
        count = min(len(view), len(self._rest))
        view[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def close(self) -> None:
        self._source.close()
        super().close()


class _Patient(io.BufferedReader):
    """A buffered reader that first returns the data before a damage, and raises at the next call."""

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
