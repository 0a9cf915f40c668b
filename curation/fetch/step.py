"""Step `fetch`: download the raw files of every source, and list them with their identities."""

from __future__ import annotations

from typing import Any

from curation.build import Build, Inputs, StepResult
from curation.failures import Failures
from curation.raw_files import IN_PLACE, entries_of, fetch_options, portable
from open_ml_embed.core.errors import FetchError, MissingToolError
from open_ml_embed.core.printing import print_text
from open_ml_embed.core.progress import Progress
from sources.access import Dead
from sources.fetch import fetch, origin_address
from sources.manifest import Manifest
from sources.parts import RawFile


def run_fetch(build: Build, inputs: Inputs) -> StepResult:
    """Fetch all subsets of all sources of the profile.

    A dead source, or one that needs a tool that is not installed, is skipped with a message, also in the report. If a
    source fails, or has no files or only empty ones, the others are still fetched, and then the step fails. Fetched
    files are kept.

    Args:
        build: the profile.
        inputs: of the step.

    Raises:
        RefusedError: some sources failed; the message has a remedy for each.
        RefusedForNowError: the same, and all failures are temporary.

    """
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
                    files_of_subset = {}
                    for subset in manifest.subsets:
                        files_of_subset[subset] = fetch(manifest, subset, options)
                        progress.advance(f"{manifest.name}/{subset}")
                    check_not_empty(manifest, [file for of_subset in files_of_subset.values() for file in of_subset])
                    files[manifest.name] = {
                        name: [portable(f, build) for f in files_of_subset[name]] for name in files_of_subset
                    }
                except MissingToolError as error:
                    result.skipped[manifest.name] = error.what
                    _say(f"skipped {manifest.name}: {error}")
    options.hashes.save()
    result.stats, result.refused = {"files": files}, failures.refused
    # identities of the files as they were read, even if they have changed since
    failed = {name: raw for name, raw in result.made_from["raw"].items() if name in failures.by_name}
    result.made_from["raw"] = failed | _read_in_place(files)
    build.save(result)
    if failures:
        failures.end(of=len(manifests), where=f"profile {build.name}", result=result)
    return result


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


def _say(line: str) -> None:
    print_text(line, error=True)


def _read_in_place(files: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return the files that are read in place, in the form of the step's facts: source → path → identity."""
    identities: dict[str, dict[str, str]] = {}
    for source, _, entry in entries_of(files):
        if entry["path"].startswith(IN_PLACE):
            identities.setdefault(source, {})[entry["path"].removeprefix(IN_PLACE)] = entry["identity"]
    return identities
