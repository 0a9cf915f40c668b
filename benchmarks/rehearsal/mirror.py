"""Builds a small raw mirror: the test fixtures of all sources, and copies of them for subsets that have no fixture."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.rehearsal.formats import TYPED
from sources.globs import any_match
from sources.manifest import HubOrigin, Manifest, ManualOrigin, RawTable
from tests.sources.raw import FIXTURES

_WILD = re.compile(r"\*\*/|\*|\?|\[[^\]/]+\]")


@dataclass(frozen=True)
class Use:
    """One raw file as a table of one subset sees it.

    Attributes:
        name: of the file below the folder of its origin.
        table: key in the manifest's `tables`.
        manifest: bound to the subset.
        like: the sibling of which the subset's files are copies; None for a subset with a fixture.
        scripts: script of the fixture's texts → script that the subset's texts should have.

    """

    name: str
    table: str
    manifest: Manifest
    like: str | None = None
    scripts: tuple[tuple[str, str], ...] = ()

    @property
    def subset(self) -> str:
        """The name of the subset."""
        return next(iter(self.manifest.subsets))


def folder_of(manifest: Manifest, table: RawTable) -> str:
    """Return the folder below `local_root` that holds the files of a table."""
    origin = manifest.origin
    if isinstance(origin, HubOrigin):
        return origin.repo if table.repo is None else table.repo.partition("@")[0]
    return origin.folder if isinstance(origin, ManualOrigin) else manifest.name


def build(root: Path, manifests: list[Manifest]) -> tuple[dict[str, list[Use]], dict[str, str]]:
    """Write the mirror below `root`.

    Returns:
        Path below `root` of every raw file that a subset takes → its uses, in the order of the manifests; and path of
        every copy → path of its original.

    Raises:
        LookupError: a subset has no fixture, and none of its siblings' fits its file names.

    """
    for manifest in manifests:
        FIXTURES[manifest.name].build(root)
    files = _Files(root)
    uses: dict[str, list[Use]] = {}
    for manifest in manifests:
        known = FIXTURES[manifest.name].SUBSETS
        for subset in manifest.subsets:
            bound = manifest.bound(subset)
            like, scripts = (None, ()) if subset in known else _copied(files, manifest, bound, known)
            for key, table in bound.tables.items():
                home = folder_of(manifest, table)
                for name in files.matching(home, table.files):
                    uses.setdefault(f"{home}/{name}", []).append(Use(name, key, bound, like, scripts))
    return uses, files.originals


class _Files:
    """The files of a mirror by folder; each folder is listed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.originals: dict[str, str] = {}
        self._names: dict[str, set[str]] = {}

    def names(self, home: str) -> set[str]:
        if home not in self._names:
            folder = self.root / home
            self._names[home] = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        return self._names[home]

    def matching(self, home: str, globs: list[str]) -> list[str]:
        """Return the names below a folder that a glob matches, sorted."""
        names = self.names(home)
        if not any(_WILD.search(glob) for glob in globs):
            return sorted(names.intersection(globs))
        return sorted(name for name in names if any_match(name, globs))


def _copied(
    files: _Files, manifest: Manifest, wanted: Manifest, known: tuple[str, ...]
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Copy the files of the sibling that is nearest in script to a subset; return it, and which scripts to exchange."""
    own = _scripts(wanted)
    siblings = [manifest.bound(name) for name in known]
    for sibling in sorted(siblings, key=lambda one: sum(a != b for a, b in zip(_scripts(one), own, strict=True))):
        copies = list(_plan(files, manifest, sibling, wanted))
        if None not in copies:
            for source, home, name, key in filter(None, copies):
                target = files.root / home / name
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(source, target, sibling.tables[key], wanted.tables[key])
                files.names(home).add(name)
                files.originals[f"{home}/{name}"] = source.relative_to(files.root).as_posix()
            pairs = zip(_scripts(sibling), own, strict=True)
            (like,) = sibling.subsets
            return like, tuple(dict.fromkeys((a, b) for a, b in pairs if a != b and "Code" not in (a, b)))
    raise LookupError(f"no fixture of {manifest.name} fits the file names of {next(iter(wanted.subsets))}")


def _plan(
    files: _Files, manifest: Manifest, sibling: Manifest, wanted: Manifest
) -> Iterator[tuple[Path, str, str, str] | None]:
    """Yield (file, folder and name of its copy, table) for each file to copy, and None for a glob without a file."""
    for key, table in wanted.tables.items():
        theirs, home = sibling.tables[key], folder_of(manifest, table)
        source = folder_of(manifest, theirs)
        for own, glob in zip(table.files, theirs.files, strict=True):
            if files.matching(home, [own]):
                continue
            found = files.matching(source, [glob])
            if not found and files.matching(source, theirs.files):
                continue  # a file that the fixture leaves out, of a table that it has
            yield from ((files.root / source / name, home, _renamed(name, glob, own), key) for name in found)
            if not found:
                yield None


def _renamed(name: str, glob: str, other: str) -> str:
    """Return a file name with what its glob's wildcards stand for put into another glob."""
    pattern, last = "", 0
    for found in _WILD.finditer(glob):
        pattern += re.escape(glob[last : found.start()]) + ("((?:.*/)?)" if found[0] == "**/" else "([^/]*)")
        last = found.end()
    match = re.fullmatch(pattern + re.escape(glob[last:]), name)
    parts = iter(match.groups() if match else ())
    return _WILD.sub(lambda _: next(parts, "x"), other)


def _copy(source: Path, target: Path, known: RawTable, wanted: RawTable) -> None:
    """Copy a file; names inside it that state its languages become those of the other subset."""
    if known.format == "tmx":
        text = gzip.decompress(source.read_bytes()).decode()
        for old, new in zip(known.fields, wanted.fields, strict=True):
            text = text.replace(f'xml:lang="{old}"', f'xml:lang="@{new}"')
        target.write_bytes(gzip.compress(text.replace('"@', '"').encode(), mtime=0))
        return
    pairs = [(a, b) for a, b in zip(source.parts[-3:-1], target.parts[-3:-1], strict=True) if a != b]
    if pairs and known.fields == {"translation": "struct"}:
        rows = pq.read_table(source)["translation"].to_pylist()
        ((theirs, own),) = pairs  # the folder that names the two languages
        old, new = theirs.split("-"), own.split("-")
        renamed = [row and dict(zip(new, (row[name] for name in old), strict=True)) for row in rows]
        fields = pa.struct([(name, pa.string()) for name in new])
        pq.write_table(pa.table({"translation": pa.array(renamed, fields)}), target)
        return
    shutil.copyfile(source, target)


def _scripts(bound: Manifest) -> tuple[str, str]:
    """Return the scripts that a bound manifest declares for query and positive."""
    (subset,) = bound.subsets.values()
    query = subset.query_lang
    positive = query if subset.positive_lang is None else subset.positive_lang
    query_script, positive_script = (
        TYPED.get(lang.rpartition("-")[2], lang.rpartition("-")[2]) if isinstance(lang, str) else "Zyyy"
        for lang in (query, positive)
    )
    return query_script, positive_script
