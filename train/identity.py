"""Keys: what a store, a checkpoint or a finished run was made from, as one hash."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xxhash

BLOCK_BYTES = 1 << 24


def canonical_json(data: Any) -> str:
    """Serialise so that equal data give equal text."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False, indent=1) + "\n"


def digest(data: Any) -> str:
    """Return the xxh3-128 of the canonical JSON of `data`."""
    return xxhash.xxh3_128_hexdigest(canonical_json(data).encode())


def content_digest(files: Iterable[Path]) -> str:
    """Return the hash of the files' names and bytes; where they lie does not matter."""
    state = xxhash.xxh3_128()
    for path in files:
        state.update(f"{path.parent.name}/{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as source:
            while block := source.read(BLOCK_BYTES):
                state.update(block)
    return state.hexdigest()
