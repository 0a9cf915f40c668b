"""Raw files of a build: where they may come from, and the entries that step `fetch` recorded, with local paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curation.build import Build, StepResult, open_hashes
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.names import inside
from sources.fetch import FetchOptions
from sources.lock import read_lock
from sources.parts import RawFile

LOCK = "sources.lock.json"


def lock_path(build: Build) -> Path:
    """Return the path of the lock file. It is next to params.yaml, so that DVC and Git see changes."""
    return build.root / LOCK


def fetch_options(build: Build) -> FetchOptions:
    """Return the fetch options of a build: the folder for raw files, the origins, the lock file and the hash cache."""
    settings = build.profile.sources
    return FetchOptions(
        raw_root=str(build.raw),
        endpoint=settings.endpoint,
        local_root=build.local_root,
        files_per_table=settings.files_per_table,
        lock=read_lock(lock_path(build)),
        hashes=open_hashes(build),
    )


def raw_files(build: Build, fetched: StepResult, source: str, subset: str) -> list[RawFile]:
    """Return the files that `fetch` listed for one subset, with paths on this machine.

    Raises:
        StageError: `fetch` ran before the manifest had this subset, or before the profile had this source.

    """
    if subset not in fetched.stats["files"].get(source, {}):
        raise StageError("was not fetched", where=f"{source}/{subset}", remedy=build.command("curate fetch"))
    return [file_here(entry, build) for entry in fetched.stats["files"][source][subset]]


def listed_files(fetched: StepResult) -> dict[str, dict[str, list[list[str]]]]:
    """Return the files that `fetch` listed: source → subset → [table, name, identity] of each file.

    The rows of a subset depend on these three values only.
    """
    return {
        source: {
            subset: [[entry["table"], entry["name"], entry["identity"]] for entry in entries]
            for subset, entries in subsets.items()
        }
        for source, subsets in fetched.stats["files"].items()
    }


def missing_raw(build: Build, fetched: StepResult, pools: set[tuple[str, str]] | None = None) -> str | None:
    """Return the path of the first downloaded file that is missing or has another size now; None if there is none.

    Args:
        build: the build.
        fetched: the result of step `fetch`.
        pools: check the files of these (source, subset) pairs only; None checks all files.

    """
    entries = (
        entry
        for source, subset, entry in entries_of(fetched.stats["files"])
        if (pools is None or (source, subset) in pools) and not entry["path"].startswith(IN_PLACE)
    )
    first = build.raw_copies.missing(file_here(entry, build) for entry in entries)
    return None if first is None else str(portable(first, build)["path"])


IN_PLACE = "<local_root>/"
"""Prefix of the path of a file that is read in place, below `sources.local_root`."""
DOWNLOADED = "work/raw/"
"""Prefix of the path of a downloaded file, below `Build.raw`."""


def portable(file: RawFile, build: Build) -> dict[str, Any]:
    """Return a file's entry for the step's file, with a path that is the same in every checkout."""
    entry = asdict(file)
    if Path(file.path).is_relative_to(build.raw):
        return entry | {"path": DOWNLOADED + Path(file.path).relative_to(build.raw).as_posix()}
    local = build.root / (build.profile.sources.local_root or "")
    return entry | {"path": IN_PLACE + Path(file.path).relative_to(local).as_posix()}


def file_here(entry: dict[str, Any], build: Build) -> RawFile:
    """Return the file of an entry of the step's file, with its path on this machine."""
    path: str = entry["path"]
    if path.startswith(IN_PLACE):
        here = inside(build.root / (build.profile.sources.local_root or ""), path.removeprefix(IN_PLACE))
    else:
        here = inside(build.raw, path.removeprefix(DOWNLOADED))
    return RawFile(**(entry | {"path": str(here)}))


def entries_of(files: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (source, subset, entry of a file) from the `files` statistics of step `fetch`."""
    for source, subsets in files.items():
        for subset, entries in subsets.items():
            for entry in entries:
                yield source, subset, entry
