"""Fuzz test of all readers with damaged files: no crash, no hang, and no record lost without a report.

Files of generated records are damaged, either in ways that leave the number of records known, or at random. Each file
goes through `sources.normalize` in a worker process. `--records N`: total number of records; `--seed S`.
"""

from __future__ import annotations

import argparse
import ast
import bz2
import csv
import gzip
import io
import json
import lzma
import random
import resource
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from open_ml_embed.core.errors import CorpusError
from sources.manifest import Manifest
from sources.normalize import normalize, parts
from sources.parts import RawFile
from sources.quarantine import Quarantine
from sources.readers import delimited as delimited_reader
from sources.readers import line_blocks as line_reader
from sources.readers import nested_json
from sources.readers import tmx as tmx_reader

SECONDS_A_FILE = 20
"""Limit of CPU time for one file, in seconds; a file of a few kilobytes takes some milliseconds."""
SECONDS_A_WORKER = 1800
"""Limit of wall-clock time for a worker, in seconds; generous, since the machine may be busy."""
FILES_A_WORKER = 400
WORDS = [
    "lamp",
    "street",
    "Straße",
    "река",
    "東京",
    "naïve",
    "a, b",
    'so "called"',
    "it's",
    "x{y}",
    "[z]",
    "50 %",
    "🙂",
]
FIELDS = {"q": "string", "p": "string", "n": "int64"}


@dataclass
class Case:
    """A damaged file.

    Attributes:
        form: `format` in the manifest.
        data: the content.
        name: of the file.
        records: number of records; None if the damage makes it undefined.
        table: further fields of the table in the manifest.
        fields: the declared fields.
        damage: description of the damage.
        may_fail: whether a `SchemaError` is a correct result.

    """

    form: str
    data: bytes
    name: str
    records: int | None
    table: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=lambda: dict(FIELDS))
    damage: str = ""
    may_fail: bool = False


def text(rng: random.Random) -> str:
    """Make a short text."""
    return " ".join(rng.choices(WORDS, k=rng.randint(2, 6))) + f" {rng.randrange(10**6)}"


