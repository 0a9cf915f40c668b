"""Step `fetch`: bring every source's raw files here, and list them with their identities."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from curation.progress import Progress
from curation.steps import Build, StepResult
from sources.errors import MissingToolError
from sources.fetch import FetchOptions, fetch
from sources.parts import RawFile


def run_fetch(build: Build) -> StepResult:
    """Fetch all subsets of all sources of the profile.

    A source whose tool this machine lacks is skipped with a line here and in the report; any other failure ends
    the step, and what was fetched stays.
    """
    chosen = build.profile.sources
    options = FetchOptions(
        raw_root=str(build.raw),
        endpoint=chosen.endpoint,
        local_root=chosen.local_root,
        files_per_table=chosen.files_per_table,
    )
    files: dict[str, dict[str, list[dict[str, Any]]]] = {}
    result = StepResult("fetch")
    manifests = build.manifests()
    with Progress("fetch", total=sum(len(m.subsets) for m in manifests)) as progress:
        for manifest in manifests:
            try:
                for subset in manifest.subsets:
                    found = fetch(manifest, subset, options)
                    files.setdefault(manifest.name, {})[subset] = [_portable(f, build) for f in found]
                    progress.advance(f"{manifest.name}/{subset}")
            except MissingToolError as error:
                files.pop(manifest.name, None)
                result.skipped[manifest.name] = error.what
                print(f"skipped {manifest.name}: {error}", file=sys.stderr)
    result.stats = {"files": files}
    build.save(result)
    return result


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
