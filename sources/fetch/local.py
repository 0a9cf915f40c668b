"""Files that already lie in a folder here: put there by a person, or standing in for a repository."""

from __future__ import annotations

import hashlib
from pathlib import Path

import xxhash

from sources.errors import FetchError
from sources.fetch import FetchOptions
from sources.fetch.matching import matching
from sources.manifest import Manifest, ManualOrigin
from sources.parts import RawFile

_CHUNK = 1 << 20


def fetch(manifest: Manifest, subset: str, options: FetchOptions) -> list[RawFile]:
    """List the files of a dataset that has to be fetched by hand; see `sources.fetch.fetch`."""
    origin = manifest.origin
    assert isinstance(origin, ManualOrigin)
    where = f"{manifest.name}/{subset}"
    remedy = f"fetch it from {origin.url} and put the files into <local_root>/{origin.folder}"
    if options.local_root is None:
        raise FetchError("has to be fetched by hand, and no local_root is set", where=where, remedy=remedy)
    folder = Path(options.local_root) / origin.folder
    found = names_below(folder)
    if not found:
        raise FetchError(f"nothing in {folder}", where=where, remedy=remedy)
    chosen = [
        local_file(folder, name, key)
        for key, table in manifest.tables.items()
        for name in matching(found, table.files, where=f"{where}: {folder}", most=options.files_per_table)
    ]
    for file in chosen:
        checked(Path(file.path), origin.sha256.get(file.name), where=f"{where}: {file.path}", remedy=remedy)
    return chosen


def names_below(folder: Path) -> list[str]:
    """Return the files below a folder as slash-separated relative names, sorted; hidden ones left out."""
    if not folder.is_dir():
        return []
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts))


def local_file(folder: Path, name: str, table: str) -> RawFile:
    """Describe a file by its content."""
    path = folder / name
    hasher = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return RawFile(table, name, str(path), path.stat().st_size, f"xxh3:{hasher.hexdigest()}")


def checked(path: Path, stated: str | None, *, where: str, remedy: str) -> str | None:
    """Compare a file with the checksum a manifest states, if it does, and return it.

    Raises:
        FetchError: the file has another one.

    """
    if stated is None:
        return None
    sha256 = sha256_of(path)
    if sha256 != stated:
        raise FetchError(f"sha256 is {sha256}, the manifest states {stated}", where=where, remedy=remedy)
    return sha256


def sha256_of(path: Path) -> str:
    """Hash a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
