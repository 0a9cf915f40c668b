"""Raw formats as lists of records: what a small file holds, and the same file with more records after them.

A record is a value that JSON can hold: a mapping, a list of values (CSV and TSV), or a text. Numbers count as the
readers of `sources.readers` count them.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, unescape

import pyarrow as pa
import pyarrow.parquet as pq

from sources.manifest import RawTable

TYPED = {"Hans": "Hani", "Hant": "Hani", "Hang": "Kore"}
"""Script in a language tag → its name in the answers of `curation.langid.scripts`."""
_UNIT = re.compile(r"    <tu>.*?</tu>\n", re.DOTALL)
_SEGMENT = re.compile(r"<seg>(.*?)</seg>", re.DOTALL)


@dataclass
class Records:
    """The records of one raw file, or of one member of an archive.

    Attributes:
        count: records that a reader counts, readable or not; blank lines are none.
        following: number of a record that would be appended.
        readable: (number, record) of those that can be copied.
        header: column names, of CSV files with a header line.
        member: name in the archive; None for a plain file.

    """

    count: int
    following: int
    readable: list[tuple[int, Any]]
    header: list[str] | None = None
    member: str | None = None


@dataclass
class Addition:
    """What to append to a file: records, and the broken lines among them by their place.

    Attributes:
        records: in order.
        broken: place in `records` of each record to break as its format can break.

    """

    records: list[Any] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)


def kind_of(path: Path, table: RawTable) -> str:
    """Return how a file is laid out: the format of its table, except for archives, arrays and nested records."""
    if path.name.endswith(".tar.gz"):
        return "tar"
    if path.name.endswith(".zip"):
        return "zip"
    return table.format if table.format == "parquet" else _kind_of_text(_text(path), table)


def _kind_of_text(text: str, table: RawTable) -> str:
    if table.format in ("json", "jsonl"):
        if table.record_path != "item":
            return "nested"
        return "json" if text.lstrip()[:1] == "[" else "jsonl"
    return table.format


def read(path: Path, kind: str, table: RawTable) -> list[Records]:
    """Return the records of a raw file, by member if it is an archive."""
    if kind == "parquet":
        rows = pq.read_table(path).to_pylist()
        return [Records(len(rows), len(rows), list(enumerate(rows)))]
    if kind == "tar":
        return _members(path, table.members or ["**"])
    if kind == "zip":
        found = []
        for name, text in _unzipped(path, table):
            (records,) = _of_text(text, _kind_of_text(text, table), table)
            found.append(replace(records, member=name))
        return found
    return _of_text(_text(path), kind, table)


def _of_text(text: str, kind: str, table: RawTable) -> list[Records]:
    if kind == "nested":
        rows = [record for held in _containers(json.loads(text), table.record_path) for record in held]
        return [Records(len(rows), len(rows), list(enumerate(rows)))]
    if kind == "json":
        rows = json.loads(text)
        return [Records(len(rows), len(rows), list(enumerate(rows)))]
    if kind == "tmx":
        units = _UNIT.findall(text)
        return [Records(len(units), len(units), [(n, unit) for n, unit in enumerate(units) if "\x0b" not in unit])]
    if kind == "csv":
        rows = list(csv.reader(io.StringIO(text, newline="")))
        header, rows = rows[0], rows[1:]
        sound = [(n, row) for n, row in enumerate(rows) if len(row) == len(header)]
        return [Records(sum(map(bool, rows)), len(rows), sound, header)]
    lines = text.split("\n")
    return [_of_lines(lines[:-1] if lines[-1] == "" else lines, kind)]


def _of_lines(lines: list[str], kind: str) -> Records:
    readable: list[tuple[int, Any]] = []
    for number, line in enumerate(lines):
        if not line.strip("\r"):
            continue
        if kind == "tsv":
            readable.append((number, line.split("\t")))
        elif kind == "text":
            readable.append((number, line))
        else:
            try:
                readable.append((number, json.loads(line)))
            except ValueError:
                continue
    if kind == "tsv" and readable:
        widths = [len(values) for _, values in readable]
        usual = max(set(widths), key=widths.count)
        readable = [entry for entry in readable if len(entry[1]) == usual]
    return Records(sum(bool(line.strip("\r")) for line in lines), len(lines), readable)


def _containers(value: Any, record_path: str) -> list[list[Any]]:
    """Return the arrays that hold the records of nested JSON, in the order of the file."""
    values = [value]
    for step in record_path.split(".")[:-1]:
        values = [v for inner in values for v in inner] if step == "item" else [inner[step] for inner in values]
    return values


def _unzipped(path: Path, table: RawTable) -> list[tuple[str, str]]:
    from sources.globs import any_match

    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if any_match(name, table.members or ["**"])]
        return [(name, archive.read(name).decode()) for name in names]


def _members(path: Path, globs: list[str]) -> list[Records]:
    from sources.globs import any_match

    found = []
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            stream = archive.extractfile(member)
            if stream is not None and any_match(member.name, globs):
                records = _of_lines(stream.read().decode().removesuffix("\n").split("\n"), "text")
                records.member = member.name
                found.append(records)
    return found


def write(source: Path, target: Path, kind: str, additions: dict[str | None, Addition], table: RawTable) -> None:
    """Write a raw file again with more records at its end.

    Args:
        source: the small file.
        target: the large one; its folder is made.
        kind: as `kind_of` returns it.
        additions: by member of the archive, or under None.
        table: the manifest's declaration.

    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind == "tar":
        _write_tar(source, target, additions)
        return
    if kind == "zip":
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
            for entry in old.infolist():
                text = old.read(entry).decode()
                if entry.filename in additions:
                    text = _with_added(text, _kind_of_text(text, table), additions[entry.filename], table)
                new.writestr(entry, text)
        return
    added = additions[None]
    if kind == "parquet":
        small = pq.read_table(source)
        if added.records:
            columns = [
                pa.array([record[name] for record in added.records], small.schema.field(name).type)
                for name in small.column_names
            ]
            small = pa.concat_tables([small, pa.table(columns, schema=small.schema)])
        pq.write_table(small, target, compression="snappy", row_group_size=20_000)
        return
    text = _with_added(_text(source), kind, added, table)
    data = text.encode("utf-8", "surrogateescape")
    target.write_bytes(gzip.compress(data, 1, mtime=0) if source.name.endswith(".gz") else data)


