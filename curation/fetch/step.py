"""Step `fetch`: download the raw files of every source, and list them with their identities."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import Any

from curation.build import Build, Inputs, StepResult
from curation.failures import Failures
from curation.raw_copies import RawCopies
from curation.raw_files import IN_PLACE, entries_of, fetch_options, portable
from open_ml_embed.core.errors import CorpusError, FetchError, MissingPackageError, MissingToolError
from open_ml_embed.core.printing import say
from open_ml_embed.core.progress import ByteProgress
from sources.access import Dead
from sources.fetch import FetchOptions, begin, origin_address
from sources.fetch.transfers import Begun, Limits, Transfers
from sources.manifest import Manifest
from sources.parts import RawFile

SOURCES_AT_ONCE = 16
"""Sources whose files are listed and awaited at once. Hosts have limits of their own (`sources.fetch.transfers`)."""


def run_fetch(build: Build, inputs: Inputs) -> StepResult:
    """Fetch all subsets of all sources of the profile, several files at once.

    A dead source, or one that needs a tool that is not installed, is skipped with a message, also in the report. If a
    source fails, or has no files or only empty ones, the others are still fetched, and then the step fails, unless the
    profile allows that this source is missing (`sources.allow_missing`). Fetched files are kept.

    Args:
        build: the profile.
        inputs: of the step.

    Raises:
        RefusedError: some sources failed; the message has a remedy for each.
        RefusedForNowError: the same, and all failures are temporary.

    """
    failures = Failures("fetch", "sources", "fetched")
    result = inputs.result()
    manifests = build.manifests()
    chosen = fetch_options(build)
    if chosen.lock is None and any(m.origin.kind == "hub" for m in manifests):
        say("warning: no lock file, so branches are read as they are now; `curate lock` makes a rebuild repeatable")
    skipped: dict[str, str] = {}
    living = []
    for manifest in manifests:
        if isinstance(manifest.access, Dead):
            skipped[manifest.name] = f"its origin is gone; {manifest.access.replaced_by} takes its place"
            say(f"skipped {manifest.name}: {skipped[manifest.name]}")
        else:
            living.append(manifest)
    files: dict[str, dict[str, list[dict[str, Any]]]] = {}
    with ByteProgress("fetch", total=sum(len(m.subsets) for m in manifests)) as progress:
        options = replace(chosen, transfers=_transfers(build, progress))
        for name, fetched in _fetched(living, options, progress, build.raw_copies):
            if isinstance(fetched, dict):
                files[name] = {subset: [portable(f, build) for f in fetched[subset]] for subset in fetched}
            elif isinstance(fetched, MissingToolError):
                skipped[name] = fetched.what
                say(f"skipped {name}: {fetched}")
            elif isinstance(fetched, CorpusError) and name in build.profile.sources.allow_missing:
                skipped[name] = f"it could not be fetched: {fetched.what}"
                say(f"skipped {name}, as `sources.allow_missing` allows: {fetched}")
            else:
                failures.add(name, fetched)
    options.hashes.save()
    files = {manifest.name: files[manifest.name] for manifest in manifests if manifest.name in files}
    result.skipped |= dict(sorted(skipped.items()))
    result.stats, result.refused = {"files": files}, failures.refused
    # identities of the files as they were read, even if they have changed since
    failed = {name: raw for name, raw in result.made_from["raw"].items() if name in failures.by_name}
    result.made_from["raw"] = failed | _read_in_place(files)
    build.save(result)
    if failures:
        failures.end(of=len(manifests), where=f"profile {build.name}", result=result)
    return result


Files = dict[str, list[RawFile]]
"""Subset → its files."""


def _transfers(build: Build, progress: ByteProgress) -> Transfers:
    settings = build.profile.sources
    return Transfers(Limits(settings.hub_connections, settings.url_connections), progress, at_once=True)


def _fetched(
    manifests: list[Manifest], options: FetchOptions, progress: ByteProgress, copies: RawCopies
) -> Iterator[tuple[str, Files | Exception]]:
    """Yield the files of each source, or its exception, in the order in which they end.

    Raises:
        MissingPackageError: a Python package is missing, which other sources may need too.

    """
    with ThreadPoolExecutor(SOURCES_AT_ONCE, thread_name_prefix="source") as pool:
        running = {
            pool.submit(_fetch_source, manifest, options, progress, copies): manifest.name for manifest in manifests
        }
        try:
            for future in as_completed(running):
                error = future.exception()
                if isinstance(error, MissingPackageError) or (error and not isinstance(error, Exception)):
                    raise error
                yield running[future], error if isinstance(error, Exception) else future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            options.transfers.stop()
            raise
        options.transfers.close()


def _fetch_source(manifest: Manifest, options: FetchOptions, progress: ByteProgress, copies: RawCopies) -> Files:
    """Start all subsets, then wait for each; if one fails, give up what has not begun of the others."""
    begun: dict[str, Begun[list[RawFile]]] = {}
    try:
        for subset in manifest.subsets:
            begun[subset] = begin(manifest, subset, options)
        files: Files = {}
        for subset, files_of_subset in begun.items():
            files[subset] = files_of_subset.result()
            copies.upload(files[subset])
            progress.advance(f"{manifest.name}/{subset}")
    finally:
        for files_of_subset in begun.values():
            files_of_subset.cancel()
    check_not_empty(manifest, [file for of_subset in files.values() for file in of_subset])
    return files


def check_not_empty(manifest: Manifest, files: list[RawFile]) -> None:
    """Refuse a source without content. A single subset may have no files, as a language that apt does not have.

    Args:
        manifest: of the source.
        files: of all its subsets.

    Raises:
        FetchError: a table has no file, or all files are empty.

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


def _read_in_place(files: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return the files that are read in place, in the form of the step's facts: source → path → identity."""
    identities: dict[str, dict[str, str]] = {}
    for source, _, entry in entries_of(files):
        if entry["path"].startswith(IN_PLACE):
            identities.setdefault(source, {})[entry["path"].removeprefix(IN_PLACE)] = entry["identity"]
    return identities
