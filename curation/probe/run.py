"""`curate probe`: look at the heads of all raw files before a long download, and keep what was found for `plan`.

What was found of a source is kept in `work/probe/<source>.json` and counts as long as manifest, endpoint, folders and
lock are the same. What failed is probed again every time.
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
from open_ml_embed.core.progress import Progress
from sources import registry
from sources.manifest import Manifest

if TYPE_CHECKING:
    from sources.fetch import FetchOptions
    from sources.probing.probe import Probe

THREADS = 8
"""Requests at once where nobody says how many: threads that wait for servers, not for cores."""
VERDICTS = ("failed", "warning", "ok")
"""Worst first."""
_READ_BY_PROBE = {"name", "family", "origin", "tables", "where", "shape", "clean", "subsets", "access"}


@dataclass(frozen=True)
class Kept:
    """What a probe found of a source, as it is kept.

    Attributes:
        key: what it was found from; another key, and it does not count for `curate probe`.
        manifest: digest of the manifest; another manifest, and it counts for nobody.
        found: as `sources.probing.probe.Probe.as_json`.

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
    """What `curate probe` found.

    Attributes:
        profile: whose settings it was run under.
        sources: what was found of each, worst first.
        anew: sources that were probed now; the others were kept from before.

    """

    profile: str
    sources: list[dict[str, Any]]
    anew: list[str] = field(default_factory=list)


def manifest_digest(manifest: Manifest) -> str:
    """Hash what of a manifest decides what a probe finds."""
    data = manifest.model_dump(mode="json", include=_READ_BY_PROBE)
    for subset in data["subsets"].values():
        del subset["samples"]
    return digest(data)


def chosen_sources(build: Build, names: Iterable[str]) -> list[Manifest]:
    """Return the named sources, be they of the profile or not, or all of the profile's.

    Raises:
        UnknownNameError: there is no such source.

    """
    wanted = sorted(set(names))
    return [registry.load(name) for name in wanted] if wanted else build.manifests()


def kept_probe(build: Build, manifest: Manifest) -> Kept | None:
    """Return what an earlier probe found of a source as its manifest is now; null where there is nothing."""
    from sources.probing.probe import VERSION

    try:
        said = json.loads(_place(build, manifest.name).read_text("utf-8"))
        kept = Kept(said["key"], said["manifest"], said["found"])
        current = said["version"] == VERSION and kept.manifest == manifest_digest(manifest)
        return kept if current and kept.verdict in VERDICTS else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def unprobed_sources(build: Build, manifests: Sequence[Manifest], *, again: bool = False) -> list[Manifest]:
    """Return the sources that a probe would look at: those of which nothing is kept that counts, or that failed."""
    options = fetch_options(build)
    return [manifest for manifest in manifests if again or not _counts(kept_probe(build, manifest), manifest, options)]


def run_probe(build: Build, names: Iterable[str] = (), *, again: bool = False, threads: int = 0) -> Probed:
    """Probe sources, several at once, and keep what is found.

    Args:
        build: the profile.
        names: of sources; none: all of the profile's.
        again: do not use what was found before.
        threads: requests at once; 0: `THREADS`.

    Raises:
        ProbeFailedError: sources failed; it has what was found.
        ProbeFailedForNowError: the same, and it may pass by itself for all of them.
        UnknownNameError: there is no such source.

    """
    from sources.probing.probe import probe

    manifests = chosen_sources(build, names)
    options = fetch_options(build)
    todo = unprobed_sources(build, manifests, again=again)
    failures = Failures("probe", "sources", "probed")
    found = {m.name: kept.found for m in manifests if m not in todo and (kept := kept_probe(build, m))}
    number = threads or THREADS
    # Two pools: a source waits for the heads of its files, which wait for nobody.
    with (
        Progress("probe", total=len(manifests), done=len(manifests) - len(todo)) as progress,
        ThreadPoolExecutor(number, "probe-file") as files,
        ThreadPoolExecutor(number, "probe-source") as sources,
    ):
        jobs: dict[Future[Probe], Manifest] = {sources.submit(probe, m, options, files): m for m in todo}
        try:
            for job in as_completed(jobs):
                manifest = jobs[job]
                with failures.of(manifest.name):
                    found[manifest.name] = job.result().as_json()
                    _keep(build, manifest, options, found[manifest.name])
                progress.advance(manifest.name)
        except BaseException:
            sources.shutdown(wait=False, cancel_futures=True)
            files.shutdown(wait=False, cancel_futures=True)
            raise
    result = Probed(build.name, sorted(found.values(), key=_rank), [m.name for m in todo])
    _end(result, failures, of=len(manifests), where=f"profile {build.name}")
    return result