def _with_added(text: str, kind: str, added: Addition, table: RawTable) -> str:
    parts = [text]
    if kind == "nested":
        whole = json.loads(text)
        _containers(whole, table.record_path)[-1].extend(added.records)
        return json.dumps(whole, ensure_ascii=False)
    if kind == "json":
        body = text.rstrip().removesuffix("]").rstrip()
        parts = [body, *(",\n" + json.dumps(record, ensure_ascii=False) for record in added.records), "]\n"]
    elif kind == "tmx":
        head, end, tail = text.rpartition("  </body>")
        parts = [head, *added.records, end, tail]
    else:
        if text and not text.endswith("\n"):
            parts.append("\n")
        parts += _lines(kind, added)
    return "".join(parts)


def _lines(kind: str, added: Addition) -> Iterable[str]:
    if kind == "csv":
        for place, record in enumerate(added.records):
            held = io.StringIO()
            csv.writer(held, lineterminator="\n").writerow(
                [*record, "too", "many"] if place in added.broken else record
            )
            yield held.getvalue()
        return
    for place, record in enumerate(added.records):
        if kind == "jsonl":
            line = json.dumps(record, ensure_ascii=False)
            yield (line[: len(line) // 2] if place in added.broken else line) + "\n"
        else:
            yield ("\t".join(record) if kind == "tsv" else record) + "\n"


def _write_tar(source: Path, target: Path, additions: dict[str | None, Addition]) -> None:
    packed = io.BytesIO()
    with tarfile.open(source) as old, tarfile.open(fileobj=packed, mode="w") as new:
        for member in old.getmembers():
            stream = old.extractfile(member)
            data = stream.read() if stream is not None else b""
            if member.name in additions:
                data += "".join(_lines("text", additions[member.name])).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    target.write_bytes(gzip.compress(packed.getvalue(), 1, mtime=0))


def segments(unit: str) -> list[str]:
    """Return the texts of a translation unit."""
    return [unescape(text) for text in _SEGMENT.findall(unit)]


def with_segments(unit: str, texts: Iterable[str]) -> str:
    """Return a translation unit with other texts."""
    following = iter(texts)
    return _SEGMENT.sub(lambda _: f"<seg>{escape(next(following))}</seg>", unit)


def _text(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.name.endswith(".gz") else data).decode("utf-8", "surrogateescape")
