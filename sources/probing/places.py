"""Where the raw files of a source are, by the rules of `sources.fetch`, and how large; nothing of them is fetched.

Origins differ in what they tell: a Hub lists names, sizes and content ids at a commit; a web server tells a file's
size with its first bytes; folders here are looked at; what apt and Python's packages give is known once it was fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import metadata
from pathlib import Path

from open_ml_embed.core.errors import CorpusError, FetchError, ManifestError, MissingToolError
from sources.fetch import FetchOptions, apt, hub, packing
from sources.fetch.file_selection import matching
from sources.fetch.local import names_below
from sources.lock import REMEDY, Locked
from sources.manifest import AptOrigin, Manifest, ManualOrigin, PythonOrigin, RawTable, UrlOrigin
from sources.probing.ranged import START_BYTES, HubRanged, LocalRanged, Meter, Ranged, UrlRanged

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Found:
    """One raw file where it is.

    Attributes:
        table: key in the manifest's `tables`.
        ranged: reads it.
        place: repository and commit, address or folder: with the name, what tells two files apart.

    """

    table: str
    ranged: Ranged
    place: str

    @property
    def name(self) -> str:
        """What the origin calls it."""
        return self.ranged.name


@dataclass
class Places:
    """Finds the files of one source, each repository and file once for all its subsets.

    Attributes:
        options: as `fetch` has them.
        meter: counts what is read.
        revisions: repository and revision → commit, of those that files were found in.
        moved: of those, commit that the revision has now, where the lock has another.
        notes: what is worth a warning: (what, where, remedy).
        unprobed: why there is nothing to read before a fetch, although nothing speaks against it; empty: there is.

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
        # All files are listed, whatever slice of them the profile takes: sizes are then those of the source. Listings
        # are kept apart from those of fetched files, by which a run offline goes.
        home = str(Path(self.options.raw_root) / ".probe")
        everything = replace(self.options, files_per_table=None, raw_root=home)
        self._locked, self._plain = everything, replace(everything, lock=None)

    def find(self, bound: Manifest, subset: str) -> list[Found]:
        """Return the files of a subset, by table in the manifest's order, then by name.

        Raises:
            CorpusError: they cannot be had; as `sources.fetch.fetch`, or earlier.

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
            found = self._of_folder(bound, origin.folder, where)
            if not found:
                raise FetchError(
                    "has to be fetched by hand, and is not there yet",
                    where=where,
                    remedy=f"fetch it from {origin.url} and put the files into <local_root>/{origin.folder}",
                )
            return found
        return [
            found
            for key, table, revisions in hub.tables_of(bound)
            for found in self._of_hub(key, table, revisions, where)
        ]

    def _of_folder(self, bound: Manifest, folder: str, where: str) -> list[Found]:
        """Return files of a folder below `local_root`, or nothing where it has none."""
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

    def _behind_addresses(self, bound: Manifest, origin: UrlOrigin, where: str) -> list[Found]:
        for table in bound.tables.values():
            if any(sign in name for name in table.files for sign in "*["):
                raise ManifestError(
                    f"wildcards in {', '.join(table.files)}", where=where, remedy="name each file; a server lists none"
                )
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

    def _of_hub(self, key: str, table: RawTable, revisions: list[hub.Revision], where: str) -> list[Found]:
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
                found = self._of_revision(key, table, revision, where)
            except FetchError as error:
                refusals[revision] = error
                continue
            if refusals:
                first = next(iter(refusals.values()))
                self._note(f"read from the mirror {revision[0]}, as {first.what}", first.where, first.remedy)
            return found
        first = next(iter(refusals.values()))
        together = hub.all_refused(refusals, where)
        if together is first:
            raise first
        raise together from first

    def _compare(self, revisions: list[hub.Revision], home: Path, names: list[str], where: str) -> None:
        """Compare the sizes of local files with the lock; `fetch` compares their content."""
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

    def _of_revision(self, key: str, table: RawTable, revision: hub.Revision, where: str) -> list[Found]:
        locked = None if self.options.lock is None else self.options.lock.revisions.get(revision)
        if self.options.lock is not None and locked is None:
            self._not_locked(revision)
        options = self._plain if locked is None else self._locked
        listing, names = hub.names_at(revision, table.files, options, where)
        found = [
            self._file(
                key,
                f"{listing.repo}@{listing.commit}",
                name,
                partial(HubRanged, listing, name, self._plain, self.meter),
            )
            for name in names
        ]
        self._reach(revision, found[0].ranged)
        self.revisions[revision] = listing.commit
        if locked is not None and not COMMIT.fullmatch(revision[1]):
            self._look_for_changes(revision, locked)
        return found

    def _reach(self, revision: hub.Revision, ranged: Ranged) -> None:
        """Read the start of a file: a gated repository lists its files to everybody."""
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

    def _of_apt(self, bound: Manifest, origin: AptOrigin) -> list[Found]:
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

    def _of_python(self, bound: Manifest, origin: PythonOrigin) -> list[Found]:
        root = Path(self.options.raw_root).absolute() / "python"
        there, missing = [], []
        for name in origin.distributions:
            try:
                there.append(f"{name} {metadata.version(name)}")
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
        found = self._packed(bound, root, listing)
        if not found:
            library = "the standard library and " if origin.stdlib else ""
            self.unprobed = f"`curate fetch` packs {library}{len(there)} installed distributions: {', '.join(there)}"
        return found

    def _packed(self, bound: Manifest, root: Path, listing: packing.Listing) -> list[Found]:
        chosen = packing.chosen(bound, root, listing, None)
        return [
            self._file(file.table, str(root), file.name, partial(LocalRanged, file.name, Path(file.path)))
            for file in chosen
        ]

    def _file(self, table: str, place: str, name: str, make: Callable[[], Ranged]) -> Found:
        key = (place, name)
        if key not in self._files:
            self._files[key] = make()
        return Found(table, self._files[key], place)

    def _note(self, what: str, where: str, remedy: str) -> None:
        self.notes[what, where, remedy] = None
