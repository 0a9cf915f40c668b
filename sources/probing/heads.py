"""Heads: a small file with the first records of a large one, in the same format, as input for the readers.

A head ends at the end of a record if the format allows that. If not (JSON documents), the damage of the last record by
the cut is not counted as a fault of the file (`Head.cut`).
"""

from __future__ import annotations

import codecs
import difflib
import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from sources.globs import any_match
from sources.manifest import RawTable
from sources.probing.ranged import NoRangesError, Ranged, TooMuchError, View
from sources.readers import archives
from sources.readers.archives import is_archive
from sources.readers.recognize import not_the_data
from sources.readers.sniff import BrokenStreamError, compression_of, head_of, open_binary

LEAST_BYTES = 1 << 14
"""Least bytes to read of a stored file; a file that is no larger is read completely."""
MOST_BYTES = 4 << 20
"""Most bytes to read of a file; a head grows up to this size until it contains a whole record."""
UNPACKED = 4
"""Largest ratio of decompressed bytes to the share of a head."""
ROWS = 256
"""Rows to read of a Parquet file."""
_MEMBERS = 16
"""Most matching members to read of an archive."""
_LISTED = 5
_TAIL = 1 << 14
_FOOTER_END = 8
_MOST_FOOTER = 16 << 20
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass
class Head:
    """The head of a file, and what it shows.

    Attributes:
        path: the small file; None if there is nothing to read.
        cut: whether it holds less than the whole file.
        records: number of records of the whole file, if the file states it.
        columns: name → type, if the file states them.
        fault: why the file cannot be the expected data; empty if it can be.
        remedy: for the fault.
        note: why less was read than of other files; may be empty.
        empty: whether the file has 0 bytes, which is a fault only if all files are empty.

    """

    path: Path | None = None
    cut: bool = False
    records: int | None = None
    columns: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    remedy: str = ""
    note: str = ""
    empty: bool = False
    has_rows: bool = True
    """Whether the head holds records; for most Parquet files of a large source, only the footer is read."""


def take_head(ranged: Ranged, table: RawTable, target: Path, share: int, *, rows: bool = True) -> Head:
    """Write the head of a file to `target`.

    Args:
        ranged: the file.
        table: the manifest's declaration.
        target: path of the head; its folder exists.
        share: bytes to read of the stored file; longer records, footers and listings may take more.
        rows: if false, only the footer of a Parquet file is read, and the head has no rows.

    Raises:
        CorpusError: the file cannot be read from its origin.

    """
    try:
        return _Taking(ranged, table, target, max(share, LEAST_BYTES)).head(rows=rows)
    except TooMuchError:
        return Head(cut=True, note="its first records are too large to look at")
    except NoRangesError:
        return Head(cut=True, note="the server gives files only as a whole, so nothing behind the first bytes is read")


