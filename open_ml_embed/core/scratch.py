"""Temporary folders that are removed at the end of the block, or by a later process if this one is killed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from open_ml_embed.core.files import HOST, is_alive
from open_ml_embed.core.os_errors import naming

_PREFIX = "ome-"
_LEFT = re.compile(rf"{_PREFIX}[a-z]+-(?P<host>[^./-]+)-(?P<pid>[0-9]+)-")


@contextmanager
def scratch_folder(what: str, root: Path | None = None) -> Iterator[Path]:
    """Yield a new temporary folder; those that killed processes of this machine left are removed first.

    Args:
        what: lower-case word in the folder's name that says what it is for.
        root: the folder to make it in, for what is large; null: that for temporary files.

    """
    folder = make_scratch_folder(what, root)
    try:
        with naming(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_scratch_folder(what: str, root: Path | None = None) -> Path:
    """Make a temporary folder, which the caller removes; see `scratch_folder`."""
    root = root or Path(tempfile.gettempdir())
    _sweep(root)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{what}-{HOST}-{os.getpid()}-", dir=root))


def _sweep(root: Path) -> None:
    for left in root.glob(f"{_PREFIX}*"):
        match = _LEFT.match(left.name)
        if match and match["host"] == HOST and not is_alive(int(match["pid"])):
            shutil.rmtree(left, ignore_errors=True)
