"""The version of this program."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """Return the installed version; `0+unknown` in a checkout that nobody installed."""
    try:
        return metadata.version("open-ml-embed")
    except metadata.PackageNotFoundError:
        return "0+unknown"
