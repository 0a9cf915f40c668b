"""Step `fetch`: bring every source's raw files here, and list them with their identities."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

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
    options = fetch_options(build)
    files: dict[str, dict[str, list[dict[str, Any]]]] = {}
    failed: dict[str, CorpusError] = {}
    result = StepResult("fetch")
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
    result.stats = {"files": files}
    build.save(result)
    return result


def fetch_options(build: Build) -> FetchOptions:
    """Return where a build's files go and may come from, the lock included."""
    chosen = build.profile.sources
    return FetchOptions(
        raw_root=str(build.raw),
        endpoint=chosen.endpoint,
        local_root=chosen.local_root,
        files_per_table=chosen.files_per_table,
        lock=read_lock(lock_path()),
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
        RawFile(**(entry | {"path": str(build.root / entry["path"])}))
        for entry in fetched.stats["files"][source][subset]
    ]


def _portable(file: RawFile, build: Build) -> dict[str, Any]:
    """Write paths inside the checkout relative to it: the step's file is then the same in every checkout."""
    entry = asdict(file)
    return entry | {"path": entry["path"].removeprefix(f"{build.root}/")}
