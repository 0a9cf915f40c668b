"""Keys: what a store, a checkpoint or a finished run was made from, as one hash."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xxhash

from open_ml_embed.core.hashing import FileHashes


def canonical_json(data: Any) -> str:
    """Serialize so that equal data give equal text."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False, indent=1) + "\n"


def digest(data: Any) -> str:
    """Return the xxh3-128 of the canonical JSON of `data`."""
    return xxhash.xxh3_128_hexdigest(canonical_json(data).encode())


def content_digest(files: Iterable[Path], *, remembered: Path | None = None) -> str:
    """Return the hash of the files' names and bytes; where they lie does not matter.

    Args:
        files: in an order that is theirs.
        remembered: a file of hashes, kept up to date (`open_ml_embed.core.hashing.FileHashes`).

    """
    hashes = FileHashes(remembered)
    parts = [[path.parent.name, path.name, path.stat().st_size, hashes.of(path)] for path in files]
    hashes.save()
    return digest(parts)
