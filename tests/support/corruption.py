"""Damage of files as disks, file systems and people do it: always another content than before."""

import random
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq


def _flipped(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _zeroed(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    length = min(len(data) - at, 64)
    return data[:at] + bytes(length) + data[at + length :]


def _repeated(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at : at + 64] + data[at:]


def _other(data: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(len(data))


def _digit(data: bytes, rng: random.Random) -> bytes:
    """Change a digit, so that JSON stays valid."""
    places = [i for i, byte in enumerate(data) if 0x31 <= byte <= 0x38]
    if not places:
        return _flipped(data, rng)
    at = rng.choice(places)
    return data[:at] + bytes([data[at] + 1]) + data[at + 1 :]


def _empty(data: bytes, rng: random.Random) -> bytes:
    return b""


WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flipped, _flipped, _cut, _zeroed, _repeated, _other, _digit, _digit, _empty,
)  # fmt: skip


def corrupt(path: Path, rng: random.Random) -> str:
    """Damage a file in place, as a failing disk would: hard links of it are damaged too. Return how.

    The times of the file are kept where its size is, as no program has written to it.
    """
    before, state = path.read_bytes(), path.stat()
    way = _other
    after = b"no longer empty"
    while before and (after := (way := rng.choice(WAYS))(before, rng)) == before:
        pass
    with path.open("r+b") as file:
        file.write(after)
        file.truncate()
    if len(after) == len(before):
        import os

        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    return way.__name__.strip("_")


def without_values(path: Path, column: str) -> None:
    """Write a Parquet file again so that a page of a column says that it has no values, though its footer does."""
    pq.write_table(pq.read_table(path), path, compression="none", use_dictionary=False)
    about = pq.ParquetFile(path)
    chunk = about.metadata.row_group(0).column(about.schema_arrow.names.index(column))
    data = bytearray(path.read_bytes())
    assert chunk.num_values < 64, "the number takes one byte"
    said = bytes([0x15, 2 * chunk.num_values])  # a field of type int32, zigzag
    at = data.index(said, data.index(b"\x2c", chunk.data_page_offset))
    data[at + 1] = 0
    path.write_bytes(data)