class _Taking:
    def __init__(self, ranged: Ranged, table: RawTable, target: Path, share: int) -> None:
        self.ranged, self.table, self.target, self.share = ranged, table, target, share
        self.name = ranged.name

    def head(self, *, rows: bool) -> Head:
        size = self.ranged.size()
        if not size:
            return Head(empty=True)
        parquet = self.table.format == "parquet" and self.table.members is None
        if parquet and size > self.share:
            return self._parquet(size, rows=rows)
        start = self.ranged.get(0, min(size, self.share))
        self.target.write_bytes(start)
        whole = len(start) == size
        if self.table.members is not None or is_archive(self.target, self.name):
            return self._archive(start, whole=whole)
        if parquet:
            return _of_parquet(self.target)
        return self._text(start, whole=whole)

    def _parquet(self, size: int, *, rows: bool) -> Head:
        tail = self.ranged.get(max(size - _TAIL, 0), size)
        if tail[-4:] != b"PAR1":
            start = self.ranged.get(0, LEAST_BYTES)
            if compression_of(start[:16], self.name) is not None:
                return Head(cut=True, note="a compressed Parquet file can be read only as a whole")
            why = not_the_data(start) if not start.startswith(b"PAR1") else None
            return Head(fault=why or "no Parquet file, or a cut one: its footer is not at its end", remedy=REMEDY)
        length = int.from_bytes(tail[-8:-4], "little") + _FOOTER_END
        if length > min(size, _MOST_FOOTER):
            return Head(fault=f"a damaged Parquet file: its footer says it has {length} bytes", remedy=REMEDY)
        footer = tail[-length:] if length <= len(tail) else self.ranged.get(size - length, size)
        try:
            about = pq.read_metadata(io.BytesIO(b"PAR1" + footer))
            schema = about.schema.to_arrow_schema()
            head = Head(self.target, cut=True, records=about.num_rows, columns=_types(schema))
            first = self._first_rows(about, schema) if rows and about.num_rows else None
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            return Head(fault=f"no Parquet file, or a damaged one: {error}", remedy=REMEDY)
        except TooMuchError:
            head.note = "the first rows are too large to look at: only the footer was read"
            first = None
        head.has_rows = first is not None
        pq.write_table(_with_all(first, schema), self.target)
        return head

    def _first_rows(self, about: pq.FileMetaData, schema: pa.Schema) -> pa.Table | None:
        wanted = {*self.table.fields, *(name for names in self.table.other_names.values() for name in names)}
        columns = [name for name in schema.names if name in wanted and schema.names.count(name) == 1]
        if not columns:
            return None
        view = View(self.ranged, MOST_BYTES)
        with pq.ParquetFile(view, metadata=about, buffer_size=1 << 17, pre_buffer=False) as file:
            batch = next(file.iter_batches(ROWS, columns=columns, use_threads=False), None)
        return pa.Table.from_batches([batch]) if batch is not None else None

    def _text(self, start: bytes, *, whole: bool) -> Head:
        """Write the whole records at the start of a text file, decompressed."""
        share = self.share
        while True:
            text, ended = self._unpacked(start, share, whole=whole)
            if why := not_the_data(text[:LEAST_BYTES], self.table.encoding):
                return Head(fault=why, remedy=REMEDY)
            kept = text if ended else cut_records(text, self.table)
            if kept or whole or share >= MOST_BYTES:
                break
            share = min(share * 4, MOST_BYTES)
            start = self.ranged.get(0, share)
            whole = len(start) == self.ranged.size()
        if ended:  # the whole file, unchanged, for the reader to judge
            self.target.write_bytes(start)
            return Head(self.target)
        if not kept:
            return Head(cut=True, note=f"its first record does not end within {MOST_BYTES >> 20} MiB")
        _write(self.target, kept, self.name)
        return Head(self.target, cut=True)

    def _unpacked(self, start: bytes, share: int, *, whole: bool) -> tuple[bytes, bool]:
        """Decompress the start of the file; also return whether this is the whole file, even if it is damaged."""
        if compression_of(start[:16], self.name) is None:
            return start, whole
        self.target.write_bytes(start)
        text, damaged = _read(open_binary(self.target, self.name), share * UNPACKED)
        return text, whole and (damaged or len(text) < share * UNPACKED)

    def _archive(self, start: bytes, *, whole: bool) -> Head:
        if not is_archive(self.target, self.name):
            why = not_the_data(head_of(self.target, self.name))
            return Head(fault=why or "no archive that can be read: neither zip nor tar", remedy=REMEDY)
        try:
            if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
                source = io.BytesIO(start) if whole else View(self.ranged, MOST_BYTES)
                with zipfile.ZipFile(io.BufferedReader(source) if isinstance(source, View) else source) as archive:
                    return self._zip(archive)
            return self._tar(whole=whole)
        except archives.DAMAGE as error:
            return Head(fault=f"a damaged archive: {error}", remedy=REMEDY)

    def _zip(self, archive: zipfile.ZipFile) -> Head:
        files = [info for info in archive.infolist() if not info.is_dir()]
        matching = [info for info in files if self._admits(info.filename)]
        if not matching:
            return self._no_member(info.filename for info in files)
        head = Head(self.target, cut=True)
        with zipfile.ZipFile(self.target, "w") as out:
            size = 0
            for info in matching[:_MEMBERS]:
                with archive.open(info) as stream:
                    data, damaged = _read(stream, self._most() + 1)
                content = self._kept(data, info.file_size)
                if damaged and content is None:
                    raise zipfile.BadZipFile(f"{info.filename} cannot be unpacked")
                if content is not None:
                    out.writestr(info.filename, content)
                    size += len(content)
                if size >= self._most():
                    break
            taken = {info.filename: info.file_size for info in out.infolist()}
        if not taken:
            return Head(cut=True, note="its first members are too large to look at")
        head.cut = taken != {info.filename: info.file_size for info in matching}
        return head

    def _tar(self, *, whole: bool) -> Head:
        share = self.share
        while True:
            self.target.write_bytes(self.ranged.get(0, share))
            seen, taken, ended = self._tar_members()
            if taken or whole or share >= MOST_BYTES:
                break
            share = min(share * 4, MOST_BYTES)
            whole = share >= self.ranged.size()
        if not taken:
            if whole and ended:
                return self._no_member(seen)
            return Head(
                cut=True,
                note=f"none of the members in its first {min(share, self.ranged.size()):,} bytes matches "
                f"{' or '.join(self.table.members or ['*'])}: {', '.join(seen[:_LISTED]) or 'there is no whole one'}",
            )
        with tarfile.open(self.target, "w") as out:
            for name, content in taken:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                out.addfile(info, io.BytesIO(content))
        return Head(self.target, cut=not (whole and ended))

    def _tar_members(self) -> tuple[list[str], list[tuple[str, bytes]], bool]:
        """Return (names of members, first matching (name, content), whether the archive was read to its end)."""
        seen: list[str] = []
        taken: list[tuple[str, bytes]] = []
        size = 0
        try:
            with (
                open_binary(self.target, self.name) as stream,
                tarfile.open(fileobj=stream, mode="r|", errorlevel=0) as archive,
            ):
                for member in archive:
                    if not member.isreg():
                        continue
                    seen.append(member.name)
                    if self._admits(member.name):
                        content = archive.extractfile(member)
                        assert content is not None
                        data, _ = _read(content, self._most() + 1)
                        if (kept := self._kept(data, member.size)) is not None:
                            taken.append((member.name, kept))
                        size += len(data)
                        if len(taken) >= _MEMBERS or len(data) < member.size or size > self._most():
                            return seen, taken, False
        except (tarfile.ReadError, BrokenStreamError, EOFError):
            return seen, taken, False
        return seen, taken, True

    def _most(self) -> int:
        """Return the most bytes to read of a member."""
        binary = self.table.format in ("parquet", "python")
        return MOST_BYTES if binary else self.share * UNPACKED

    def _kept(self, data: bytes, size: int) -> bytes | None:
        if len(data) == size:
            return data
        if self.table.format in ("parquet", "python") or compression_of(data[:16], "") is not None:
            return None
        return cut_records(data, self.table) or None

    def _admits(self, name: str) -> bool:
        return self.table.members is None or any_match(name, self.table.members)

    def _no_member(self, names: Iterable[str]) -> Head:
        names = list(names)
        globs = self.table.members or ["*"]
        near = [match for glob in globs for match in difflib.get_close_matches(glob, names, n=3, cutoff=0.4)]
        return Head(
            fault=f"no member of the archive matches {' or '.join(globs)}",
            remedy=f"nearest names: {', '.join(list(dict.fromkeys(near))[:_LISTED] or names[:_LISTED]) or 'none'}; "
            "correct `members` in the manifest",
        )


