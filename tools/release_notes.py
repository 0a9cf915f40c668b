"""Prints the notes of a release from CHANGELOG.md: `python -m tools.release_notes v0.2.0`."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def notes(tag: str, root: Path = ROOT) -> str:
    """Return the section of the changelog for a tag.

    Raises:
        SystemExit: the tag is not the version of pyproject.toml, or the changelog has no section for it.

    """
    version = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    if tag != f"v{version}":
        sys.exit(f"{tag} is not v{version}, the version of pyproject.toml; change that, or tag v{version}")
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    found = re.search(rf"^## {re.escape(version)}\b[^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        sys.exit(f"CHANGELOG.md has no section `## {version}`; rename `## Unreleased` to it, with the date")
    return found[1].strip() + "\n"


if __name__ == "__main__":
    print(notes(sys.argv[1]), end="")
