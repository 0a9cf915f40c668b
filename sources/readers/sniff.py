"""Opening raw files: compression is told by the first bytes and undone as the file is read, and so is UTF-16.

gzip, bzip2, xz, zstd and LZ4 have a signature; Brotli has none, and is told by the ending `.br`.
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
"""What tells a file's kind stands in its first bytes."""
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
    """Return how a file is compressed, from its first bytes and its name; null: it is not."""
    for signature, kind in _SIGNATURES:
        if signature.match(head):
            return kind
    return "brotli" if name.endswith((".br", ".brotli")) else None


def open_binary(path: Path, name: str = "") -> BinaryIO:
    """Open a file for reading, decompressed.

    The stream raises `BrokenStreamError` where the compressed data are damaged or cut; what came before is given
    first, by `read`.

    Args:
        path: where it lies.
        name: what the origin calls it; empty: as the path.

    """
    file = path.open("rb")
    kind = compression_of(file.read(16), name or path.name)
    file.seek(0)
    if kind is None:
        return file
    return _Patient(_Pieces(_UNPACKERS[kind](file), file), _CHUNK)


def open_text(path: Path, name: str = "", encoding: str = "utf-8") -> BinaryIO:
    """Open a file of text for reading as UTF-8, decompressed and without its byte-order mark.

    Bytes that the encoding has no characters for come out as bytes that are no UTF-8 either, so that the record they
    stand in is quarantined, and no other.

    Args:
        path: where it lies.
        name: what the origin calls it.
        encoding: what the manifest declares; a byte-order mark says more.

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
    """Return the first bytes of a file, decompressed; fewer where it is damaged."""
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
    """A raw stream over an iterator of bytes; closing it closes what they come from."""

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