class ProbeFailedError(FetchError):
    """Sources cannot be used as they are.

    Attributes:
        result: what was found of all.

    """

    result: Probed


class ProbeFailedForNowError(TransientError):
    """As `ProbeFailedError`, where all that went wrong may pass by itself.

    Attributes:
        result: what was found of all.

    """

    result: Probed


def _end(result: Probed, failures: Failures, *, of: int, where: str) -> None:
    """Raise one error where any source failed; a fault of the program comes out as itself."""
    failed = [source for source in result.sources if source["verdict"] == "failed"]
    if failures:
        failures.end(of=of, where=where)
    if not failed:
        return
    passing = all(source["transient"] for source in failed)
    lines = "".join(f"\n    {source['source']}: {worst(source)}" for source in failed)
    error = (ProbeFailedForNowError if passing else ProbeFailedError)(
        f"{len(failed)} of {of} sources failed: {', '.join(source['source'] for source in failed)}{lines}",
        where=where,
        remedy="try again later" if passing else "mend what is named above, or leave it out (`sources.exclude`)",
    )
    error.result = result
    raise error


def worst(source: dict[str, Any]) -> str:
    """Write the first thing of a source that failed, and how many more there are."""
    first, *more = [finding for finding in source["findings"] if finding["level"] == "failed"]
    others = f" (and {len(more)} more)" if more else ""
    remedy = f"\n      remedy: {first['remedy']}" if first["remedy"] else ""
    return (
        f"{first['where']}: {first['what']}{others}{remedy}" if first["where"] else f"{first['what']}{others}{remedy}"
    )


def _rank(source: dict[str, Any]) -> tuple[int, int, str]:
    levels = [finding["level"] for finding in source["findings"]]
    return (VERDICTS.index(source["verdict"]), -levels.count(source["verdict"]), source["source"])


def _place(build: Build, source: str) -> Path:
    return build.root / "work" / "probe" / f"{source}.json"


def _key(manifest: Manifest, options: FetchOptions) -> str:
    """Hash what a probe's result depends on, save for the origin itself."""
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
    """Return the commits that the lock has of a source's revisions, null for those it has not; empty without a lock."""
    if options.lock is None or manifest.origin.kind != "hub":
        return {}
    from sources.fetch.hub import revisions_of

    known = options.lock.revisions
    return {
        f"{repo} at {ref}": known[repo, ref].commit if (repo, ref) in known else None
        for subset in manifest.subsets
        for repo, ref in revisions_of(manifest.bound(subset))
    }


def _counts(kept: Kept | None, manifest: Manifest, options: FetchOptions) -> bool:
    return kept is not None and kept.verdict != "failed" and kept.key == _key(manifest, options)


def _keep(build: Build, manifest: Manifest, options: FetchOptions, found: dict[str, Any]) -> None:
    """Write what was found of a source, whole or not at all."""
    from sources.probing.probe import VERSION

    path = _place(build, manifest.name)
    data = {
        "version": VERSION,
        "key": _key(manifest, options),
        "manifest": manifest_digest(manifest),
        "found": found,
    }
    write_whole(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n")
