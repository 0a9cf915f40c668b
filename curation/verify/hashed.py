"""Hashes of files on any file system, and the comparison of a file with its record."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import xxhash

from curation.verify.findings import Fault
from open_ml_embed.core.hashing import BLOCK_BYTES, hash_file
from open_ml_embed.core.store import Output, Store


def fault_of(store: Store, output: Output, size: int | None, *, deep: bool) -> Fault | None:
    """Compare a file with its record.

    Args:
        store: that holds it.
        output: the record.
        size: of the file in bytes; None if there is none.
        deep: also compare the hash.

    Returns:
        The kind of finding and what is wrong; None if the file is as it was written.

    """
    if size is None:
        return "missing", "is missing"
    if size != output.bytes:
        return "damaged", f"has {size} bytes, and {output.bytes} were written"
    if deep and hash_of(store, output.path) != output.xxh3:
        return "damaged", "does not have the bytes that were written"
    return None


def hash_of(store: Store, path: str) -> str:
    """Return the xxh3-128 of a file of a store, as hexadecimal digits."""
    state = xxhash.xxh3_128()
    with store.files.opened(path) as source:
        while block := source.read(BLOCK_BYTES):
            state.update(block)
    return state.hexdigest()


def agrees_with(path: Path, identity: str) -> bool | None:
    """Tell whether a raw file has its identity, such as `sha256:0f3…`; None if the identity is not a hash."""
    algorithm, _, value = identity.partition(":")
    if algorithm in ("xxh3", "sha256", "git"):
        known: Any = algorithm
        return hash_file(path, known) == value
    if algorithm in hashlib.algorithms_guaranteed and value:
        with path.open("rb") as source:
            return hashlib.file_digest(source, algorithm).hexdigest() == value
    return None
