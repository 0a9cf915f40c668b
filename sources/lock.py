"""The lock file: the commit of every Hub revision, and size and hash of the files that manifests take from it.

It is one sorted JSON file, written by `curate lock`. A rebuild with it reads the same bytes as the previous build, even
if a branch has changed since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from open_ml_embed.core.errors import FetchError, SettingsError
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.json_text import loads

VERSION = 1
REMEDY = "run `curate lock` to accept what is there now, or restore the lock file"


@dataclass(frozen=True)
class Locked:
    """One locked revision of one repository.

    Attributes:
        commit: 40 hexadecimal digits.
        files: the files that manifests take: name → (bytes, ``sha256:…`` of large files or ``git:…`` object id).

    """

    commit: str
    files: Mapping[str, tuple[int, str]]

    def joined(self, other: Locked | None) -> Locked:
        """Return this entry with the files of another one as well, if both are of one commit.

        Several sources can take files of one repository, and a commit never changes. If the commits differ, the other
        files are not those of this commit, and this entry is returned unchanged.
        """
        if other is None or other.commit != self.commit:
            return self
        return Locked(self.commit, {**other.files, **self.files})

    def differs(self, other: Locked | None) -> bool:
        """Tell whether another entry is of another commit, or lacks files of this one."""
        return other is None or other.commit != self.commit or not self.files.items() <= other.files.items()

    def check(self, name: str, size: int, identity: str, where: str) -> None:
        """Check that a file is the locked one.

        Raises:
            FetchError: the lock does not list the file, or lists it with other content.

        """
        locked = self.files.get(name)
        if locked is None:
            raise FetchError(f"{name} is not in the lock", where=where, remedy=REMEDY)
        if locked != (size, identity):
            raise FetchError(
                f"{name} is not what was locked: {identity} of {size} bytes, locked {locked[1]} of {locked[0]} bytes",
                where=where,
                remedy=REMEDY,
            )


@dataclass(frozen=True, eq=False)
class Lock:
    """All locked revisions, by repository and revision as manifests name them."""

    revisions: Mapping[tuple[str, str], Locked] = field(default_factory=dict)

    def find(self, repo: str, ref: str) -> Locked:
        """Return the lock entry of a revision.

        Raises:
            FetchError: the lock has no entry for it.

        """
        locked = self.revisions.get((repo, ref))
        if locked is None:
            raise FetchError("not in the lock", where=f"{repo} at {ref}", remedy="run `curate lock` to add it")
        return locked


def read_lock(path: Path) -> Lock | None:
    """Read a lock file; return None if it does not exist.

    Raises:
        SettingsError: the file is not a lock file of this version.

    """
    try:
        data = loads(path.read_text("utf-8"))
        if data["version"] != VERSION:
            raise ValueError(f"version {data['version']}, this program reads {VERSION}")
        return Lock(
            {
                (entry["repo"], entry["ref"]): Locked(
                    entry["commit"], {name: _file(stated) for name, stated in entry["files"].items()}
                )
                for entry in data["repositories"]
            }
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"not a lock file: {error}", where=str(path), remedy="run `curate lock` again") from None


def write_lock(path: Path, revisions: Mapping[tuple[str, str], Locked]) -> None:
    """Write a lock file: sorted, one line per raw file, so that upstream changes are readable as a diff."""
    data = {
        "version": VERSION,
        "repositories": [
            {
                "repo": repo,
                "ref": ref,
                "commit": locked.commit,
                "files": {name: f"{identity} {size}" for name, (size, identity) in sorted(locked.files.items())},
            }
            for (repo, ref), locked in sorted(revisions.items())
        ],
    }
    write_whole(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n")


def _file(text: str) -> tuple[int, str]:
    identity, size = text.split(" ")
    return int(size), identity
