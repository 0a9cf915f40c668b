"""Hashes of files, remembered: a big file that nobody has touched is read once, not at every check."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, Literal

import xxhash

Algorithm = Literal["xxh3", "sha256"]
BLOCK_BYTES = 1 << 24
SETTLED_NS = 5_000_000_000


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
        partial = self._memory.with_name(f".{self._memory.name}.{os.getpid()}")
        try:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            merged = {**_read(self._memory), **self._fresh}
            partial.write_text(json.dumps(merged, sort_keys=True, ensure_ascii=False, indent=1) + "\n", "utf-8")
            partial.replace(self._memory)
        except OSError:  # a disk that is full or read-only: this is a memory, no result
            return
        self._fresh.clear()


def _read(memory: Path | None) -> dict[str, list[Any]]:
    try:
        found = json.loads(memory.read_text("utf-8")) if memory is not None else {}
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, list) and len(v) == 3} if isinstance(found, dict) else {}
