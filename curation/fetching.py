"""Step `fetch`: bring every source's raw files here, and list them with their identities."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curation.facts import open_hashes
from curation.locking import lock_path
from curation.progress import Progress
from curation.steps import Build, StepResult
from sources.access import Dead
from sources.errors import CorpusError, FetchError, MissingToolError, StageError, TransientError
from sources.fetch import FetchOptions, fetch
from sources.lock import read_lock
from sources.parts import RawFile


def run_fetch(build: Build) -> StepResult:
    """Fetch all subsets of all sources of the profile.

    A source that is dead, or whose tool this machine lacks, is skipped with a line here and in the report. A source
    that fails does not keep the others from being fetched, but ends the step after them; what was fetched stays.

    Raises:
        StageError: sources could not be had; the lines before it say what to do for each.
        TransientError: the same, and it may pass by itself for all of them.

    """
    inputs = build.inputs("fetch")
    options = fetch_options(build)
    files: dict[str, dict[str, list[dict[str, Any]]]] = {}
    failed: dict[str, CorpusError] = {}
    result = inputs.result()
    manifests = build.manifests()
    if options.lock is None and any(m.origin.kind == "hub" for m in manifests):
        _say("warning: no lock file, so branches are read as they are now; `curate lock` makes a rebuild repeatable")
    with Progress("fetch", total=sum(len(m.subsets) for m in manifests)) as progress:
        for manifest in manifests:
            if isinstance(manifest.access, Dead):
                result.skipped[manifest.name] = f"its origin is gone; {manifest.access.replaced_by} takes its place"
                _say(f"skipped {manifest.name}: {result.skipped[manifest.name]}")
                continue
            try:
                for subset in manifest.subsets:
                    found = fetch(manifest, subset, options)
                    files.setdefault(manifest.name, {})[subset] = [_portable(f, build) for f in found]
                    progress.advance(f"{manifest.name}/{subset}")
            except MissingToolError as error:
                files.pop(manifest.name, None)
                result.skipped[manifest.name] = error.what
                _say(f"skipped {manifest.name}: {error}")
            except (FetchError, TransientError) as error:
                failed[manifest.name] = error
                _say(f"failed {manifest.name}: {error}")
    if failed:
        raise _together(failed, build)
    options.hashes.save()
    result.stats = {"files": files}
    result.made_from["raw"] = _read_in_place(files)  # as they were read, whatever has happened to them since
    build.save(result)
    return result


def fetch_options(build: Build) -> FetchOptions:
    """Return where a build's files go and may come from, the lock included."""
    chosen = build.profile.sources
    return FetchOptions(
        raw_root=str(build.raw),
        endpoint=chosen.endpoint,
        local_root=None if chosen.local_root is None else str(build.root / chosen.local_root),
        files_per_table=chosen.files_per_table,
        lock=read_lock(lock_path()),
        hashes=open_hashes(build),
    )


def _together(failed: dict[str, CorpusError], build: Build) -> CorpusError:
    """Make one error of several sources'; a single one speaks for itself."""
    if len(failed) == 1:
        return next(iter(failed.values()))
    passing = all(isinstance(error, TransientError) for error in failed.values())
    return (TransientError if passing else StageError)(
        f"{len(failed)} sources could not be fetched: {', '.join(failed)}",
        where=f"profile {build.name}",
        remedy="see the line on each above; put them right, or leave them out with `sources.exclude`",
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def raw_files(build: Build, fetched: StepResult, source: str, subset: str) -> list[RawFile]:
    """Return what `fetch` listed for one subset, with paths as they are on this machine."""
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
    for source, subset, entry in _entries(fetched.stats["files"]):
        if (pools is None or (source, subset) in pools) and not entry["path"].startswith(IN_PLACE):
            path = build.root / entry["path"]
            if not path.is_file() or path.stat().st_size != entry["size"]:
                return str(entry["path"])
    return None


IN_PLACE = "<local_root>/"
"""What the path of a file begins with that is read where it lies, below `sources.local_root`."""


def _portable(file: RawFile, build: Build) -> dict[str, Any]:
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


def _entries(files: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for source, subsets in files.items():
        for subset, entries in subsets.items():
            for entry in entries:
                yield source, subset, entry


def _read_in_place(files: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return the files that are read where they lie as `curation.facts` has them: source → path → identity."""
    found: dict[str, dict[str, str]] = {}
    for source, _, entry in _entries(files):
        if entry["path"].startswith(IN_PLACE):
            found.setdefault(source, {})[entry["path"].removeprefix(IN_PLACE)] = entry["identity"]
    return found
