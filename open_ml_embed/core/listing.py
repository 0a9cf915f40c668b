"""A listing: the sizes and hashes of all files of a folder, kept in the folder as a sealed record."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from open_ml_embed.core.files import write_whole
from open_ml_embed.core.hashing import hash_file
from open_ml_embed.core.recorded import DamagedFileError
from open_ml_embed.core.sealed import DamagedRecordError, read_sealed, seal

LISTING = "files.json"
_checked: dict[Path, dict[str, tuple[int, int, int]]] = {}
"""Listing → the states of the files of its folder when this process checked them."""


def write_listing(folder: Path, name: str = LISTING, *, without: Collection[str] = ()) -> None:
    """Write the listing of a folder, last of its files.

    Args:
        folder: the folder; its files are read once.
        name: path of the listing below the folder.
        without: paths below the folder, with `/`, of files that may change later.

    """
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    listed = {
        relative: {"bytes": path.stat().st_size, "xxh3": hash_file(path)}
        for relative, path in files.items()
        if relative != name and relative not in without
    }
    write_whole(folder / name, seal({"files": listed}, Path(name).name))


def damaged_in(folder: Path, name: str = LISTING, *, deep: bool = True) -> dict[str, str] | None:
    """Return the files of a folder that are not as they are listed: path below the folder → what is wrong.

    Args:
        folder: the folder.
        name: path of the listing below the folder.
        deep: also compare hashes, for which every file is read.

    Returns:
        None if the folder has no listing.

    Raises:
        DamagedRecordError: the listing is damaged.

    """
    record = read_sealed(folder / name)
    if record is None:
        return None
    found: dict[str, str] = {}
    for relative, listed in record["files"].items():
        path = folder / relative
        if not path.is_file():
            found[relative] = "is missing"
        elif path.stat().st_size != listed["bytes"]:
            found[relative] = f"has {path.stat().st_size} bytes, and {listed['bytes']} were written"
        elif deep and hash_file(path) != listed["xxh3"]:
            found[relative] = "does not have the bytes that were written"
    return found


def hash_of(folder: Path, path: str, name: str = LISTING) -> str:
    """Return the hash of a file that a folder's listing has.

    Raises:
        DamagedRecordError: the listing is damaged.

    """
    record = read_sealed(folder / name)
    assert record is not None, "the listing was written"
    return str(record["files"][path]["xxh3"])


def check_listed(folder: Path, name: str = LISTING, *, remedy: str) -> None:
    """Check that a folder has the bytes that were written; one without a listing was written by others.

    A process reads the files once, as long as their sizes, times and inodes stay the same.

    Args:
        folder: the folder; its files are read.
        name: path of the listing below the folder.
        remedy: what makes a damaged file again.

    Raises:
        DamagedFileError: a file is missing, or is not as it was written.
        DamagedRecordError: the listing is damaged.

    """
    state = _state(folder)
    if _checked.get(folder / name) == state:
        return
    try:
        damaged = damaged_in(folder, name) or {}
    except DamagedRecordError as error:
        raise DamagedRecordError(error.what, where=error.where, remedy=remedy) from None
    for relative, what in damaged.items():
        raise DamagedFileError(f"the file {what}", where=str(folder / relative), remedy=remedy)
    _checked[folder / name] = state


def _state(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return path → size in bytes, time of the last change in ns, and inode, of all files of a folder."""
    states = {str(path): path.stat() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {path: (state.st_size, state.st_mtime_ns, state.st_ino) for path, state in states.items()}


def is_as_listed(folder: Path, name: str = LISTING) -> bool:
    """Tell whether a folder has a listing and the bytes that were written."""
    try:
        return damaged_in(folder, name) == {}
    except DamagedRecordError:
        return False
