"""How the address of a folder in an object store is told from a path: `s3://bucket/folder`."""

from __future__ import annotations

SEPARATOR = "://"


def is_remote(address: str) -> bool:
    """Tell whether an address is in an object store."""
    return SEPARATOR in address
