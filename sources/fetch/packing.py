"""Packs many small files into one raw file: a deterministic tar that depends only on names and contents."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from open_ml_embed.core.files import whole_file, write_whole
from open_ml_embed.core.sealed import seal, undamaged
from sources.fetch import FetchOptions, most_files
from sources.globs import Names
from sources.manifest import Manifest
from sources.parts import RawFile

Listing = dict[str, dict[str, str | int]]
"""Files of a completed fetch: name → ``size`` in bytes and ``sha256``."""


def pack(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a tar of (name, content) members in the given order, without times, owners or modes."""
    with whole_file(path) as unfinished, tarfile.open(unfinished, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def enlist(root: Path, names: Iterable[str]) -> Listing:
    """Return the listing of the files `root/name`, sorted by name."""
    return {name: _entry(root / name) for name in sorted(names)}


def _entry(path: Path) -> dict[str, str | int]:
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def save(path: Path, listing: Listing) -> None:
    """Write a listing; its existence means that all its files are complete."""
    write_whole(path, seal(listing, path.name))


def load(path: Path) -> Listing | None:
    """Return a saved listing; None if the fetch was never completed, or if the listing is damaged."""
    return undamaged(path)


def whole(path: Path, root: Path) -> bool:
    """Tell whether a fetch was completed and all its files still exist with the listed sizes."""
    listing = load(path)
    if listing is None:
        return False
    files = ((root / name, entry["size"]) for name, entry in listing.items())
    return all(file.is_file() and file.stat().st_size == size for file, size in files)


def chosen(
    manifest: Manifest,
    root: Path,
    listing: Listing,
    options: FetchOptions | None = None,
    names: Names | None = None,
) -> Iterator[RawFile]:
    """Yield the listed files that match the manifest's tables, by table, then by name.

    Args:
        manifest: bound to one subset.
        root: folder of the listed files.
        listing: the available files.
        options: with the most files of a table; None: all files.
        names: those of the listing, if they are needed for many subsets; None: made from it.

    """
    names = Names(listing) if names is None else names
    for table, spec in manifest.tables.items():
        most = None if options is None else most_files(manifest, table, options)
        for name in names.matching(spec.files)[:most]:
            entry = listing[name]
            yield RawFile(table, name, str(root / name), int(entry["size"]), f"sha256:{entry['sha256']}")
