"""Yield limits: which sources and files gave no row, or far fewer than they have records, and why.

A source falls short where it has no row at all, or where fewer than `normalize.least_yield` of its records became rows:
rows / (rows + quarantined). What its shape or `where` filters is left out by rule and counts for neither. A raw file
falls short where it has bytes, none of them became a row, and none of its records was filtered; and where it could not
be read to its end, or more than a hundredth of an archive's bytes could not, as nobody knows then how many records are
lost. What `normalize.allow`
names is left out of the account: a source, one of its subsets, or files of a subset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from curation.settings import Profile
from open_ml_embed.core.errors import SettingsError, UnknownNameError
from sources.globs import any_match
from sources.manifest import Manifest
from sources.parts import RawFile
from sources.shapes import shape

MOST_FILES = 5
"""Files of a source that an error names; the rest are counted."""
MOST_REASONS = 2
"""Reasons of a source or file that an error names, the most frequent first."""
EXCERPT_CHARS = 60
UNREAD_SHARE = 0.01
"""Of an archive's bytes, those of members that could not be read: up to here they are bad records like others."""


@dataclass(frozen=True)
class Allowed:
    """One name under `normalize.allow`: `source`, `source/subset`, or `source/subset:pattern of file names`."""

    source: str
    subset: str | None = None
    files: str | None = None

    @classmethod
    def parse(cls, name: str) -> Allowed:
        """Read a name.

        >>> Allowed.parse("laws/de:2019-*.jsonl")
        Allowed(source='laws', subset='de', files='2019-*.jsonl')
        """
        source, slash, rest = name.partition("/")
        subset, colon, files = rest.partition(":")
        return cls(source, subset if slash else None, files if colon else None)

    def covers(self, source: str, subset: str | None = None, file: str | None = None) -> bool:
        """Tell whether this name covers a source as a whole, one of its subsets as a whole, or a file."""
        if source != self.source or (self.subset is not None and subset != self.subset):
            return False
        return self.files is None or (file is not None and any_match(file, [self.files]))


def allowed_names(profile: Profile, manifests: Iterable[Manifest]) -> list[Allowed]:
    """Read and check `normalize.allow`.

    Raises:
        UnknownNameError: a name is none of the profile's sources, or no subset of its source.
        SettingsError: the files of a subset are meant, and there is no pattern for them.

    """
    known = {manifest.name: manifest for manifest in manifests}
    found = [Allowed.parse(name) for name in profile.normalize.allow]
    for name, allowed in zip(profile.normalize.allow, found, strict=True):
        where = f"normalize.allow: {name!r}"
        if allowed.source not in known:
            raise UnknownNameError("source", allowed.source, known, where=where)
        if allowed.subset is not None and allowed.subset not in known[allowed.source].subsets:
            raise UnknownNameError("subset", allowed.subset, known[allowed.source].subsets, where=where)
        if allowed.files == "":
            raise SettingsError("no pattern after the colon", where=where, remedy="as `source/subset:part-*.jsonl`")
    return found


@dataclass(frozen=True)
class Counted:
    """What a file, or a subset or source as a whole, came to.

    Attributes:
        source: name.
        subset: null for a source as a whole.
        file: null for a subset or source as a whole.
        records: read.
        made: rows, those included that a limit (`rows_per_part`, a shape's) kept out.
        lost: records quarantined. Where a pilot takes only some files of a source whose records are joined across
            files, only those that could not be read: the others miss a partner that was not fetched.
        filtered: left out by rule.
        reasons: why records were quarantined.
        rest_lost: something of it could not be read, and nobody knows how many records that is.

    """

    source: str
    subset: str | None = None
    file: str | None = None
    records: int = 0
    made: int = 0
    lost: int = 0
    filtered: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    rest_lost: bool = False

    @property
    def main_reasons(self) -> list[tuple[str, int]]:
        """The most frequent reasons with their counts; of equals the first by name."""
        return sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))[:MOST_REASONS]

    @property
    def name(self) -> str:
        """What an error calls it, and what `normalize.allow` would."""
        subset = "" if self.subset is None else f"/{self.subset}"
        return f"{self.source}{subset}" + ("" if self.file is None else f":{self.file}")


@dataclass(frozen=True)
class Shortfall:
    """What fell short in one source: the source as a whole, or the subsets and files of it that did."""

    source: str
    whole: Counted | None
    """The source as a whole, where it falls short."""
    pieces: list[Counted]

    @property
    def names(self) -> list[str]:
        """What to allow, should all of it be meant."""
        return [self.source] if self.whole else [piece.name for piece in self.pieces]


def shortfalls(
    profile: Profile,
    manifests: Iterable[Manifest],
    files: Mapping[str, Mapping[str, list[RawFile]]],
    stats: Mapping[str, Any],
) -> list[Shortfall]:
    """Return what falls short and is not allowed, by source, in the manifests' order.

    Args:
        profile: with the limits, what they allow, and what a pilot cuts.
        manifests: of the sources to judge.
        files: source → subset → its raw files.
        stats: source → subset → ``{"records", "rows", "beyond_limit", "filtered", "quarantined", "files",
            "unreadable"}``, as `curation.normalize.step` counts them.

    """
    allowed = allowed_names(profile, manifests := list(manifests))
    found = (
        _of_source(profile, manifest, files[manifest.name], stats[manifest.name], allowed) for manifest in manifests
    )
    return [shortfall for shortfall in found if shortfall is not None]


