"""`curate lock`: record the commit of every Hub revision, so that a rebuild reads the same bytes."""

from __future__ import annotations

from curation.build import Build, StepResult
from curation.failures import Failures
from curation.raw_files import lock_path
from open_ml_embed.core.errors import CorpusError
from open_ml_embed.core.printing import print_text
from open_ml_embed.core.progress import Progress
from sources.fetch import FetchOptions
from sources.fetch.hub import resolve
from sources.lock import Lock, read_lock, write_lock
from sources.manifest import Manifest


def locked_sources(build: Build) -> list[Manifest]:
    """Return the sources of a profile that are on the Hub."""
    return [m for m in build.manifests() if m.origin.kind == "hub" and m.access.kind != "dead"]


def run_lock(build: Build) -> StepResult:
    """Resolve the revisions of a profile's Hub sources and write the lock file; entries of other sources are kept.

    Sources that share a revision share its entry, which has the files of all of them. Files that only sources of other
    profiles take stay in it while the commit is the same.

    Returns:
        The result. `stats` has the lock file's ``path``, its number of ``revisions``, the number of new or ``changed``
        ones, and for each source the numbers of its ``revisions``, ``changed`` revisions and ``files``.

    Raises:
        RefusedError: some sources could not be resolved. The others are written; these keep their old entries.
        RefusedForNowError: the same, and all failures are temporary.

    """
    path = lock_path(build)
    old_lock = read_lock(path) or Lock()
    revisions = dict(old_lock.revisions)
    manifests = locked_sources(build)
    options = FetchOptions(str(build.raw), endpoint=build.profile.sources.endpoint)
    failures = Failures("lock", "sources", "locked")
    sources: dict[str, dict[str, int]] = {}
    with Progress("lock", total=len(manifests)) as progress:
        for manifest in manifests:
            with failures.of(manifest.name):
                unlocked: dict[tuple[str, str], CorpusError] = {}
                resolved = resolve(manifest, options, unlocked)
                revisions |= {key: locked.joined(revisions.get(key)) for key, locked in resolved.items()}
                sources[manifest.name] = {
                    "revisions": len(resolved),
                    "changed": sum(locked.differs(old_lock.revisions.get(key)) for key, locked in resolved.items()),
                    "files": sum(len(locked.files) for locked in resolved.values()),
                }
                for (repo, ref), error in unlocked.items():
                    print_text(f"locked {manifest.name} without {repo} at {ref}: {error.what}", error=True)
            progress.advance(manifest.name)
    write_lock(path, revisions)
    changed = sum(locked.differs(old_lock.revisions.get(key)) for key, locked in revisions.items())
    result = StepResult("lock", refused=failures.refused)
    result.stats = {"path": str(path), "revisions": len(revisions), "changed": changed, "sources": sources}
    if failures:
        failures.end(
            of=len(manifests), where=f"{path}: {len(revisions)} revisions, {changed} new or changed", result=result
        )
    return result
