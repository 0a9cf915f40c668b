"""`curate probe`: read the first records of all raw files before a long download, and keep the results for `plan`.

The result of a source is stored in `work/probe/<source>.json`. It is used as long as manifest, endpoint, folders and
lock are the same. Failed sources are probed again every time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.build import Build
from curation.failures import Failures
from curation.raw_files import fetch_options
from open_ml_embed.core.errors import FetchError, TransientError
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.json_text import loads
from open_ml_embed.core.progress import Progress
from sources.fetch import check_client
from sources.manifest import Manifest

if TYPE_CHECKING:
    from sources.fetch import FetchOptions
    from sources.probing.probe import Probe

THREADS = 8
"""Default number of concurrent requests; the threads wait for servers, so it does not depend on the cores."""
VERDICTS = ("failed", "warning", "ok")
"""Verdicts on a source, the worst first."""
_READ_BY_PROBE = {"name", "family", "origin", "tables", "where", "shape", "clean", "subsets", "access"}


@dataclass(frozen=True)
class Kept:
    """The stored result of a probe of one source.

    Attributes:
        key: hash of what the result depends on; with another key, `curate probe` does not use it.
        manifest: digest of the manifest; with another manifest, no command uses the result.
        found: the result, as in `sources.probing.probe.Probe.as_json`.

    """

    key: str
    manifest: str
    found: dict[str, Any]

    @property
    def verdict(self) -> str:
        """Return `ok`, `warning` or `failed`."""
        return str(self.found["verdict"])


@dataclass
class Probed:
    """The result of `curate probe`.

    Attributes:
        profile: name of the profile.
        sources: result of each source, the worst first.
        anew: sources that were probed in this run; the results of the others are from earlier runs.

    """

    profile: str
    sources: list[dict[str, Any]]
    anew: list[str] = field(default_factory=list)


def manifest_digest(manifest: Manifest) -> str:
    """Hash the parts of a manifest that a probe depends on."""
    data = manifest.model_dump(mode="json", include=_READ_BY_PROBE)
    for subset in data["subsets"].values():
        del subset["samples"]
    return digest(data)


def chosen_sources(build: Build, names: Iterable[str]) -> list[Manifest]:
    """Return the named sources, which need not be in the profile; without names, all sources of the profile.

    Raises:
        UnknownNameError: a source does not exist.

    """
    unique_names = sorted(set(names))
    return [build.manifest(name) for name in unique_names] if unique_names else build.manifests()


def kept_probe(build: Build, manifest: Manifest) -> Kept | None:
    """Return the stored result of a probe with the current manifest; null if there is none."""
    from sources.probing.probe import VERSION

    try:
        data = loads(_cache_path(build, manifest.name).read_text("utf-8"))
        kept = Kept(data["key"], data["manifest"], data["found"])
        current = data["version"] == VERSION and kept.manifest == manifest_digest(manifest)
        return kept if current and kept.verdict in VERDICTS else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def unprobed_sources(build: Build, manifests: Sequence[Manifest], *, again: bool = False) -> list[Manifest]:
    """Return the sources that must be probed: those without a valid stored result, and failed ones."""
    options = fetch_options(build)
    return [
        manifest for manifest in manifests if again or not _is_valid(kept_probe(build, manifest), manifest, options)
    ]


def run_probe(build: Build, names: Iterable[str] = (), *, again: bool = False, threads: int = 0) -> Probed:
    """Probe sources concurrently, and store the results.

    Args:
        build: the profile.
        names: of sources; none: all sources of the profile.
        again: ignore stored results.
        threads: concurrent requests; 0: `THREADS`.

    Raises:
        ProbeFailedError: sources failed; the error has the results of all.
        ProbeFailedForNowError: the same, and all failures are temporary.
        UnknownNameError: a source does not exist.
        MissingPackageError: a source needs a package that is not installed.

    """
    from sources.probing.probe import probe

    manifests = chosen_sources(build, names)
    options = fetch_options(build)
    todo = unprobed_sources(build, manifests, again=again)
    if options.local_root is None:
        for manifest in todo:
            check_client(manifest)
    failures = Failures("probe", "sources", "probed")
    results = {m.name: kept.found for m in manifests if m not in todo and (kept := kept_probe(build, m))}
    num_threads = threads or THREADS
    # Two pools avoid a deadlock: the task of a source waits for the tasks of its files.
    with (
        Progress("probe", total=len(manifests), done=len(manifests) - len(todo)) as progress,
        ThreadPoolExecutor(num_threads, "probe-file") as files,
        ThreadPoolExecutor(num_threads, "probe-source") as sources,
    ):
        jobs: dict[Future[Probe], Manifest] = {sources.submit(probe, m, options, files): m for m in todo}
        try:
            for job in as_completed(jobs):
                manifest = jobs[job]
                with failures.of(manifest.name):
                    results[manifest.name] = job.result().as_json()
                    _save(build, manifest, options, results[manifest.name])
                progress.advance(manifest.name)
        except BaseException:
            sources.shutdown(wait=False, cancel_futures=True)
            files.shutdown(wait=False, cancel_futures=True)
            raise
    result = Probed(build.name, sorted(results.values(), key=_rank), [m.name for m in todo])
    _end(result, failures, of=len(manifests), where=f"profile {build.name}")
    return result


class ProbeFailedError(FetchError):
    """Some sources failed.

    Attributes:
        result: the results of all sources.

    """

    result: Probed


class ProbeFailedForNowError(TransientError):
    """Some sources failed, and all failures are temporary.

    Attributes:
        result: the results of all sources.

    """

    result: Probed


def _end(result: Probed, failures: Failures, *, of: int, where: str) -> None:
    """Raise one error if a source failed; an exception in the program itself is raised as it is."""
    failed = [source for source in result.sources if source["verdict"] == "failed"]
    if failures:
        failures.end(of=of, where=where)
    if not failed:
        return
    all_transient = all(source["transient"] for source in failed)
    lines = "".join(f"\n    {source['source']}: {worst(source)}" for source in failed)
    error = (ProbeFailedForNowError if all_transient else ProbeFailedError)(
        f"{len(failed)} of {of} sources failed: {', '.join(source['source'] for source in failed)}{lines}",
        where=where,
        remedy="try again later" if all_transient else "mend what is named above, or leave it out (`sources.exclude`)",
    )
    error.result = result
    raise error


def worst(source: dict[str, Any]) -> str:
    """Describe the first failure of a source, and count the others."""
    first, *more = [finding for finding in source["findings"] if finding["level"] == "failed"]
    more_failures = f" (and {len(more)} more)" if more else ""
    remedy = f"\n      remedy: {first['remedy']}" if first["remedy"] else ""
    return (
        f"{first['where']}: {first['what']}{more_failures}{remedy}"
        if first["where"]
        else f"{first['what']}{more_failures}{remedy}"
    )


def _rank(source: dict[str, Any]) -> tuple[int, int, str]:
    levels = [finding["level"] for finding in source["findings"]]
    return (VERDICTS.index(source["verdict"]), -levels.count(source["verdict"]), source["source"])


def _cache_path(build: Build, source: str) -> Path:
    return build.local_work / "probe" / f"{source}.json"


def _key(manifest: Manifest, options: FetchOptions) -> str:
    """Hash what the result of a probe depends on, except the content of the origin."""
    return digest(
        [
            manifest_digest(manifest),
            options.endpoint,
            options.local_root,
            options.files_per_table,
            locked_commits(manifest, options),
        ]
    )


def locked_commits(manifest: Manifest, options: FetchOptions) -> dict[str, str | None]:
    """Return revision → locked commit of a source, null for revisions that are not locked; empty without a lock."""
    if options.lock is None or manifest.origin.kind != "hub":
        return {}
    from sources.fetch.hub import revisions_of

    commits = options.lock.revisions
    return {
        f"{repo} at {ref}": commits[repo, ref].commit if (repo, ref) in commits else None
        for subset in manifest.subsets
        for repo, ref in revisions_of(manifest.bound(subset))
    }


def _is_valid(kept: Kept | None, manifest: Manifest, options: FetchOptions) -> bool:
    return kept is not None and kept.verdict != "failed" and kept.key == _key(manifest, options)


def _save(build: Build, manifest: Manifest, options: FetchOptions, found: dict[str, Any]) -> None:
    """Store the result of a source atomically."""
    from sources.probing.probe import VERSION

    path = _cache_path(build, manifest.name)
    data = {
        "version": VERSION,
        "key": _key(manifest, options),
        "manifest": manifest_digest(manifest),
        "found": found,
    }
    write_whole(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n")
