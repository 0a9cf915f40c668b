"""`curate lock`: what every Hub revision stands for today, so that a rebuild reads the same bytes."""

from __future__ import annotations

import sys
from pathlib import Path

from curation.progress import Progress
from curation.steps import Build
from sources import registry
from sources.errors import CorpusError, FetchError, StageError, TransientError
from sources.fetch import FetchOptions
from sources.fetch.hub import resolve
from sources.lock import Lock, read_lock, write_lock
from sources.manifest import Manifest


def lock_path() -> Path:
    """Return where the lock file lies: beside the manifests, so that DVC and Git see it change."""
    return registry.manifest_root() / "sources" / "lock.json"


def locked_sources(build: Build) -> list[Manifest]:
    """Return the sources of a profile that live on the Hub."""
    return [m for m in build.manifests() if m.origin.kind == "hub" and m.access.kind != "dead"]


def run_lock(build: Build) -> str:
    """Resolve the revisions of a profile's Hub sources and write them; entries of other sources stay.

    Returns:
        A line that says what was done.

    Raises:
        StageError: some could not be resolved. What could be is written, and they keep what they had.

    """
    path = lock_path()
    before = read_lock(path) or Lock()
    revisions = dict(before.revisions)
    manifests = locked_sources(build)
    options = FetchOptions(str(build.raw), endpoint=build.profile.sources.endpoint)
    failed: dict[str, str] = {}
    with Progress("lock", total=len(manifests)) as progress:
        for manifest in manifests:
            try:
                unlocked: dict[tuple[str, str], CorpusError] = {}
                revisions |= resolve(manifest, options, unlocked)
                for (repo, ref), error in unlocked.items():
                    print(f"locked {manifest.name} without {repo} at {ref}: {error.what}", file=sys.stderr)
            except (FetchError, TransientError) as error:
                failed[manifest.name] = str(error)
                print(f"not locked: {manifest.name}: {error}", file=sys.stderr)
            progress.advance(manifest.name)
    write_lock(path, revisions)
    changed = sum(before.revisions.get(key) != locked for key, locked in revisions.items())
    said = f"{path}: {len(revisions)} revisions, {changed} new or changed"
    if failed:
        raise StageError(
            f"{len(failed)} of {len(manifests)} sources could not be locked: {', '.join(failed)}",
            where=said,
            remedy="see the lines above; leave them out with `sources.exclude`, or lock again later",
        )
    return said
