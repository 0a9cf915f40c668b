"""Content hashes: the keys that identify what a store, a checkpoint or a finished run was made from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from open_ml_embed.core.hashing import FileHashes, digest


def content_digest(files: Iterable[Path], *, remembered: Path | None = None) -> str:
    """Return a hash of the names (with parent folder), sizes and contents of files, independent of where they are.

    Args:
        files: the files, in a fixed order.
        remembered: file that caches hashes (`open_ml_embed.core.hashing.FileHashes`); None: no cache.

    """
    hashes = FileHashes(remembered)
    parts = [[path.parent.name, path.name, path.stat().st_size, hashes.of(path)] for path in files]
    hashes.save()
    return digest(parts)
