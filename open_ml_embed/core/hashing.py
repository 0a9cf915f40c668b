"""Hashes of data and of files. File hashes are cached, so that an unchanged file is read only once."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any, Literal

import xxhash

from open_ml_embed.core.files import write_whole
from open_ml_embed.core.json_text import loads

Algorithm = Literal["xxh3", "sha256", "git"]
"""xxh3-128, SHA-256, or the object id that Git gives a file: the SHA-1 of a header and the content."""
BLOCK_BYTES = 1 << 24
SETTLED_NS = 5_000_000_000
"""Nanoseconds since its last change after which a file's hash may be cached."""


def canonical_json(data: object) -> bytes:
    """Serialize to JSON so that equal data give equal bytes: sorted keys, UTF-8, one space of indentation."""
    return (json.dumps(data, sort_keys=True, ensure_ascii=False, indent=1) + "\n").encode()


def digest(data: object) -> str:
    """Return the xxh3-128 of the JSON of `data` with sorted keys and without spaces, as hexadecimal digits."""
    # without indentation, the encoder written in C is used: ten times as fast
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return xxhash.xxh3_128_hexdigest(text.encode())


def hash_file(path: Path, algorithm: Algorithm = "xxh3") -> str:
    """Return the hash of a file's bytes as hexadecimal digits."""
    state: Any
    if algorithm == "git":
        state = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    else:
        state = xxhash.xxh3_128() if algorithm == "xxh3" else hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(BLOCK_BYTES):
            state.update(block)
    return str(state.hexdigest())


class FileHashes:
    """Cache of file hashes by path, kept in a JSON file.

    As in git, a file is read again when its size or modification time has changed. The hash of a file that changed
    within the last five seconds is not cached, since the file could change again within one tick of the clock.
    """

    def __init__(self, memory: Path | None = None) -> None:
        """Load the cache.

        Args:
            memory: the JSON file; it need not exist. None: cache in memory only.

        """
        self._memory = memory
        self._known = _read(memory)
        self._fresh: dict[str, list[Any]] = {}

    def of(self, path: Path, algorithm: Algorithm = "xxh3") -> str:
        """Return the hash of a file.

        Raises:
            FileNotFoundError: there is no such file.

        """
        stat = path.stat()
        key = f"{algorithm} {path.resolve()}"
        state = [stat.st_size, stat.st_mtime_ns]
        entry = self._known.get(key)
        if entry is None or entry[:2] != state:
            entry = [*state, hash_file(path, algorithm)]
            if time.time_ns() - stat.st_mtime_ns > SETTLED_NS:
                self._known[key] = self._fresh[key] = entry
        return str(entry[2])

    def save(self) -> None:
        """Write new hashes to the JSON file; if that fails, the files are read again the next time."""
        if self._memory is None or not self._fresh:
            return
        try:
            write_whole(self._memory, canonical_json({**_read(self._memory), **self._fresh}))
        except OSError:  # a full or read-only disk: losing a cache changes no result
            return
        self._fresh.clear()


def _read(memory: Path | None) -> dict[str, list[Any]]:
    try:
        data = loads(memory.read_text("utf-8")) if memory is not None else {}
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in data.items() if isinstance(v, list) and len(v) == 3} if isinstance(data, dict) else {}
