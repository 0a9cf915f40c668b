"""Keys: what a store, a checkpoint or a finished run was made from, as one hash."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xxhash

BLOCK_BYTES = 1 << 24
SETTLED_NS = 5_000_000_000


def canonical_json(data: Any) -> str:
    """Serialise so that equal data give equal text."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False, indent=1) + "\n"


def digest(data: Any) -> str:
    """Return the xxh3-128 of the canonical JSON of `data`."""
    return xxhash.xxh3_128_hexdigest(canonical_json(data).encode())


def content_digest(files: Iterable[Path], *, remembered: Path | None = None) -> str:
    """Return the hash of the files' names and bytes; where they lie does not matter.

    Args:
        files: in an order that is theirs.
        remembered: a file of hashes, kept up to date. A file is read again when its size or its time of change is
            another one, as git does; one that changed within the last seconds is never remembered, as it could
            change again within the same tick of the clock.

    """
    known: dict[str, list[Any]] = {}
    if remembered is not None and remembered.is_file():
        known = json.loads(remembered.read_text("utf-8"))
    fresh: dict[str, list[Any]] = {}
    parts = []
    for path in files:
        stat, place = path.stat(), str(path.resolve())
        seen = [stat.st_size, stat.st_mtime_ns]
        entry = known.get(place)
        if entry is None or entry[:2] != seen:
            entry = [*seen, _file_digest(path)]
            if time.time_ns() - stat.st_mtime_ns > SETTLED_NS:
                fresh[place] = entry
        parts.append([path.parent.name, path.name, stat.st_size, entry[2]])
    if remembered is not None and fresh:
        remembered.parent.mkdir(parents=True, exist_ok=True)
        partial = remembered.with_name(f".{remembered.name}.{os.getpid()}")
        partial.write_text(canonical_json({**known, **fresh}), "utf-8")
        partial.replace(remembered)
    return digest(parts)


def _file_digest(path: Path) -> str:
    state = xxhash.xxh3_128()
    with path.open("rb") as source:
        while block := source.read(BLOCK_BYTES):
            state.update(block)
    return state.hexdigest()
