"""References to models and vectors in folders, as seen from the folder of the settings file or from here."""

from __future__ import annotations

import os
from pathlib import Path


def placed(reference: str, root: Path) -> str:
    """Resolve a reference whose folder is relative to `root`: return it with the absolute path of the folder.

    A reference that names no folder, or one that exists relative to the current directory, is returned unchanged.
    """
    prefix, folder = ("vectors:", reference[8:]) if reference.startswith("vectors:") else ("", reference)
    known = reference == "bm25" or is_dir(folder)
    return prefix + str((root / folder).resolve()) if not known and is_dir(root / folder) else reference


def as_seen_from(reference: str, root: Path) -> str:
    """Return a reference with the path of its folder relative to `root`; unchanged if it names no folder."""
    prefix, folder = ("vectors:", reference[8:]) if reference.startswith("vectors:") else ("", reference)
    if reference == "bm25" or not is_dir(folder):
        return reference
    return prefix + os.path.relpath(Path(folder).resolve(), root.resolve())


def is_dir(path: str | Path) -> bool:
    """Tell whether a path is a folder that can be looked at."""
    return Path(path).is_dir()
