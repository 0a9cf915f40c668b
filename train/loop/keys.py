"""Keys: what a store, a checkpoint or a finished run was made from, as one hash."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from open_ml_embed.core.hashing import FileHashes, digest


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
