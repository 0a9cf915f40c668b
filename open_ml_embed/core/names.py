"""Names that become paths: a name is one plain component, and a relative path never leaves its folder."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from open_ml_embed.core.errors import InvalidInputError

LONGEST = 100
"""Most characters of a name; file systems take 255 bytes for a component, and tables add suffixes."""
LONGEST_COMPONENT = 255
"""Most bytes of one component of a path on common file systems."""
NAME = rf"^[A-Za-z0-9][A-Za-z0-9_.+-]{{0,{LONGEST - 1}}}$"
"""Pattern of the names of subsets, profiles and mixes."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


def check_name(name: str) -> str:
    """Return a name that may be a component of a path.

    Raises:
        ValueError: it is empty, too long, or has a character that a name may not have.

    >>> check_name("train_en.2")
    'train_en.2'

    """
    if not re.fullmatch(NAME, name):
        raise ValueError(
            f"{name[:LONGEST]!r} is no name: at most {LONGEST} letters, digits, '_', '.', '+' and '-', the first one a "
            "letter or digit"
        )
    return name


def check_inside(path: str) -> str:
    """Return a path (or a glob) that stays inside the folder that it is joined to.

    Raises:
        ValueError: it is empty or absolute, goes up by `..`, or has control characters or backslashes.

    >>> check_inside("data/*/train.parquet")
    'data/*/train.parquet'

    """
    pure = PurePosixPath(path)
    if not path or _CONTROL.search(path) or pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f"{path!r} does not stay in its folder: give a relative path without '..'")
    return path


def inside(root: Path, *parts: str) -> Path:
    """Join names and relative paths, of anyone, to a folder: the one way in which they become paths.

    Args:
        root: the folder.
        parts: names of servers, manifests and records; each may have several components.

    Raises:
        InvalidInputError: one of them would lead out of the folder, or no file system takes it.

    >>> inside(Path("work/raw"), "owner/name", "data/a.jsonl").as_posix()
    'work/raw/owner/name/data/a.jsonl'

    """
    for part in parts:
        try:
            check_inside(part)
        except ValueError as error:
            raise InvalidInputError(str(error), where=str(root), remedy="correct the name where it stands") from None
        longest = max(len(os.fsencode(component)) for component in PurePosixPath(part).parts or ("",))
        if longest > LONGEST_COMPONENT:
            raise InvalidInputError(
                f"a name of {longest} bytes is too long: {part[:40]!r}…", where=str(root), remedy="shorten it"
            )
    return root.joinpath(*parts)


def check_path(path: str) -> str:
    """Return a path that may be absolute, but does not go up by `..`.

    Raises:
        ValueError: it is empty, goes up, or has control characters or backslashes.

    """
    return "/" + check_inside(path.lstrip("/")) if path.startswith("/") else check_inside(path)


def check_value(value: str) -> str:
    """Return a value that may be filled into a path: without a component `..`, and without NUL.

    Raises:
        ValueError: it could lead out of a folder.

    """
    if ".." in PurePosixPath(value).parts or "\0" in value:
        raise ValueError(f"{value!r} could lead out of a folder: write it without '..'")
    return value
