"""The version of this program, and the commit of its code where it runs from a checkout."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path


def version() -> str:
    """Return the installed version; `0+unknown` in a checkout that nobody installed."""
    try:
        return metadata.version("open-ml-embed")
    except metadata.PackageNotFoundError:
        return "0+unknown"


@cache
def code_commit() -> str | None:
    """Return the git commit of the code that runs, with `-dirty` if files of it have changed since.

    Null if the program is installed without its repository. A repository that only contains the folder of an
    installation, as a project with its own `.venv`, is not the program's.
    """
    here = Path(__file__).resolve()
    if git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    return git(here.parent, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")


def git(folder: Path, *arguments: str) -> str | None:
    """Return what a git command prints about a folder; null if it fails, or there is no git."""
    command = ["git", "-C", str(folder), *arguments]
    quiet = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20, env=quiet)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
