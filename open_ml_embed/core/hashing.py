"""Hashes of data and of files. Those of files are remembered: one that nobody has touched is read once."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any, Literal

import xxhash

from open_ml_embed.core.files import write_whole

Algorithm = Literal["xxh3", "sha256"]
BLOCK_BYTES = 1 << 24
SETTLED_NS = 5_000_000_000


def canonical_json(data: object) -> bytes:
    """Serialize so that equal data give equal bytes."""
    return (json.dumps(data, sort_keys=True, ensure_ascii=False, indent=1) + "\n").encode()


def digest(data: object) -> str:
    """Return the xxh3-128 of the canonical JSON of `data`, in hexadecimal digits."""
    return xxhash.xxh3_128_hexdigest(canonical_json(data))


def hash_file(path: Path, algorithm: Algorithm = "xxh3") -> str:
    """Return the hash of a file's bytes, xxh3-128 or SHA-256, in hexadecimal digits."""
    state: Any = xxhash.xxh3_128() if algorithm == "xxh3" else hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(BLOCK_BYTES):
            state.update(block)
    return str(state.hexdigest())


class FileHashes:
    """Hashes of files by path, kept in a JSON file.

    A file is read again when its size or its time of change is another one, as git does. One that changed within the
    last seconds is never remembered, as it could change again within the same tick of the clock.
    """

    def __init__(self, memory: Path | None = None) -> None:
        """Open the memory.

        Args:
            memory: the JSON file; it need not exist. Null: nothing outlives this object.

        """
        self._memory = memory
        self._known = _read(memory)
        self._fresh: dict[str, list[Any]] = {}

    def of(self, path: Path, algorithm: Algorithm = "xxh3") -> str:
        """Return the hash of a file.

        Raises:
            FileNotFoundError: there is none.

        """
        stat = path.stat()
        place = f"{algorithm} {path.resolve()}"
        seen = [stat.st_size, stat.st_mtime_ns]
        entry = self._known.get(place)
        if entry is None or entry[:2] != seen:
            entry = [*seen, hash_file(path, algorithm)]
            if time.time_ns() - stat.st_mtime_ns > SETTLED_NS:
                self._known[place] = self._fresh[place] = entry
        return str(entry[2])

    def save(self) -> None:
        """Write what is new to the memory; where it cannot be written, files are read again the next time."""
        if self._memory is None or not self._fresh:
            return
        try:
            write_whole(self._memory, canonical_json({**_read(self._memory), **self._fresh}))
        except OSError:  # a disk that is full or read-only: this is a memory, no result
            return
        self._fresh.clear()


def _read(memory: Path | None) -> dict[str, list[Any]]:
    try:
        found = json.loads(memory.read_text("utf-8")) if memory is not None else {}
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, list) and len(v) == 3} if isinstance(found, dict) else {}