def _of_source(
    profile: Profile,
    manifest: Manifest,
    files: Mapping[str, list[RawFile]],
    stats: Mapping[str, Any],
    allowed: list[Allowed],
) -> Shortfall | None:
    def covered(subset: str | None = None, file: str | None = None) -> bool:
        return any(one.covers(manifest.name, subset, file) for one in allowed)

    if covered():
        return None
    per_file = shape(manifest.shape.kind).PER_FILE
    pieces: list[Counted] = []
    judged: list[Counted] = []
    partial = exempt = False
    for subset, raw in files.items():
        if not raw:  # a language that its origin does not have: `fetch` says so
            continue
        if covered(subset):
            exempt = True
            continue
        cut = not per_file and _may_be_cut(profile, raw)
        partial |= cut
        unread = _unread(stats[subset].get("unreadable", ()), {file.name: file.size for file in raw})
        counts = [
            replace(
                _counted(manifest.name, subset, file.name, stats[subset]["files"][file.name], cut=cut),
                rest_lost=file.name in unread,
            )
            for file in {f.name: f for f in raw}.values()
            if not covered(subset, file.name)
        ]
        exempt |= len(counts) < len({file.name for file in raw})
        sizes = {file.name: file.size for file in raw}
        short = [c for c in counts if _falls_short(c, sizes[c.file or ""], per_file=per_file)]
        whole = _counted(manifest.name, subset, None, stats[subset], cut=cut)
        judged += counts if per_file else [whole]
        if not (per_file or short or cut or whole.made or whole.filtered):
            short = [whole]
        pieces += short
    if exempt and not judged:
        return None
    total = _summed(manifest.name, judged)
    if total.made == 0:
        fails = not (partial and total.records > total.lost)
    else:
        fails = total.made < profile.normalize.least_yield * (total.made + total.lost)
    return Shortfall(manifest.name, total if fails else None, pieces) if fails or pieces else None


def _unread(entries: Iterable[tuple[str, str, int]], sizes: Mapping[str, int]) -> set[str]:
    """Return the raw files that were not read to their end, or of whose members more than a few bytes were not."""
    found, lost = set(), Counter[str]()
    for name, _, size in entries:
        file, of_member, _ = name.partition("!")
        if of_member:
            lost[file] += size
        else:
            found.add(file)
    return found | {file for file, size in lost.items() if size > UNREAD_SHARE * sizes.get(file, 0)}


def _may_be_cut(profile: Profile, files: list[RawFile]) -> bool:
    """Tell whether a pilot may have left files of a table out: partners of the records that are there."""
    most = profile.sources.files_per_table
    return most is not None and max(Counter(file.table for file in files).values(), default=0) >= most


def _falls_short(file: Counted, size: int, *, per_file: bool) -> bool:
    if file.rest_lost:
        return True
    if file.made or file.filtered or not size:
        return False
    # of a shape that needs the whole subset, a file of partners (documents, translations) makes no rows of its own
    return per_file or file.lost >= file.records


def _counted(source: str, subset: str, file: str | None, counts: Mapping[str, Any], *, cut: bool) -> Counted:
    quarantined = Counter(counts["quarantined"])
    unread = sum(of["unread"] for of in (counts["files"].values() if file is None else [counts]))
    return Counted(
        source,
        subset,
        file,
        records=counts["records"],
        made=counts["rows"] + counts["beyond_limit"],
        lost=unread if cut else quarantined.total(),
        filtered=sum(counts["filtered"].values()),
        reasons=quarantined,
    )


def _summed(source: str, pieces: list[Counted]) -> Counted:
    return Counted(
        source,
        records=sum(piece.records for piece in pieces),
        made=sum(piece.made for piece in pieces),
        lost=sum(piece.lost for piece in pieces),
        filtered=sum(piece.filtered for piece in pieces),
        reasons=sum((piece.reasons for piece in pieces), Counter()),
    )


@dataclass(frozen=True)
class Example:
    """A quarantined record."""

    file: str
    record: int
    excerpt: str


def explained(shortfall: Shortfall, examples: Mapping[tuple[str | None, str], Example]) -> str:
    """Say in a few lines what fell short, and for which reasons; the first line is of the source as a whole, if it is.

    Args:
        shortfall: of one source.
        examples: (file or null, reason) → a record quarantined for it, of that file or of any.

    """
    return "\n".join(_lines(shortfall, examples))


def _lines(shortfall: Shortfall, examples: Mapping[tuple[str | None, str], Example]) -> Iterator[str]:
    if shortfall.whole is not None:
        yield f"{_figures(shortfall.whole)}{_reasons(shortfall.whole, examples)}"
    named = [piece for piece in shortfall.pieces if shortfall.whole is None or len(shortfall.pieces) > 1]
    for piece in named[:MOST_FILES]:
        yield f"{piece.name}: {_figures(piece)}{_reasons(piece, examples)}"
    if len(named) > MOST_FILES:
        yield f"and {len(named) - MOST_FILES} more files of {shortfall.source}"


def _figures(counted: Counted) -> str:
    if counted.records == 0:
        return "no record was found in it"
    rows = f"{counted.made:,} rows" if counted.made else "no row"
    filtered = f", {counted.filtered:,} filtered" if counted.filtered else ""
    rest = ", and the rest of it was not read" if counted.file and counted.rest_lost else ""
    return f"{rows} of {counted.records:,} records{filtered}{rest}"


def _reasons(counted: Counted, examples: Mapping[tuple[str | None, str], Example]) -> str:
    said = []
    for reason, count in counted.main_reasons:
        example = examples.get((counted.file, reason))
        if example is None:
            said.append(f"{reason} {count:,}")
        else:
            place = f"record {example.record}" if counted.file else f"{example.file} record {example.record}"
            said.append(f"{reason} {count:,} ({place}: {example.excerpt[:EXCERPT_CHARS]!r})")
    return f"; {'; '.join(said)}" if said else ""
