"""Fetching: downloads the raw files of a subset; a file is complete or absent."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module

from open_ml_embed.core.errors import UnknownNameError
from open_ml_embed.core.hashing import FileHashes
from open_ml_embed.core.optional import check_installed
from sources.fetch.once import Once
from sources.fetch.transfers import Begun, Transfers
from sources.lock import Lock
from sources.manifest import Manifest
from sources.parts import RawFile
from sources.shapes import partner_tables

_ORIGINS = {
    "hub": "sources.fetch.hub",
    "apt": "sources.fetch.apt",
    "python": "sources.fetch.python_env",
    "url": "sources.fetch.url",
    "manual": "sources.fetch.local",
}
"""Kind of origin → module with `fetch(manifest, subset, options)`, or with `begin` if it fetches many files."""


_CLIENTS = {"hub": ("huggingface_hub", "httpx2"), "url": ("httpx2",)}


@dataclass(frozen=True)
class FetchOptions:
    """Target folder and permitted origins of fetched files.

    Attributes:
        raw_root: folder for all fetched files.
        endpoint: URL of another Hub endpoint; None: the default of huggingface-hub.
        local_root: folder with files as `<repository>/<file>`, which take precedence over the network.
        files_per_table: fetch only the first n files of each raw table, for a pilot; None: all. Tables to which the
            records of others refer are fetched whole (`most_files`).
        offline: use only files that were fetched before, and never access the network.
        lock: if set, Hub repositories are read at its commits, and files that differ from it are refused.
        hashes: cache of the hashes of local files.
        known: what this run found out already. Make new options for a run that has to look again.
        transfers: how files are fetched: at once or one after the other, with how many requests for each host.

    """

    raw_root: str
    endpoint: str | None = None
    local_root: str | None = None
    files_per_table: int | None = None
    offline: bool = False
    lock: Lock | None = None
    hashes: FileHashes = field(default_factory=FileHashes, compare=False)
    known: Once = field(default_factory=Once, compare=False, repr=False)
    transfers: Transfers = field(default_factory=Transfers, compare=False, repr=False)


def most_files(manifest: Manifest, table: str, options: FetchOptions) -> int | None:
    """Return the most files of a table to fetch; None: all.

    Args:
        manifest: bound to one subset.
        table: one of its raw tables.
        options: with `files_per_table`.

    """
    if options.files_per_table is None or table in partner_tables(manifest):
        return None
    return options.files_per_table


def fetch(manifest: Manifest, subset: str, options: FetchOptions) -> list[RawFile]:
    """Fetch the raw files of one subset.

    Returns:
        The files, in the manifest's order of tables, then by name.

    Raises:
        FetchError: the files cannot be fetched; the message states the remedy.
        TransientError: the files may be available later.
        MissingToolError: this machine lacks a program that the origin needs.
        UnknownNameError: the manifest has no such subset.

    """
    return begin(manifest, subset, options).result()


def begin(manifest: Manifest, subset: str, options: FetchOptions) -> Begun[list[RawFile]]:
    """Start to fetch the raw files of one subset; they come while others are started, if `options.transfers` allows.

    Returns:
        What waits for the files and returns them, in the order of `fetch`; it raises what `fetch` raises.

    Raises:
        FetchError: as `fetch`, if it is known before any file is fetched.
        TransientError: the same.
        UnknownNameError: the manifest has no such subset.

    """
    if subset not in manifest.subsets:
        raise UnknownNameError("subset", subset, manifest.subsets, where=manifest.name)
    origin = import_module(_ORIGINS[manifest.origin.kind])
    bound = manifest.bound(subset)
    if hasattr(origin, "begin"):
        begun: Begun[list[RawFile]] = origin.begin(bound, subset, options)
        return begun
    return Begun(lambda: list(origin.fetch(bound, subset, options)))


def check_client(manifest: Manifest) -> None:
    """Check that the packages which fetch a source are installed, without accessing its origin.

    Raises:
        MissingPackageError: one is not; the remedy names the extra `build`.

    """
    if manifest.access.kind != "dead":
        check_installed(*_CLIENTS.get(manifest.origin.kind, ()), what=f"origin {manifest.origin.kind}")


def in_place(manifest: Manifest, subset: str, options: FetchOptions) -> list[RawFile] | None:
    """List the files of one subset that `fetch` would use from `local_root`, without fetching anything.

    Returns:
        The files, in the order of `fetch`; None if `fetch` would not use `local_root` for this source.

    Raises:
        FetchError: no file in the folder matches a table of the manifest.

    """
    if options.local_root is None:
        return None
    origin = import_module(_ORIGINS[manifest.origin.kind])
    if not hasattr(origin, "in_place"):
        return None
    files: list[RawFile] | None = origin.in_place(manifest.bound(subset), subset, options)
    return files


def origin_address(manifest: Manifest) -> str:
    """Return a human-readable address of a source's origin."""
    origin = manifest.origin
    if origin.kind == "hub":
        mirrors = f" (mirrors: {', '.join(origin.mirrors)})" if origin.mirrors else ""
        return f"https://huggingface.co/datasets/{origin.repo} at {origin.ref}{mirrors}"
    if origin.kind == "manual":
        return f"{origin.url} → <local_root>/{origin.folder}"
    if origin.kind == "url":
        return origin.base
    if origin.kind == "apt":
        return f"the machine's apt sources: {', '.join([*origin.indexes, *origin.packages])}"
    return "Python files of the interpreter and of installed packages"
