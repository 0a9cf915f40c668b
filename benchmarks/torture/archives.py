"""Archives whose headers are damaged, or that were made to do harm: links, paths, bombs, members within members."""

from __future__ import annotations

import io
import random
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path

from benchmarks import fuzz_readers
from benchmarks.fuzz_readers import Case
from benchmarks.torture.isolated import faults_of
from benchmarks.torture.rows import Row

NAMES = [
    "a.jsonl",
    "b/c.jsonl",
    "../out.jsonl",
    "/abs.jsonl",
    "x" * 300,
    "\x1b]52;c;x\a",
    "caf\u00e9",
    "a\0b",
    ".",
    "dir/",
]


def row(count: int, seed: int) -> Row:
    """Try `count` archives."""
    result = Row("archives: zip and tar with damaged headers, links, paths outside, bombs, odd names")
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / "inside"
        inside.mkdir()
        found = faults_of(lambda case: _fault(inside, seed, case), 0, count)
        escaped = sorted(path.name for path in Path(folder).iterdir() if path != inside)
    result.tried, result.failed = count, len(found) + len(escaped)
    result.faults = [f"seed {seed}, archive {case}: {fault}" for case, fault in sorted(found.items())]
    result.faults += [f"seed {seed}: {name} was written outside" for name in escaped]
    return result


def _fault(folder: Path, seed: int, number: int) -> str:
    rng = random.Random(f"{seed}/{number}")
    data = rng.choice([_zip, _zip, _tar])(rng)
    way = rng.randrange(4)
    if way == 1:
        data = _flipped(data, rng)
    elif way == 2:
        data = data[: rng.randrange(len(data))] if data else data
    elif way == 3:
        data = _header(data, rng)
    case = Case("jsonl", data, "x.pack", None, {"members": ["*"]}, may_fail=True)
    fuzz_readers.set_blocks(None)
    return fuzz_readers.fault_of(case, folder)


def _content(rng: random.Random) -> bytes:
    if rng.random() < 0.05:
        return b"0" * 20_000_000  # packs to a thousandth
    return fuzz_readers.json_lines(rng, rng.randint(1, 8)).data


def _zip(rng: random.Random) -> bytes:
    sink = io.BytesIO()
    kinds = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    with zipfile.ZipFile(sink, "w") as archive:
        for _ in range(rng.randint(0, 5)):
            info = zipfile.ZipInfo(rng.choice(NAMES))
            info.compress_type = rng.choice(kinds)
            if rng.random() < 0.1:
                info.external_attr = 0o120777 << 16  # a symbolic link
            import warnings

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the same name twice
                archive.writestr(info, _content(rng))
    return sink.getvalue()


def _tar(rng: random.Random) -> bytes:
    sink = io.BytesIO()
    mode = rng.choice(["w:", "w:gz", "w:bz2", "w:xz"])
    with tarfile.open(fileobj=sink, mode=mode, format=rng.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])) as archive:
        for _ in range(rng.randint(0, 5)):
            info = tarfile.TarInfo(rng.choice(NAMES).replace("\0", ""))
            kind = rng.random()
            if kind < 0.3:
                info.type = rng.choice(
                    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
                )
                info.linkname = rng.choice(["/etc/passwd", "../../secret", "a.jsonl", ""])
                archive.addfile(info)
                continue
            data = _content(rng)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def _flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _header(data: bytes, rng: random.Random) -> bytes:
    """Change a number in a header of a zip archive: a size, an offset, a method, flags, the number of members."""
    marks = [i for mark in (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06") for i in _found(data, mark)]
    if not marks:
        return _flipped(data, rng)
    at = rng.choice(marks) + rng.randint(4, 42)
    value = rng.choice([0, 1, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


def _found(data: bytes, mark: bytes) -> list[int]:
    places, at = [], data.find(mark)
    while at >= 0:
        places.append(at)
        at = data.find(mark, at + 1)
    return places
