"""Locates the raw files of a source and their sizes, by the rules of `sources.fetch`, without fetching them.

The information depends on the origin. The Hub lists names, sizes and content ids at a commit. A web server states the
size of a file with its first bytes. Local folders are listed. The files of apt and of Python packages are known only
after a fetch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import metadata
from pathlib import Path

from open_ml_embed.core.errors import CorpusError, FetchError, MissingToolError
from sources.fetch import FetchOptions, apt, hub, packing, url
from sources.fetch.file_selection import matching
from sources.fetch.local import names_below
from sources.lock import REMEDY, Locked
from sources.manifest import AptOrigin, Manifest, ManualOrigin, PythonOrigin, RawTable, UrlOrigin
from sources.probing.ranged import START_BYTES, HubRanged, LocalRanged, Meter, Ranged, UrlRanged

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class LocatedFile:
    """One located raw file.

    Attributes:
        table: key in the manifest's `tables`.
        ranged: reader of its byte ranges.
        place: repository and commit, URL, or folder; place and name together identify a file.

    """

    table: str
    ranged: Ranged
    place: str

    @property
    def name(self) -> str:
        """Name of the file at its origin."""
        return self.ranged.name


@dataclass
class Places:
    """Locates the files of one source; each repository and file is requested only once for all subsets.

    Attributes:
        options: as for `fetch`.
        meter: counts the bytes that are read.
        revisions: (repository, revision) → commit, for all revisions in which files were found.
        moved: for locked revisions: (repository, revision) → current commit.
        notes: warnings as (what, where, remedy).
        unprobed: why nothing can be read before a fetch, without being a fault; empty if files can be read.

    """

    options: FetchOptions
    meter: Meter
    revisions: dict[hub.Revision, str] = field(default_factory=dict)
    moved: dict[hub.Revision, str] = field(default_factory=dict)
    notes: dict[tuple[str, str, str], None] = field(default_factory=dict)
    unprobed: str = ""
    _files: dict[tuple[str, str], Ranged] = field(default_factory=dict)
    _reached: dict[hub.Revision, CorpusError | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # List all files, not only those that the profile takes, so that the sizes are those of the whole source. These
        # listings are stored apart from those of fetched files, which offline runs use.
        home = str(Path(self.options.raw_root) / ".probe")
        everything = replace(self.options, files_per_table=None, raw_root=home)
        self._locked, self._plain = everything, replace(everything, lock=None)

    def find(self, bound: Manifest, subset: str) -> list[LocatedFile]:
        """Return the files of a subset, in the manifest's order of tables, then by name.

        Raises:
            CorpusError: the files are not available; the same errors as of `sources.fetch.fetch`.

        """
        origin = bound.origin
        where = f"{bound.name}/{subset}"
        if isinstance(origin, AptOrigin):
            return self._of_apt(bound, origin)
        if isinstance(origin, PythonOrigin):
            return self._of_python(bound, origin)
        if isinstance(origin, UrlOrigin):
            return self._of_folder(bound, bound.name, where) or self._behind_addresses(bound, origin, where)
        if isinstance(origin, ManualOrigin):
            files = self._of_folder(bound, origin.folder, where)
            if not files:
                raise FetchError(
                    "has to be fetched by hand, and is not there yet",
                    where=where,
                    remedy=f"fetch it from {origin.url} and put the files into <local_root>/{origin.folder}",
                )
            return files
        return [
            file
            for key, table, revisions in hub.tables_of(bound)
            for file in self._of_hub(key, table, revisions, where)
        ]

    def _of_folder(self, bound: Manifest, folder: str, where: str) -> list[LocatedFile]:
        """Return the files of a folder below `local_root`; an empty list if there is no such folder."""
        if self.options.local_root is None:
            return []
        home = Path(self.options.local_root) / folder
        names = names_below(home)
        if not names:
            return []
        return [
            self._file(key, str(home), name, partial(LocalRanged, name, home / name))
            for key, table in bound.tables.items()
            for name in matching(names, table.files, where=f"{where}: {home}")
        ]

    def _behind_addresses(self, bound: Manifest, origin: UrlOrigin, where: str) -> list[LocatedFile]:
        url.check_names(bound, where)
        return [
            self._file(
                key,
                origin.base,
                name,
                partial(UrlRanged, bound.name, name, f"{origin.base}/{name}", self.meter),
            )
            for key, table in bound.tables.items()
            for name in sorted(set(table.files))
        ]

    def _of_hub(self, key: str, table: RawTable, revisions: list[hub.Revision], where: str) -> list[LocatedFile]:
        where = f"{where}: {revisions[0][0]}"
        if self.options.local_root is not None:
            home = Path(self.options.local_root) / revisions[0][0]
            names = names_below(home)
            if names:
                chosen = matching(names, table.files, where=f"{where} ({home})")
                self._compare(revisions, home, chosen, where)
                return [self._file(key, str(home), name, partial(LocalRanged, name, home / name)) for name in chosen]
        refusals: dict[hub.Revision, CorpusError] = {}
        for revision in revisions:
            try:
                files = self._of_revision(key, table, revision, where)
            except FetchError as error:
                refusals[revision] = error
                continue
            if refusals:
                first = next(iter(refusals.values()))
                self._note(f"read from the mirror {revision[0]}, as {first.what}", first.where, first.remedy)
            return files
        first = next(iter(refusals.values()))
        together = hub.all_refused(refusals, where)
        if together is first:
            raise first
        raise together from first

    def _compare(self, revisions: list[hub.Revision], home: Path, names: list[str], where: str) -> None:
        """Compare the sizes of local files with the lock; `fetch` compares their content later."""
        if self.options.lock is None:
            return
        held = [revision for revision in revisions if revision in self.options.lock.revisions]
        if not held:
            self._not_locked(revisions[0])
            return
        locked = self.options.lock.find(*held[0])
        for name in names:
            size, identity = locked.files.get(name, (None, ""))
            if size != (home / name).stat().st_size:
                locked.check(name, (home / name).stat().st_size, identity, where)

    def _of_revision(self, key: str, table: RawTable, revision: hub.Revision, where: str) -> list[LocatedFile]:
        locked = None if self.options.lock is None else self.options.lock.revisions.get(revision)
        if self.options.lock is not None and locked is None:
            self._not_locked(revision)
        options = self._plain if locked is None else self._locked
        listing, names = hub.names_at(revision, table.files, options, where)
        files = [
            self._file(
                key,
                f"{listing.repo}@{listing.commit}",
                name,
                partial(HubRanged, listing, name, self._plain, self.meter),
            )
            for name in names
        ]
        self._reach(revision, files[0].ranged)
        self.revisions[revision] = listing.commit
        if locked is not None and not COMMIT.fullmatch(revision[1]):
            self._look_for_changes(revision, locked)
        return files

    def _reach(self, revision: hub.Revision, ranged: Ranged) -> None:
        """Read the start of a file, since a gated repository lists its files without access."""
        if revision not in self._reached:
            try:
                ranged.get(0, START_BYTES)
                self._reached[revision] = None
            except FetchError as error:
                self._reached[revision] = error
        refused = self._reached[revision]
        if refused is not None:
            raise refused

    def _look_for_changes(self, revision: hub.Revision, locked: Locked) -> None:
        if revision in self.moved:
            return
        try:
            now = hub.commit_of(*revision, self._plain)
        except FetchError as error:
            self._note(f"the lock's commit is there, and {revision[1]} is not: {error.what}", error.where, error.remedy)
            now = locked.commit
        self.moved[revision] = now
        if now != locked.commit:
            self._note(
                f"{revision[1]} has moved since the lock: it was {locked.commit[:12]}, which is what was probed and "
                f"will be fetched, and is {now[:12]} now",
                revision[0],
                "nothing, or `curate lock` to take what is there now",
            )

    def _not_locked(self, revision: hub.Revision) -> None:
        self._note("not in the lock, so that `curate fetch` will refuse it", f"{revision[0]} at {revision[1]}", REMEDY)

    def _of_apt(self, bound: Manifest, origin: AptOrigin) -> list[LocatedFile]:
        home = Path(self.options.raw_root).absolute() / "apt"
        listing: packing.Listing = {}
        for what in [*(["indexes"] if origin.indexes else []), *(f"package-{name}" for name in origin.packages)]:
            if not packing.whole(home / f"{what}.json", home / "files"):
                self._needs_apt(bound, what)
                return []
            listing |= packing.load(home / f"{what}.json") or {}
        return self._packed(bound, home / "files", listing)

    def _needs_apt(self, bound: Manifest, what: str) -> None:
        try:
            apt.tool("apt-get")
        except MissingToolError as error:
            self._note(f"{error.what}, so that `curate fetch` will skip it", bound.name, error.remedy)
        self.unprobed = f"needs apt-get to list and to fetch its {what.replace('-', ' ')}; a probe does not run it"

    def _of_python(self, bound: Manifest, origin: PythonOrigin) -> list[LocatedFile]:
        root = Path(self.options.raw_root).absolute() / "python"
        present, missing = [], []
        for name in origin.distributions:
            try:
                present.append(f"{name} {metadata.version(name)}")
            except metadata.PackageNotFoundError:
                missing.append(name)
        if missing:
            self._note(
                f"{', '.join(missing)} not installed, and passed over by `curate fetch`",
                bound.name,
                "install them in this environment, or nothing",
            )
        listing: packing.Listing = {}
        for marker in sorted(root.glob("*.json")) if root.is_dir() else ():
            if packing.whole(marker, root):
                listing |= packing.load(marker) or {}
        files = self._packed(bound, root, listing)
        if not files:
            library = "the standard library and " if origin.stdlib else ""
            self.unprobed = (
                f"`curate fetch` packs {library}{len(present)} installed distributions: {', '.join(present)}"
            )
        return files

    def _packed(self, bound: Manifest, root: Path, listing: packing.Listing) -> list[LocatedFile]:
        chosen = packing.chosen(bound, root, listing)
        return [
            self._file(file.table, str(root), file.name, partial(LocalRanged, file.name, Path(file.path)))
            for file in chosen
        ]

    def _file(self, table: str, place: str, name: str, make: Callable[[], Ranged]) -> LocatedFile:
        key = (place, name)
        if key not in self._files:
            self._files[key] = make()
        return LocatedFile(table, self._files[key], place)

    def _note(self, what: str, where: str, remedy: str) -> None:
        self.notes[what, where, remedy] = None
