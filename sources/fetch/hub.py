"""Fetches files of Hub repositories with huggingface-hub, at a resolved commit.

After its hash has been checked, a file is renamed to `<raw_root>/hub/<owner>/<name>/<content id>/<path>`. A file at
this path is complete and is not fetched again while its content at the origin is unchanged. Two revisions of a
repository share their common files. An interrupted download is resumed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from urllib.parse import quote

from open_ml_embed.core.errors import CorpusError, FetchError, TransientError
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.hashing import hash_file
from open_ml_embed.core.names import inside
from open_ml_embed.core.optional import check_installed
from open_ml_embed.core.sealed import seal, undamaged
from sources.fetch import FetchOptions, most_files
from sources.fetch.file_selection import matching
from sources.fetch.hub_bar import HubBar
from sources.fetch.hub_errors import explained
from sources.fetch.local import known_hash, known_names, local_file
from sources.fetch.retry import tried
from sources.fetch.transfers import Begun, Counter, Started
from sources.globs import Names
from sources.lock import Locked
from sources.manifest import HubOrigin, Manifest, RawTable
from sources.parts import RawFile

TRIES = 3
"""Attempts for a download. The client itself only retries single requests, not an interrupted transfer."""
PAUSE_S = 2.0
"""Seconds before the second attempt; doubled before each further one."""
_Result = TypeVar("_Result")
Revision = tuple[str, str]
"""Repository (owner/name), and branch, tag or commit."""


@dataclass(frozen=True)
class Listing:
    """The files of a repository at a commit.

    Attributes:
        repo: owner/name.
        commit: 40 hexadecimal digits.
        files: name → (bytes, ``sha256:…`` of large files or ``git:…`` object id).

    """

    repo: str
    commit: str
    files: dict[str, tuple[int, str]]

    @cached_property
    def names(self) -> Names:
        """The names, to select from."""
        return Names(self.files)


_listings: dict[tuple[str, str, FetchOptions], Listing] = {}
"""Cache: a repository is listed once per process, not once per subset."""


def begin(manifest: Manifest, subset: str, options: FetchOptions) -> Begun[list[RawFile]]:
    """Start to download the files of a subset; see `sources.fetch.begin`."""
    tables = [
        _Table(
            revisions,
            _Wanted(key, table.files, most_files(manifest, key, options)),
            options,
            f"{manifest.name}/{subset}: {revisions[0][0]}",
        )
        for key, table, revisions in tables_of(manifest)
    ]

    def cancel() -> None:
        for table in tables:
            table.cancel()

    return Begun(lambda: [file for table in tables for file in table.files()], cancel)


@dataclass(frozen=True)
class _Wanted:
    """A table to fetch: its key, its globs, and the most files of it (None: all)."""

    key: str
    globs: list[str]
    most: int | None


class _Table:
    """The files of a table, being fetched: from the local folder, else from the first revision that has all of them."""

    def __init__(self, revisions: list[Revision], wanted: _Wanted, options: FetchOptions, where: str) -> None:
        self._wanted, self._options, self._where = wanted, options, where
        self._refusals: dict[Revision, CorpusError] = {}
        self._others = iter(revisions)
        self._files: list[Started[RawFile]] = []
        self._lying = _from_folder(revisions, wanted, options, where)
        if not self._lying:
            self._start()

    def files(self) -> list[RawFile]:
        """Wait for the files; if one is refused, take all from the next revision."""
        while not self._lying:
            try:
                return [file.result() for file in self._files]
            except FetchError as error:
                self._refusals[self._revision] = error
            finally:
                self.cancel()
            self._start()
        return self._lying

    def cancel(self) -> None:
        """Give up the files that are not being fetched yet."""
        for file in self._files:
            file.cancel()

    def _start(self) -> None:
        for revision in self._others:
            self._revision = revision
            try:
                listing, names = names_at(
                    revision, self._wanted.globs, self._options, self._where, most=self._wanted.most
                )
            except FetchError as error:
                self._refusals[revision] = error
                continue
            self._files = [_started(listing, name, self._wanted.key, self._options) for name in names]
            return
        raise all_refused(self._refusals, self._where)


def resolve(
    manifest: Manifest, options: FetchOptions, unlocked: dict[Revision, CorpusError] | None = None
) -> dict[Revision, Locked]:
    """Resolve the revisions of all tables of a source and list the files that they take; downloads nothing.

    The repository of a table is locked, and every mirror that is available, so that a build with the lock can use a
    mirror if the repository is gone.

    Args:
        manifest: of the source.
        options: endpoint and root folders.
        unlocked: receives the error of each repository that could not be locked although another one was.

    Raises:
        FetchError: no repository of a table is available, or its files do not exist.
        TransientError: the server may answer later.

    """
    resolved: dict[Revision, Locked] = {}
    for subset in manifest.subsets:
        bound = manifest.bound(subset)
        for key, table, revisions in tables_of(bound):
            where = f"{manifest.name}/{subset}: {revisions[0][0]}"
            refusals: dict[Revision, CorpusError] = {}
            for revision in revisions:
                try:
                    most = most_files(bound, key, options)
                    listing, names = names_at(revision, table.files, options, where, most=most)
                except (FetchError, TransientError) as error:
                    refusals[revision] = error
                    continue
                taken = Locked(listing.commit, {name: listing.files[name] for name in names})
                resolved[revision] = taken.joined(resolved.get(revision))
            later = [error for error in refusals.values() if isinstance(error, TransientError)]
            if later and (len(refusals) == len(revisions) or refusals.get(revisions[0]) is later[0]):
                raise later[0]
            if len(refusals) == len(revisions):
                raise all_refused(refusals, where)
            if unlocked is not None:
                unlocked |= refusals
    return resolved


def tables_of(manifest: Manifest) -> Iterator[tuple[str, RawTable, list[Revision]]]:
    """Yield (key, table, revisions that it may come from) of each table; revisions are in order of preference."""
    origin = manifest.origin
    assert isinstance(origin, HubOrigin)
    for key, table in manifest.tables.items():
        if table.repo is None:
            mirrors = (_with_ref(mirror, "main") for mirror in origin.mirrors)
            yield key, table, [(origin.repo, origin.ref), *mirrors]
        else:
            yield key, table, [_with_ref(table.repo, "main")]


def _with_ref(repo: str, default: str) -> Revision:
    name, _, ref = repo.partition("@")
    return name, ref or default


def _from_folder(revisions: list[Revision], wanted: _Wanted, options: FetchOptions, where: str) -> list[RawFile]:
    """Return the files of a local folder that replaces the repository; an empty list if there is none.

    The files must agree with the lock: with the entry of the repository, or with that of a mirror if the repository
    could not be locked.
    """
    if options.local_root is None:
        return []
    folder = Path(options.local_root) / revisions[0][0]
    files = _lying_in(folder, wanted, options, where)
    if options.lock is not None and files:
        held = [revision for revision in revisions if revision in options.lock.revisions]
        locked = options.lock.find(*(held or revisions)[0])
        for name in (file.name for file in files):
            kind = _algorithm(locked.files.get(name, (0, "git:"))[1])
            locked.check(
                name, (folder / name).stat().st_size, f"{kind}:{known_hash(folder / name, options, kind)}", where
            )
    return files


def _lying_in(folder: Path, wanted: _Wanted, options: FetchOptions, where: str) -> list[RawFile]:
    names = known_names(folder, options)
    if not names:
        return []
    chosen = matching(names, wanted.globs, where=f"{where} ({folder})", most=wanted.most)
    return [local_file(folder, name, wanted.key, options) for name in chosen]


def in_place(manifest: Manifest, subset: str, options: FetchOptions) -> list[RawFile] | None:
    """List the files of local folders that replace repositories, if there are any; see `sources.fetch.in_place`."""
    files: list[RawFile] = []
    for key, table, revisions in tables_of(manifest):
        folder = Path(options.local_root or "") / revisions[0][0]
        wanted = _Wanted(key, table.files, most_files(manifest, key, options))
        files += _lying_in(folder, wanted, options, f"{manifest.name}/{subset}: {revisions[0][0]}")
    return files or None


def revisions_of(manifest: Manifest) -> list[Revision]:
    """Return all revisions that the files of a source may come from, as the manifest names them, sorted."""
    return sorted({revision for _, _, revisions in tables_of(manifest) for revision in revisions})


def names_at(
    revision: Revision, globs: list[str], options: FetchOptions, where: str, *, most: int | None = None
) -> tuple[Listing, list[str]]:
    """List a revision and select the files of a table; with a lock, the files must agree with it.

    Args:
        revision: as the manifest names it.
        globs: of the table.
        options: with the lock, if there is one.
        where: location for error messages.
        most: most files; None: all.

    Raises:
        FetchError: the revision or the files do not exist, or the lock does not agree.
        TransientError: the server may answer later.

    """
    locked = None if options.lock is None else options.lock.find(*revision)
    listing = _listing(revision[0], revision[1] if locked is None else locked.commit, options)
    names = matching(listing.names, globs, where=f"{where} at {revision[1]}", most=most)
    if locked is not None:
        for name in names:
            locked.check(name, *listing.files[name], where)
    return listing, names


def all_refused(refusals: dict[Revision, CorpusError], where: str) -> CorpusError:
    """Combine the errors of the origin and its mirrors into one; a single error is returned unchanged."""
    first, *others = refusals.values()
    if not others:
        return first
    mirrors = "; ".join(f"mirror {c[0]}: {e.what}" for c, e in zip(list(refusals)[1:], others, strict=True))
    return FetchError(f"{first.what} ({mirrors})", where=first.where or where, remedy=first.remedy)


def _listing(repo: str, ref: str, options: FetchOptions) -> Listing:
    return options.known.of(("hub listing", repo, ref), lambda: _listed(repo, ref, options))


def _listed(repo: str, ref: str, options: FetchOptions) -> Listing:
    key = (repo, ref, options)
    if key not in _listings:
        saved = inside(Path(options.raw_root) / "hub", repo, f"{quote(ref, safe='')}.json")
        _listings[key] = (
            _saved_listing(saved, repo, ref) if options.offline else _list_remote(repo, ref, options, saved)
        )
    return _listings[key]


def _saved_listing(saved: Path, repo: str, ref: str) -> Listing:
    data = undamaged(saved)
    if data is None:
        raise FetchError(
            "never fetched, and this run is offline", where=f"{repo} at {ref}", remedy="run online once"
        ) from None
    return Listing(data["repo"], data["commit"], {name: (size, oid) for name, (size, oid) in data["files"].items()})


def _list_remote(repo: str, ref: str, options: FetchOptions, saved: Path) -> Listing:
    """List a repository on the server, and save the listing for offline runs."""
    settle_client()
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(endpoint=options.endpoint)

    def list_files() -> Listing:
        commit = api.dataset_info(repo, revision=ref).sha
        if commit is None:
            raise FetchError("the endpoint names no commit", where=f"{repo} at {ref}", remedy="check `endpoint`")
        files: dict[str, tuple[int, str]] = {}
        for entry in api.list_repo_tree(repo, recursive=True, revision=commit, repo_type="dataset"):
            if isinstance(entry, RepoFile):
                large = entry.lfs
                files[entry.path] = (entry.size, f"sha256:{large.sha256}" if large else f"git:{entry.blob_id}")
        return Listing(repo, commit, files)

    with options.transfers.slot("hub", _host(options)):
        listing = tried_on_hub(list_files, f"{repo} at {ref}", repo, ref, options)
    write_whole(saved, seal(asdict(listing), saved.name))
    return listing


def commit_of(repo: str, ref: str, options: FetchOptions) -> str:
    """Return the current commit of a branch or tag, from the server.

    Raises:
        FetchError: there is no such revision, or no access to it.
        TransientError: the server may answer later.

    """
    settle_client()
    from huggingface_hub import HfApi

    api = HfApi(endpoint=options.endpoint)
    info = tried_on_hub(lambda: api.dataset_info(repo, revision=ref), f"{repo} at {ref}", repo, ref, options)
    if info.sha is None:
        raise FetchError("the endpoint names no commit", where=f"{repo} at {ref}", remedy="check `endpoint`")
    return info.sha


def _host(options: FetchOptions) -> str:
    return options.endpoint or "the Hub"


def _started(listing: Listing, name: str, key: str, options: FetchOptions) -> Started[RawFile]:
    """Start to fetch one file; it is downloaded unless it is already here."""
    size, identity = listing.files[name]
    root = Path(options.raw_root) / "hub"
    target = inside(root, listing.repo, identity.partition(":")[2][:16], name)
    where = f"{listing.repo} at {listing.commit[:12]}: {name}"
    file = RawFile(key, name, str(target), size, identity)
    if not (target.is_file() and target.stat().st_size == size):
        if options.offline:
            raise FetchError("not fetched yet, and this run is offline", where=where, remedy="run online once")
        counter = options.known.of(("hub counter", target), options.transfers.counter)
        counter.expect(size)

        def download() -> RawFile:
            # another subset or another source may have fetched it meanwhile
            options.known.of(("hub file", target), lambda: _come(listing, name, root, target, options, counter))
            counter.reach(size)
            return file

        return options.transfers.start("hub", _host(options), download)
    return Started(lambda: file)


def _come(listing: Listing, name: str, root: Path, target: Path, options: FetchOptions, counter: Counter) -> None:
    where = f"{listing.repo} at {listing.commit[:12]}: {name}"

    def attempt() -> None:
        _downloaded(listing, name, root, target, options, counter)

    tried_on_hub(attempt, where, listing.repo, listing.commit, options)


def _downloaded(listing: Listing, name: str, root: Path, target: Path, options: FetchOptions, counter: Counter) -> None:
    settle_client()
    from huggingface_hub import hf_hub_download

    arrived = Path(
        hf_hub_download(
            listing.repo,
            name,
            repo_type="dataset",
            revision=listing.commit,
            local_dir=root / ".incoming" / listing.repo / listing.commit,
            endpoint=options.endpoint,
            tqdm_class=cast("Any", partial(HubBar, counter)),
        )
    )
    size, identity = listing.files[name]
    kind = _algorithm(identity)
    if arrived.stat().st_size != size or f"{kind}:{hash_file(arrived, kind)}" != identity:
        arrived.unlink()
        raise TransientError(
            "what arrived is not what the repository lists", where=f"{listing.repo}: {name}", remedy="fetch again"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    arrived.replace(target)


def _algorithm(identity: str) -> Literal["sha256", "git"]:
    """Return how the Hub identifies a file: large ones as Git LFS does (SHA-256), others as Git does."""
    return "sha256" if identity.startswith("sha256:") else "git"


def tried_on_hub(
    call: Callable[[], _Result], where: str, repo: str, ref: str, options: FetchOptions | None = None
) -> _Result:
    """Call a function of the Hub client, with retries after transient failures; failures become our exceptions."""
    pauses = None if options is None else options.transfers.pauses("hub", _host(options))
    return tried(call, lambda error: explained(error, where, repo, ref), tries=TRIES, pause_s=PAUSE_S, pauses=pauses)


def settle_client() -> None:
    """Configure huggingface-hub before its import: no telemetry, no progress bars, no log lines with signed URLs.

    Raises:
        MissingPackageError: huggingface-hub or httpx2 is not installed.

    """
    check_installed("huggingface_hub", "httpx2", what="fetching from the Hub")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