REMEDY = "see what the origin has there now; correct the manifest, or put a whole file into `sources.local_root`"


def cut_records(data: bytes, table: RawTable) -> bytes:
    r"""Return the whole records at the start of a text; a JSON document is returned unchanged.

    >>> table = RawTable(files=["*"], format="csv", fields={"a": "string"})
    >>> cut_records(b'a,b\n1,2\n3,"begun\n', table)
    b'a,b\n1,2\n'
    """
    if table.format in ("json", "json-map") or (table.format == "jsonl" and data.lstrip()[:1] == b"["):
        return data
    if table.format == "tmx":
        encoding = _encoding(data, table)
        end = "</tu>".encode(encoding)
        return data[: data.rfind(end) + len(end)] if end in data else b""
    newline = "\n".encode(_encoding(data, table))
    if table.format == "deb822":
        return data[: data.rfind(b"\n\n") + 2] if b"\n\n" in data else b""
    at = len(data)
    while (at := data.rfind(newline, 0, at)) >= 0:
        if at % len(newline):
            continue
        kept = data[: at + len(newline)]
        if table.format != "csv" or kept.count(b'"') % 2 == 0:
            return kept
    return b""


def _encoding(data: bytes, table: RawTable) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    name = codecs.lookup(table.encoding).name
    return {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, name)


def _read(stream: IO[bytes], most: int) -> tuple[bytes, bool]:
    """Read up to `most` bytes of a stream; also return whether the stream is cut or damaged."""
    pieces: list[bytes] = []
    size = 0
    with stream:
        try:
            with archives.damage_of_streams():
                while size < most and (piece := stream.read(min(1 << 13, most - size))):
                    pieces.append(piece)
                    size += len(piece)
        except archives.DAMAGE:
            return b"".join(pieces), True
    return b"".join(pieces), False


def _write(target: Path, text: bytes, name: str) -> None:
    """Write decompressed text; with Brotli if the name says so, since the reader detects Brotli only by the name."""
    if compression_of(text[:16], name) == "brotli":
        with pa.output_stream(str(target), compression="brotli") as out:
            out.write(text)
    else:
        target.write_bytes(text)


def _of_parquet(path: Path) -> Head:
    """Return the head of a small Parquet file that is completely here; the reader reports its faults."""
    try:
        about = pq.read_metadata(path)
        return Head(path, records=about.num_rows, columns=_types(about.schema.to_arrow_schema()))
    except (pa.ArrowException, OSError):
        return Head(path)


def _types(schema: pa.Schema) -> dict[str, str]:
    return {name: str(kind) for name, kind in islice(zip(schema.names, schema.types, strict=True), 200)}


def _with_all(first: pa.Table | None, schema: pa.Schema) -> pa.Table:
    """Return rows with all columns of a file; columns that were not read are null, so that readers find them."""
    count = 0 if first is None else first.num_rows
    read: dict[str, Any] = {} if first is None else {name: first.column(name) for name in set(first.column_names)}
    names, arrays = [], []
    for name, kind in _pairs(schema):
        column = read.get(name)
        names.append(name)
        arrays.append(pa.nulls(count, _storable(kind)) if column is None else column)
    return pa.table(arrays, names=names)


def _pairs(schema: pa.Schema) -> Iterator[tuple[str, pa.DataType]]:
    return zip(schema.names, schema.types, strict=True)


def _storable(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
