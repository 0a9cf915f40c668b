"""Recognizes by its first bytes that a file is not the declared data, and names what it is."""

from __future__ import annotations

import re

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the data: fetch the file itself"),
    (b"PAR1", "a Parquet file: declare `format: parquet`"),
    (b"ARROW1\0\0", "an Arrow file, which nothing here reads: convert it to Parquet"),
    (b"PK\x03\x04", "a zip archive (xlsx and docx are such): unpack it, or declare its `members`"),
    (b"%PDF-", "a PDF document: extract its text first"),
    (b"SQLite format 3\0", "an SQLite database: export its tables"),
    (b"\x89HDF\r\n", "an HDF5 file: convert it to Parquet"),
    (b"\x93NUMPY", "a NumPy array: convert it to Parquet"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, which nothing here unpacks: unpack it"),
    (b"Rar!\x1a\x07", "a RAR archive, which nothing here unpacks: unpack it"),
    (b"\x1f\x9d", "a file of the Unix program `compress`, which nothing here unpacks: unpack it"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office document: save it as csv"),
    *((magic, f"{name} data inside compressed data: unpack the file once") for magic, name in (
        (b"\x1f\x8b\x08", "gzip"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"),
    )),
)  # fmt: skip
_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html[\s>])", re.I | re.S
)
_XML_ERROR = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?<Error>\s*<Code>\s*([\w.]+)", re.S)
_FEW = 64


def not_the_data(head: bytes, encoding: str = "utf-8") -> str | None:
    """Tell from its first bytes why a text file cannot be the declared data.

    Args:
        head: the first few kilobytes, decompressed.
        encoding: as the manifest declares.

    Returns:
        What the file is and what to do about it, or None if it may be the data.

    >>> not_the_data(b"version https://git-lfs.github.com/spec/v1")
    'a Git LFS pointer, not the data: fetch the file itself'

    """
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if _PAGE.match(head):
        return "an HTML page, not the data (a log-in or error page saved in its place?): fetch the file again"
    if match := _XML_ERROR.match(head):
        return f"a storage service's error ({match[1].decode()}), not the data: fetch the file again"
    return _without_mark(head) if encoding == "utf-8" else None


def _without_mark(head: bytes) -> str | None:
    """Recognize UTF-16 without a byte-order mark: nearly every second byte of such text is zero."""
    if len(head) < _FEW or head.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return None
    size = len(head) // 2
    for encoding, zeros, others in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        if zeros.count(0) > size * 0.7 and others.count(0) < size * 0.05:
            return f"UTF-16 without a byte-order mark: declare `encoding: {encoding}`"
    return None


def encoding_of(samples: list[bytes]) -> str:
    """Guess the encoding of texts that are not UTF-8, as a message for the user.

    In Western one-byte encodings, bytes beyond ASCII are mostly isolated. In Chinese, Japanese and Korean encodings
    they form runs.
    """
    alone = together = 0
    for sample in samples:
        for run in re.findall(rb"[\x80-\xff]+", sample):
            if len(run) == 1:
                alone += 1
            else:
                together += len(run)
    if alone >= together:
        return "Windows-1252 or another one-byte encoding: convert it, or declare `encoding: windows-1252`"
    return "GB18030, Big5, Shift-JIS, EUC-KR or another encoding of several bytes: convert it, or declare `encoding`"
