"""Step `fetch`: bring every source's raw files here, and list them with their identities."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curation.build import Build, StepResult
from curation.fetch.lock import lock_path
from curation.pipeline.dependencies import open_hashes
from curation.pipeline.failures import Failures
from open_ml_embed.core.errors import FetchError, MissingToolError, StageError
from open_ml_embed.core.progress import Progress
from sources.access import Dead
from sources.fetch import FetchOptions, fetch, origin_address
from sources.lock import read_lock
from sources.manifest import Manifest
from sources.parts import RawFile


def run_fetch(build: Build) -> StepResult:
    """Fetch all subsets of all sources of the profile.

    A source that is dead, or whose tool this machine lacks, is skipped with a line here and in the report. A source
    that fails in whatever way, or has no file or only empty ones, does not keep the others from being fetched, but
    ends the step after them; what was fetched stays.

    Raises:
        RefusedError: sources could not be had; it says what to do for each.
        RefusedForNowError: the same, and it may pass by itself for all of them.

    """
    inputs = build.inputs("fetch")
    options = fetch_options(build)
    files: dict[str, dict[str, list[dict[str, Any]]]] = {}
    failures = Failures("fetch", "sources", "fetched")
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
            with failures.of(manifest.name):
                try:
                    found = {}
                    for subset in manifest.subsets:
                        found[subset] = fetch(manifest, subset, options)
                        progress.advance(f"{manifest.name}/{subset}")
                    check_not_empty(manifest, [file for of_subset in found.values() for file in of_subset])
                    files[manifest.name] = {name: [_portable(f, build) for f in found[name]] for name in found}
                except MissingToolError as error:
                    result.skipped[manifest.name] = error.what
                    _say(f"skipped {manifest.name}: {error}")
    options.hashes.save()
    result.stats, result.refused = {"files": files}, failures.refused
    # of what was read as it was then, whatever has happened to it since
    failed = {name: raw for name, raw in result.made_from["raw"].items() if name in failures.by_name}
    result.made_from["raw"] = failed | _read_in_place(files)
    build.save(result)
    if failures:
        failures.end(of=len(manifests), where=f"profile {build.name}", result=result)
    return result


def check_not_empty(manifest: Manifest, files: list[RawFile]) -> None:
    """Refuse a source of which there is nothing to read. (One subset without a file may be: a language apt has not.)

    Raises:
        FetchError: no file of some table, or no byte in any file.

    """
    for name, table in manifest.tables.items():
        if not any(file.table == name for file in files):
            raise FetchError(
                f"no file of table {name!r}: nothing matches {' or '.join(table.files)} in any subset",
                where=manifest.name,
                remedy=f"correct `files` in the manifest; the files come from {origin_address(manifest)}",
            )
    if not any(file.size for file in files):
        raise FetchError(
            f"all {len(files)} files are empty: {', '.join(file.name for file in files[:3])}",
            where=manifest.name,
            remedy=f"put whole files there, or pin a revision that has them; they come from {origin_address(manifest)}",
        )


def fetch_options(build: Build) -> FetchOptions:
    """Return where a build's files go and may come from, the lock included."""
    chosen = build.profile.sources
    return FetchOptions(
        raw_root=str(build.raw),
        endpoint=chosen.endpoint,
        local_root=build.local_root,
        files_per_table=chosen.files_per_table,
        lock=read_lock(lock_path()),
        hashes=open_hashes(build),
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


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
    """Return the files that are read where they lie, as the step's facts have them: source → path → identity."""
    found: dict[str, dict[str, str]] = {}
    for source, _, entry in _entries(files):
        if entry["path"].startswith(IN_PLACE):
            found.setdefault(source, {})[entry["path"].removeprefix(IN_PLACE)] = entry["identity"]
    return found
