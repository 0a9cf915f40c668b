"""Fetching: brings the raw files of a subset onto this machine, complete or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module

from open_ml_embed.core.errors import UnknownNameError
from open_ml_embed.core.hashing import FileHashes
from open_ml_embed.core.optional import check_installed
from sources.lock import Lock
from sources.manifest import Manifest
from sources.parts import RawFile

_ORIGINS = {
    "hub": "sources.fetch.hub",
    "apt": "sources.fetch.apt",
    "python": "sources.fetch.python_env",
    "url": "sources.fetch.url",
    "manual": "sources.fetch.local",
}
"""Origin kind → module with `fetch(manifest, subset, options)`; imported when a source needs it."""


_CLIENTS = {"hub": ("huggingface_hub", "httpx2"), "url": ("httpx2",)}


@dataclass(frozen=True)
class FetchOptions:
    """Where fetched files go and where they may come from.

    Attributes:
        raw_root: folder that holds everything fetched.
        endpoint: another Hub endpoint; null: huggingface-hub's own default.
        local_root: a folder with `<repository>/<file>` that is looked at before any network.
        files_per_table: take only the first files of each raw table (a pilot).
        offline: answer from what was fetched before, or fail; never touch the network.
        lock: Hub repositories are read at its commits, and files that differ from it refused.
        hashes: remembers the hashes of files that are read where they lie.

    """

    raw_root: str
    endpoint: str | None = None
    local_root: str | None = None
    files_per_table: int | None = None
    offline: bool = False
    lock: Lock | None = None
    hashes: FileHashes = field(default_factory=FileHashes, compare=False)


def fetch(manifest: Manifest, subset: str, options: FetchOptions) -> list[RawFile]:
    """Bring the raw files of one subset here.

    Returns:
        The files, by table in the manifest's order, then by name.

    Raises:
        FetchError: they cannot be had; the message has the remedy.
        TransientError: they may be had later.
        MissingToolError: this machine lacks a program the origin needs.
        UnknownNameError: the manifest has no such subset.

    """
    if subset not in manifest.subsets:
        raise UnknownNameError("subset", subset, manifest.subsets, where=manifest.name)
    origin = import_module(_ORIGINS[manifest.origin.kind])
    files: list[RawFile] = origin.fetch(manifest.bound(subset), subset, options)
    return files


def check_client(manifest: Manifest) -> None:
    """Refuse a source that is fetched with a package which is not installed; nothing is asked of its origin.

    Raises:
        MissingPackageError: it is in the extra `build`.

    """
    if manifest.access.kind != "dead":
        check_installed(*_CLIENTS.get(manifest.origin.kind, ()), what=f"origin {manifest.origin.kind}")


def in_place(manifest: Manifest, subset: str, options: FetchOptions) -> list[RawFile] | None:
    """List the files of one subset that `fetch` would read where they lie, below `local_root`; fetches nothing.

    Returns:
        The files as they are now, in the order of `fetch`; null where the source comes from somewhere else.

    Raises:
        FetchError: none of the files there is what a table of the manifest asks for.

    """
    if options.local_root is None:
        return None
    origin = import_module(_ORIGINS[manifest.origin.kind])
    if not hasattr(origin, "in_place"):
        return None
    files: list[RawFile] | None = origin.in_place(manifest.bound(subset), subset, options)
    return files


def origin_address(manifest: Manifest) -> str:
    """Say where a source comes from, for people."""
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
