"""Files in a local folder: downloaded by hand, or a replacement for a repository."""

from __future__ import annotations

import os
from pathlib import Path

from open_ml_embed.core.errors import FetchError
from open_ml_embed.core.hashing import Algorithm, hash_file
from sources.fetch import FetchOptions, most_files
from sources.fetch.file_selection import matching
from sources.globs import Names
from sources.manifest import Manifest, ManualOrigin
from sources.parts import RawFile


def fetch(manifest: Manifest, subset: str, options: FetchOptions) -> list[RawFile]:
    """List the files of a dataset that has to be downloaded by hand; see `sources.fetch.fetch`."""
    origin = manifest.origin
    assert isinstance(origin, ManualOrigin)
    where = f"{manifest.name}/{subset}"
    remedy = f"fetch it from {origin.url} and put the files into <local_root>/{origin.folder}"
    if options.local_root is None:
        raise FetchError("has to be fetched by hand, and no local_root is set", where=where, remedy=remedy)
    folder = Path(options.local_root) / origin.folder
    chosen = in_place(manifest, subset, options)
    if not chosen:
        raise FetchError(f"nothing in {folder}", where=where, remedy=remedy)
    for file in chosen:
        stated, location = origin.sha256.get(file.name), f"{where}: {file.path}"
        checked(Path(file.path), stated, where=location, remedy=remedy, options=options)
    return chosen


def in_place(manifest: Manifest, subset: str, options: FetchOptions) -> list[RawFile]:
    """List the local files of a dataset that has to be downloaded by hand; see `sources.fetch.in_place`."""
    origin = manifest.origin
    assert isinstance(origin, ManualOrigin)
    folder = Path(options.local_root or "") / origin.folder
    if options.local_root is not None and not folder.is_relative_to(options.local_root):
        raise FetchError(
            f"{folder} is not below the local_root {options.local_root}",
            where=f"{manifest.name}/{subset}",
            remedy="set `sources.local_root` to a folder above it, and `folder` in the manifest to the path from there",
        )
    names = known_names(folder, options)
    if not names:
        return []
    return [
        local_file(folder, name, key, options)
        for key, table in manifest.tables.items()
        for name in matching(
            names, table.files, where=f"{manifest.name}/{subset}: {folder}", most=most_files(manifest, key, options)
        )
    ]


def names_below(folder: Path) -> list[str]:
    """Return the files below a folder as slash-separated relative names, sorted, without hidden ones.

    Raises:
        FetchError: a name is no UTF-8.

    """
    if not folder.is_dir():
        return []
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = sorted(path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts))
    for name in names:
        check_name(name, str(folder))
    return names


def check_name(name: str, where: str) -> None:
    """Check that records can hold the name of a file: a name on a disk is bytes, and need not be text.

    Raises:
        FetchError: it is no UTF-8.

    """
    try:
        name.encode()
    except UnicodeEncodeError:
        remedy = "rename the file, or move it out of the folder"
        what = f"the name of a file is no UTF-8: {os.fsencode(name)!r}"
        raise FetchError(what, where=where, remedy=remedy) from None


def known_names(folder: Path, options: FetchOptions) -> Names:
    """Return the files below a folder (`names_below`); a run lists a folder once."""
    return options.known.of(("names", folder), lambda: Names(names_below(folder)))


def known_hash(path: Path, options: FetchOptions, algorithm: Algorithm = "xxh3") -> str:
    """Return the hash of a file; a run hashes an unchanged file once, however recent it is.

    Raises:
        FileNotFoundError: there is no such file.

    """
    state = path.stat()
    key = ("hash", algorithm, path, state.st_size, state.st_mtime_ns)
    return options.known.of(key, lambda: options.hashes.of(path, algorithm))


def local_file(folder: Path, name: str, table: str, options: FetchOptions) -> RawFile:
    """Return the `RawFile` of a local file; its identity is the hash of its content.

    Args:
        folder: the local folder.
        name: path of the file below it.
        table: key in the manifest's `tables`.
        options: with the hashes that are known.

    """
    path = folder / name
    return RawFile(table, name, str(path), path.stat().st_size, f"xxh3:{known_hash(path, options)}")


def checked(path: Path, stated: str | None, *, where: str, remedy: str, options: FetchOptions) -> str | None:
    """Check a file against the SHA-256 in its manifest and return the checksum; None if the manifest states none.

    Raises:
        FetchError: the file has another checksum.

    """
    if stated is None:
        return None
    sha256 = known_hash(path, options, "sha256")
    if sha256 != stated:
        raise FetchError(f"sha256 is {sha256}, the manifest states {stated}", where=where, remedy=remedy)
    return sha256


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    return hash_file(path, "sha256")