def rows_of(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Make records."""
    return [{"q": text(rng), "p": text(rng), "n": rng.randrange(10)} for _ in range(count)]


def apart(rng: random.Random, count: int) -> list[int]:
    """Choose some records such that no two are adjacent."""
    chosen = sorted(rng.sample(range(count), min(count, rng.randint(0, max(count // 5, 1)))))
    return [at for place, at in enumerate(chosen) if not place or at > chosen[place - 1] + 1]


Damage = Callable[[random.Random, bytes], bytes]

JSON_DAMAGE: dict[str, Damage] = {
    "a byte that is no UTF-8": lambda _, line: line.replace(b'"q": "', b'"q": "\xe9', 1),
    "NaN": lambda _, line: line.replace(b'"n": ', b'"n": NaN, "m": ', 1),
    "a number beyond floats": lambda _, line: line.replace(b'"n": ', b'"n": 1e999, "m": ', 1),
    "a number beyond int64": lambda _, line: line.replace(b'"n": ', b'"n": 98765432109876543210, "m": ', 1),
    "a fraction": lambda _, line: line.replace(b'"n": ', b'"n": 0.5, "m": ', 1),
    "a word for a number": lambda _, line: line.replace(b'"n": ', b'"n": "seven", "m": ', 1),
    "an object for a text": lambda _, line: line.replace(b'"q": ', b'"q": {"a": [1, "b"]}, "m": ', 1),
    "half a surrogate pair": lambda _, line: line.replace(b'"q": "', b'"q": "\\ud83d', 1),
    "a control character": lambda _, line: line.replace(b'"q": "', b'"q": "\x01\t', 1),
    "a key twice": lambda _, line: line.replace(b'"q": ', b'"q": "x", "q": ', 1),
    "a bad literal": lambda _, line: line.replace(b'"n": ', b'"n": tru, "m": ', 1),
    "a missing comma": lambda _, line: line.replace(b', "p"', b' "p"', 1),
    "a stray quotation mark": lambda _, line: line.replace(b'"p": "', b'"p": "x" y ', 1),
    "an unclosed quotation mark": lambda _, line: line[: line.index(b'"p": "') + 7] + b"}",
    "a missing bracket": lambda _, line: line[:-1],
    "deep nesting": lambda _, line: line.replace(b'"n": ', b'"m": ' + b"[" * 5000 + b"]" * 5000 + b', "n": ', 1),
    "nothing": lambda _, line: b"{}",
}
LINE_DAMAGE: dict[str, Damage] = JSON_DAMAGE | {
    "null": lambda *_: b"null",
    "a list": lambda *_: b'[1, "a"]',
    "half an object": lambda rng, line: line[: rng.randint(1, len(line) - 1)],
    "two objects": lambda _, line: line + line,
    "a NUL": lambda _, line: b"\x00" + line,
    "words": lambda *_: b"404 not found",
}


def json_lines(rng: random.Random, count: int) -> Case:
    """Make JSON lines, or other JSON with that extension: an array, indented objects."""
    rows = rows_of(rng, count)
    style = rng.choice(["lines"] * 6 + ["array", "indented", "utf-16", "mark"])
    if style == "array":
        return nested(rng, count, "jsonl")
    if style == "indented":
        body = "\n".join(json.dumps(row, indent=2, ensure_ascii=False) for row in rows).encode()
        return Case("jsonl", body, "x.jsonl", count, damage=style)
    lines = [json.dumps(row, ensure_ascii=rng.random() < 0.3).encode() for row in rows]
    told = damaged(rng, lines, LINE_DAMAGE) if style == "lines" else style
    end = rng.choice([b"\n", b"\r\n"])
    if style == "lines" and rng.random() < 0.2:
        lines.insert(rng.randint(0, len(lines)), rng.choice([b"", b"  "]))
    body = end.join(lines) + rng.choice([b"", end])
    if style == "utf-16":
        body = body.decode().encode("utf-16")
    if style == "mark":
        body = b"\xef\xbb\xbf" + body
    return Case("jsonl", body, "x.jsonl", count, damage=told, may_fail=told != style)


def damaged(rng: random.Random, pieces: list[bytes], ways: dict[str, Damage]) -> str:
    """Damage some records of a file in place, and return a description."""
    told = []
    for at in apart(rng, len(pieces)):
        way = rng.choice(list(ways))
        pieces[at] = ways[way](rng, pieces[at])
        told.append(f"{at}: {way}")
    return ", ".join(told)


def nested(rng: random.Random, count: int, form: str = "json") -> Case:
    """Make a JSON document with its records in an array."""
    rows = [json.dumps(row, ensure_ascii=False).encode() for row in rows_of(rng, count)]
    told = damaged(rng, rows, JSON_DAMAGE)
    separator = rng.choice([b",", b", ", b",\n", b",\n  "])
    path = rng.choice(["item", "data.item", "data.item.rows.item"]) if form == "json" else "item"
    body = separator.join(rows)
    if path == "data.item.rows.item":
        middle = rng.randint(0, count)
        halves = [separator.join(some) for some in (rows[:middle], rows[middle:])]
        body = b",".join(b'{"title": "[{", "rows": [' + half + b"]}" for half in halves)
    wrapped = b"[%s]" % body if path == "item" else b'{"version": "1.0 {", "data": [%s], "end": null}' % body
    mark = rng.choice([b"", b"", b"\xef\xbb\xbf"])
    return Case(
        form, mark + wrapped, f"x.{form}", count, {"record_path": path}, damage=f"{path}: {told}", may_fail=True
    )


CSV_DAMAGE: dict[str, Damage] = {
    "an opening quotation mark": lambda _, line: b'"5 inches' + line,
    "a quotation mark within": lambda _, line: b'"a "quoted" word",' + line.split(b",")[-1] + b",1",
    "a byte that is no UTF-8": lambda _, line: b"caf\xe9 " + line.lstrip(b'"').replace(b'"', b""),
    "too few values": lambda *_: b"alone",
    "no UTF-8 and too few values": lambda *_: b"\xe9\xff",
    "too many values": lambda _, line: line + b",x,y",
    "a word for a number": lambda _, line: line.rpartition(b",")[0] + b",seven",
    "a fraction": lambda _, line: line.rpartition(b",")[0] + b",2.5",
    "NaN": lambda _, line: line.rpartition(b",")[0] + b",NaN",
    "a NUL": lambda _, line: b"\x00" + line,
}


def delimited(rng: random.Random, count: int) -> Case:
    """Make comma- or tab-separated values."""
    form = rng.choice(["csv", "tsv"])
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    lines, end = [], rng.choice(["\n", "\r\n"])
    for row in rows_of(rng, count):
        if form == "csv":
            sink = io.StringIO()
            if rng.random() < 0.1:
                row["p"] += "\nand a second line"
            csv.writer(sink, lineterminator="\n", quoting=quoting).writerow(row.values())
            lines.append(sink.getvalue().encode()[:-1])
        else:
            lines.append("\t".join(map(str, row.values())).encode())
    told = ""
    if form == "csv":
        whole = [at for at in range(count) if b"\n" not in lines[at]]
        some = [lines[at] for at in whole]
        told = damaged(rng, some, CSV_DAMAGE)
        for at, line in zip(whole, some, strict=True):
            lines[at] = line
    else:
        told = damaged(rng, lines, {"tabs": lambda _, line: line + b"\t\t", "none": lambda *_: b"x\xff"})
    separator = b"," if form == "csv" else b"\t"
    table: dict[str, Any] = {"header": list(FIELDS)}
    if rng.random() < 0.7:
        lines.insert(0, rng.choice([b"", b"\xef\xbb\xbf"]) + separator.join([b"q", b"p", b"n"]))
        table = {}
    body = end.encode().join(lines) + rng.choice([b"", end.encode()])
    return Case(form, body, f"x.{form}", count, table, damage=told, may_fail=True)


def json_map(rng: random.Random, count: int) -> Case:
    """Make a message catalog."""
    ways: dict[str, Damage] = {
        "a byte that is no UTF-8": lambda _, pair: pair.replace(b': "', b': "\xe9', 1),
        "a stray quotation mark": lambda _, pair: pair.replace(b': "', b': "x" y ', 1),
        "an unclosed one": lambda _, pair: pair[:-1],
        "a number": lambda _, pair: pair[: pair.index(b": ")] + b": 7",
        "a bad literal": lambda _, pair: pair[: pair.index(b": ")] + b": tru",
    }
    pairs = [f'"key-{at}": {json.dumps(text(rng), ensure_ascii=False)}'.encode() for at in range(count)]
    told = damaged(rng, pairs, ways)
    body = b'{\n    "@metadata": {"authors": ["x"]},\n    ' + b",\n    ".join(pairs) + b"\n}\n"
    return Case("json-map", body, "x.json", count, fields={"key": "string", "value": "string"}, damage=told)


def parquet(rng: random.Random, count: int) -> Case:
    """Make a Parquet file with several types of strings and numbers."""
    rows = rows_of(rng, count)
    kind = rng.choice([pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
    columns = {name: pa.array([row[name] for row in rows], kind) for name in ("q", "p")}
    numbers: list[Any] = [row["n"] for row in rows]
    told = str(kind)
    if rng.random() < 0.5:
        for at in apart(rng, count):
            numbers[at] = rng.choice([0.5, float("nan"), None])
        numbers = [number if number is None else float(number) for number in numbers]
        told += ", fractions"
    sink = io.BytesIO()
    pq.write_table(pa.table(columns | {"n": numbers}), sink, row_group_size=rng.randint(1, count),
                   compression=rng.choice(["none", "snappy", "zstd"]), use_dictionary=rng.random() < 0.5)  # fmt: skip
    data = sink.getvalue()
    if rng.random() < 0.4:
        spot = rng.randrange(4, len(data))
        data = data[:spot] + rng.randbytes(rng.randint(1, 30)) + data[spot + rng.randint(0, 30) :]
        return Case("parquet", data, "x.parquet", None, damage=f"{told}, bytes at {spot}", may_fail=True)
    return Case("parquet", data, "x.parquet", count, damage=told, may_fail=True)


def text_lines(rng: random.Random, count: int) -> Case:
    """Make plain text."""
    lines = [text(rng).encode() for _ in range(count)]
    told = damaged(rng, lines, {"no UTF-8": lambda _, line: b"\xe9" + line, "a NUL": lambda _, line: b"\0" + line})
    return Case("text", b"\n".join(lines), "x.txt", count, fields={"text": "string"}, damage=told)


def tmx(rng: random.Random, count: int) -> Case:
    """Make a translation memory."""
    ways: dict[str, Damage] = {
        "an ampersand": lambda _, unit: unit.replace(b"<seg>", b"<seg>& ", 1),
        "no UTF-8": lambda _, unit: unit.replace(b"<seg>", b"<seg>\xe9 ", 1),
        "no end": lambda _, unit: unit.replace(b"</tu>", b""),
        "a control character": lambda _, unit: unit.replace(b"<seg>", b"<seg>\x02", 1),
        "another element": lambda _, unit: unit.replace(b"</seg>", b"<seg>", 1),
    }
    body = '<tu><tuv xml:lang="en"><seg>{} a</seg></tuv><tuv xml:lang="so"><seg>{} b</seg></tuv></tu>'
    units = [body.format(rng.randrange(10**6), rng.randrange(10**6)).encode() for _ in range(count)]
    told = damaged(rng, units, ways)
    data = b'<?xml version="1.0"?><tmx><body>' + b"\n".join(units) + b"</body></tmx>"
    return Case("tmx", data, "x.tmx", count, fields={"en": "string", "so": "string"}, damage=told, may_fail=True)


def deb822(rng: random.Random, count: int) -> Case:
    """Make Debian control data."""
    ways: dict[str, Damage] = {
        "a stray line": lambda _, part: part + b"\nno colon here",
        "no UTF-8": lambda _, part: part.replace(b"B: ", b"B: \xff"),
        "no field": lambda _, part: b" continued" + part,
    }
    paragraphs = [f"A: {text(rng)}\nB: {text(rng)}\n more\n .".encode() for _ in range(count)]
    told = damaged(rng, paragraphs, ways)
    end = rng.choice([b"\n", b"\r\n"])
    data = b"\n\n".join(paragraphs).replace(b"\n", end)
    return Case("deb822", data, "Packages", count, fields={"A": "string", "B": "string"}, damage=told, may_fail=True)


def python(rng: random.Random, count: int) -> Case:
    """Make a module of documented functions."""
    functions = [f'def f{at}():\n    """Return {rng.randrange(10**6)}."""\n    return {at}\n' for at in range(count)]
    fields = {"name": "string", "docstring": "string", "source": "string"}
    if rng.random() < 0.3:
        functions.insert(rng.randint(0, count), rng.choice(["def (:\n", "x = '\x00'\n", "(" * 300 + "\n"]))
        return Case("python", "\n".join(functions).encode(), "m.py", 1, fields=fields, damage="no Python")
    return Case("python", "\n".join(functions).encode(), "m.py", count, fields=fields)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
    "br": lambda data: pa.compress(data, codec="brotli", asbytes=True),
}


def packed(rng: random.Random, count: int) -> Case:
    """Compress a file as one or two streams, and perhaps cut or damage it."""
    case = rng.choice([json_lines, delimited, text_lines])(rng, count)
    ending = rng.choice(list(PACKERS))
    middle = rng.randint(0, len(case.data)) if rng.random() < 0.3 else len(case.data)
    pieces = [case.data[:middle], case.data[middle:]] if middle < len(case.data) else [case.data]
    case.data = b"".join(map(PACKERS[ending], pieces))
    case.name += f".{ending}"
    return spoilt(rng, case)


def spoilt(rng: random.Random, case: Case) -> Case:
    """Cut a file, overwrite a part of it, or leave it unchanged."""
    way = rng.choice(["sound", "sound", "cut", "written over"])
    if way == "cut":
        case.data = case.data[: rng.randrange(len(case.data))]
    if way == "written over":
        spot = rng.randrange(len(case.data))
        case.data = case.data[:spot] + rng.randbytes(8) + case.data[spot + 8 :]
    if way != "sound":
        case.records, case.may_fail = None, True
        case.damage += f", {way}"
    return case


ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def archived(rng: random.Random, count: int) -> Case:
    """Put files into an archive, and perhaps cut or damage it."""
    members = [json_lines(rng, max(count // 3, 1)) for _ in range(3)]
    sink = io.BytesIO()
    if rng.random() < 0.5:
        with zipfile.ZipFile(sink, "w", rng.choice(ZIP_METHODS)) as archive:
            for at, member in enumerate(members):
                archive.writestr(f"{at}.jsonl", member.data)
    else:
        with tarfile.open(fileobj=sink, mode=rng.choice(["w", "w:gz", "w:bz2", "w:xz"])) as tar:
            for at, member in enumerate(members):
                info = tarfile.TarInfo(f"{at}.jsonl")
                info.size = len(member.data)
                tar.addfile(info, io.BytesIO(member.data))
    total = sum(member.records or 0 for member in members)
    told = "; ".join(member.damage for member in members)
    case = Case("jsonl", sink.getvalue(), "x.pack", total, {"members": ["*"]}, damage=told, may_fail=True)
    return spoilt(rng, case)


def at_random(rng: random.Random, count: int) -> Case:
    """Change random bytes of a file of any kind."""
    case = rng.choice(PLAIN)(rng, count)
    data = bytearray(case.data)
    for _ in range(rng.randint(1, 8)):
        spot = rng.randrange(len(data) or 1)
        way = rng.randrange(4)
        if way == 0:
            data[spot : spot + rng.randint(1, 20)] = b""
        elif way == 1:
            data[spot:spot] = rng.choice([b'"', b"{", b"}", b"\n", b"\0", b"\\", b"\xff", b",", rng.randbytes(4)])
        elif way == 2:
            data[spot : spot + 1] = rng.randbytes(1)
        else:
            start = rng.randrange(len(data) or 1)
            data[spot:spot] = data[start : start + rng.randint(1, 200)]
    case.data, case.records, case.may_fail = bytes(data), None, True
    case.damage = "bytes changed at random"
    return case


PLAIN = [json_lines, nested, delimited, json_map, parquet, text_lines, tmx, deb822, python]
MAKERS = [*PLAIN, packed, archived, at_random, at_random]


def made(seed: int, number: int) -> Case:
    """Make the file with a number; it is determined by seed and number."""
    rng = random.Random(f"{seed}/{number}")
    return MAKERS[number % len(MAKERS)](rng, rng.randint(3, 40))


def manifest(case: Case) -> Manifest:
    """Return the manifest for a file."""
    names = list(case.fields)
    numbers = [name for name, kind in case.fields.items() if kind == "int64"]
    return Manifest.model_validate({
        "name": "fuzz", "title": "Fuzz", "collection": "offline", "task": "paraphrase", "family": "retrieval",
        "origin": {"kind": "manual", "url": "nowhere", "folder": "nowhere"},
        "tables": {"records": {"files": ["*"], "format": case.form, "fields": case.fields} | case.table},
        "where": {name: [0, 1, 2, 3, 4, 5, 6] for name in numbers},
        "shape": {"kind": "pair", "args": {"query": names[0], "positive": names[-1 if not numbers else 1]}},
        "subsets": {"t": {"query_lang": "eng-Latn"}}, "samples": 0, "citation": "none",
        "license": {"id": "MIT", "commercial": True, "redistribution": True}, "instruction": "Find what belongs to it.",
    })  # fmt: skip


def fault_of(case: Case, folder: Path) -> str:
    """Read a file and return a description of the reader's fault; empty if there is none."""
    path = folder / "file"
    path.write_bytes(case.data)
    quarantine, filtered, rows = Quarantine("fuzz", "t"), Counter[str](), 0
    described = manifest(case)
    try:
        for part in parts(described, "t", [RawFile("records", case.name, str(path), len(case.data), "x")]):
            for batch in normalize(part, described, quarantine, filtered):
                batch.validate(full=True)
                rows += batch.num_rows
    except CorpusError as error:
        return "" if case.may_fail else f"refused: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    total = rows + quarantine.total + filtered.total()
    if case.records is not None and total != case.records:
        return f"{case.records} records: {rows} rows, {dict(quarantine.counts)}, {dict(filtered)}"
    if case.data.strip() and not total and not quarantine.unreadable and not without_functions(case):
        return "nothing was read, and nothing said"
    return ""


def without_functions(case: Case) -> bool:
    """Tell whether a file is a valid module without documented functions, which has no records."""
    if case.form != "python":
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(case.data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return not any(ast.get_docstring(node) is not None for node in functions)


USUAL = (line_reader.BLOCK_BYTES, nested_json.BLOCK_BYTES, delimited_reader.BLOCK_BYTES, tmx_reader.BLOCK_BYTES)


def set_blocks(size: int | None) -> None:
    """Set the block size of all readers, so that records cross block boundaries; None: the defaults."""
    usual = [size or block for block in USUAL]
    line_reader.blocks.__kwdefaults__["size"] = usual[0]
    nested_json.BLOCK_BYTES, tmx_reader.BLOCK_BYTES = usual[1], usual[3]
    delimited_reader.BLOCK_BYTES = delimited_reader.HEAD_BYTES = usual[2]


def work(seed: int, first: int, last: int) -> None:
    """Read files one after another; print the number before each file, and its fault after it."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            print(number, flush=True)
            most = int(time.process_time()) + 1 + SECONDS_A_FILE
            resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))
            case = made(seed, number)
            set_blocks(random.Random(f"{seed}/{number}/blocks").choice([None, None, 61, 300]))
            fault = fault_of(case, Path(folder))
            if fault:
                print(json.dumps({"file": number, "form": case.form, "damage": case.damage, "fault": fault}))


def run(seed: int, records: int, *, first: int = 0) -> tuple[int, int, list[dict[str, Any]]]:
    """Read files with `records` records in total, in processes that may die; return (files, records, faults)."""
    faults: list[dict[str, Any]] = []
    number, done = first, 0
    while done < records:
        last = number
        while done < records and last < number + FILES_A_WORKER:
            case = made(seed, last)
            done += case.records or case.data.count(b"\n") + 1
            last += 1
        while number < last:
            number = _worked(seed, number, last, faults)
    return number - first, done, faults


def _worked(seed: int, number: int, last: int, faults: list[dict[str, Any]]) -> int:
    """Let a worker process read files; return the number of the first file that it did not read."""
    command = [sys.executable, "-m", "benchmarks.fuzz_readers", "--worker", str(seed), str(number), str(last)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_A_WORKER, check=False)
        output, how = done.stdout, f"ended with code {done.returncode}: {done.stderr[-300:]}"
        if done.returncode == -signal.SIGXCPU:
            how = f"took more than {SECONDS_A_FILE} seconds"
    except subprocess.TimeoutExpired as error:
        output, how = (error.stdout or b"").decode(), "did not come to an end"
    lines = output.splitlines()
    faults += [json.loads(line) for line in lines if line.startswith("{")]
    at = max((int(line) for line in lines if line.isdecimal()), default=number)
    if how != "ended with code 0: " and at < last:
        faults.append({"file": at, "form": made(seed, at).form, "damage": made(seed, at).damage, "fault": how})
    elif at + 1 < last:
        faults.append({"file": at, "fault": how})
    return at + 1


def main() -> None:
    """Run the test, print all faults, and exit with code 1 if there are any."""
    if sys.argv[1:2] == ["--worker"]:
        work(*map(int, sys.argv[2:5]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.monotonic()
    files, records, faults = run(options.seed, options.records)
    seconds = time.monotonic() - start
    for fault in faults:
        print(json.dumps(fault, ensure_ascii=False))
    print(f"{files:,} files with about {records:,} records in {seconds:.0f} s: {len(faults)} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
