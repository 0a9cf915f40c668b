"""Raw files: where a build's may come from, and what step `fetch` said of them, with paths as they are here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curation.build import Build, StepResult, open_hashes
from open_ml_embed.core.errors import StageError
from sources.fetch import FetchOptions
from sources.lock import read_lock
from sources.parts import RawFile

LOCK = "sources.lock.json"


def lock_path(build: Build) -> Path:
    """Return where the lock file lies: beside params.yaml, so that DVC and Git see it change."""
    return build.root / LOCK


def fetch_options(build: Build) -> FetchOptions:
    """Return where a build's files go and may come from, the lock included."""
    chosen = build.profile.sources
    return FetchOptions(
        raw_root=str(build.raw),
        endpoint=chosen.endpoint,
        local_root=build.local_root,
        files_per_table=chosen.files_per_table,
        lock=read_lock(lock_path(build)),
        hashes=open_hashes(build),
    )


def raw_files(build: Build, fetched: StepResult, source: str, subset: str) -> list[RawFile]:
    """Return what `fetch` listed for one subset, with paths as they are on this machine.

    Raises:
        StageError: the step was run before the manifest had this subset, or the profile this source.

    """
    if subset not in fetched.stats["files"].get(source, {}):
        raise StageError("was not fetched", where=f"{source}/{subset}", remedy=build.command("curate fetch"))
    return [
        RawFile(**(entry | {"path": str(_on_this_machine(entry["path"], build))}))
        for entry in fetched.stats["files"][source][subset]
    ]


def listed_files(fetched: StepResult) -> dict[str, dict[str, list[list[str]]]]:
    """Return what `fetch` listed, source → subset → (table, name, identity): all that makes rows what they are."""
    return {
        source: {
            subset: [[entry["table"], entry["name"], entry["identity"]] for entry in entries]
            for subset, entries in subsets.items()
        }
        for source, subsets in fetched.stats["files"].items()
    }


def missing_raw(build: Build, fetched: StepResult, pools: set[tuple[str, str]] | None = None) -> str | None:
    """Return the first raw file that was brought here and is here no more, or not as it was; null: none.

    Args:
        build: the profile.
        fetched: what `fetch` listed.
        pools: look at the files of these (source, subset) only.

    """
    for source, subset, entry in entries_of(fetched.stats["files"]):
        if (pools is None or (source, subset) in pools) and not entry["path"].startswith(IN_PLACE):
            path = build.root / entry["path"]
            if not path.is_file() or path.stat().st_size != entry["size"]:
                return str(entry["path"])
    return None


IN_PLACE = "<local_root>/"
"""What the path of a file begins with that is read where it lies, below `sources.local_root`."""


def portable(file: RawFile, build: Build) -> dict[str, Any]:
    """Write paths without those of this machine: the step's file is then the same in every checkout."""
    entry = asdict(file)
    if Path(file.path).is_relative_to(build.raw):
        return entry | {"path": f"work/raw/{Path(file.path).relative_to(build.raw).as_posix()}"}
    local = build.root / (build.profile.sources.local_root or "")
    return entry | {"path": IN_PLACE + Path(file.path).relative_to(local).as_posix()}


def _on_this_machine(path: str, build: Build) -> Path:
    if path.startswith(IN_PLACE):
        return build.root / (build.profile.sources.local_root or "") / path.removeprefix(IN_PLACE)
    return build.root / path


def entries_of(files: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (source, subset, file as the step's file has it)."""
    for source, subsets in files.items():
        for subset, entries in subsets.items():
            for entry in entries:
                yield source, subset, entry
