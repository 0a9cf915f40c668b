"""The files of a build that are equal wherever it is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PRIVATE = ("hashes.json", "digests.json")
"""Files that hold times and paths of a machine; so do hidden ones: locks, the record of runs."""


def results(root: Path) -> Iterator[Path]:
    """Yield the files of a project's `work/` and `out/`, in order, without those of this machine alone."""
    for top in ("work", "out"):
        for path in sorted((root / top).rglob("*")):
            if path.is_file() and path.name not in PRIVATE and not path.name.startswith("."):
                yield path
