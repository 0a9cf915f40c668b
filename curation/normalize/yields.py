"""Yield limits: find sources and files that gave no rows, or far fewer rows than records, and the reasons.

A source falls short if it has no rows, or if its yield, rows / (rows + quarantined records), is below
`normalize.least_yield`. Records that its shape or `where` filters do not count.

A raw file falls short if it is not empty, but none of its records became a row or was filtered. It also falls short if
it could not be read to its end, or if more than a hundredth of an archive's bytes could not be read, because the number
of lost records is then unknown.

Sources, subsets and files that `normalize.allow` names are not checked.
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
"""Files of a source that an error message names; the others are counted."""
MOST_REASONS = 2
"""Reasons that an error message names for a source or file, the most frequent first."""
EXCERPT_CHARS = 60
"""Characters of an example record."""
UNREAD_SHARE = 0.01
"""Share of an archive's bytes in unreadable members up to which they are treated like other bad records."""


@dataclass(frozen=True)
class Allowed:
    """One name under `normalize.allow`: `source`, `source/subset`, or `source/subset:pattern of file names`."""

    source: str
    subset: str | None = None
    files: str | None = None

    @classmethod
    def parse(cls, name: str) -> Allowed:
        """Parse a name.

        >>> Allowed.parse("laws/de:2019-*.jsonl")
        Allowed(source='laws', subset='de', files='2019-*.jsonl')
        """
        source, slash, rest = name.partition("/")
        subset, colon, files = rest.partition(":")
        return cls(source, subset if slash else None, files if colon else None)

    def covers(self, source: str, subset: str | None = None, file: str | None = None) -> bool:
        """Tell whether this name covers a whole source, a whole subset, or a file."""
        if source != self.source or (self.subset is not None and subset != self.subset):
            return False
        return self.files is None or (file is not None and any_match(file, [self.files]))


def allowed_names(profile: Profile, manifests: Iterable[Manifest]) -> list[Allowed]:
    """Parse and check `normalize.allow`.

    Raises:
        UnknownNameError: the profile does not have the source, or the source does not have the subset.
        SettingsError: there is no pattern after the colon.

    """
    manifest_of = {manifest.name: manifest for manifest in manifests}
    names = [Allowed.parse(name) for name in profile.normalize.allow]
    for name, allowed in zip(profile.normalize.allow, names, strict=True):
        where = f"normalize.allow: {name!r}"
        if allowed.source not in manifest_of:
            raise UnknownNameError("source", allowed.source, manifest_of, where=where)
        if allowed.subset is not None and allowed.subset not in manifest_of[allowed.source].subsets:
            raise UnknownNameError("subset", allowed.subset, manifest_of[allowed.source].subsets, where=where)
        if allowed.files == "":
            raise SettingsError("no pattern after the colon", where=where, remedy="as `source/subset:part-*.jsonl`")
    return names


@dataclass(frozen=True)
class Counted:
    """Counts of a file, of a whole subset or of a whole source.

    Attributes:
        source: name.
        subset: null for a whole source.
        file: null for a whole subset or source.
        records: records that were read.
        made: rows, including those beyond a limit (`rows_per_part`, or one of the shape).
        lost: quarantined records. If a pilot uses only some files of a source whose records are joined across files,
            only unreadable records count: the others may miss a partner in a file that was not fetched.
        filtered: records that a rule leaves out.
        reasons: reason → quarantined records.
        rest_lost: a part could not be read, so the number of lost records is unknown.

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
        """The most frequent reasons with their counts; equal counts are sorted by name."""
        return sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))[:MOST_REASONS]

    @property
    def name(self) -> str:
        """Name in error messages, in the form of `normalize.allow`."""
        subset = "" if self.subset is None else f"/{self.subset}"
        return f"{self.source}{subset}" + ("" if self.file is None else f":{self.file}")


@dataclass(frozen=True)
class Shortfall:
    """The parts of one source that fall short: the whole source, or some of its subsets and files."""

    source: str
    whole: Counted | None
    """Counts of the whole source, if it falls short."""
    pieces: list[Counted]
    """Counts of its subsets and files that fall short."""

    @property
    def names(self) -> list[str]:
        """The entries of `normalize.allow` that would allow the shortfall."""
        return [self.source] if self.whole else [piece.name for piece in self.pieces]


def shortfalls(
    profile: Profile,
    manifests: Iterable[Manifest],
    files: Mapping[str, Mapping[str, list[RawFile]]],
    stats: Mapping[str, Any],
) -> list[Shortfall]:
    """Return the shortfalls that are not allowed, one for each source, in the order of the manifests.

    Args:
        profile: with the limits, the exceptions, and the settings of a pilot.
        manifests: of the sources to check.
        files: source → subset → its raw files.
        stats: source → subset → ``{"records", "rows", "beyond_limit", "filtered", "quarantined", "files",
            "unreadable"}``, as `curation.normalize.step` counts them.

    """
    allowed = allowed_names(profile, manifests := list(manifests))
    by_source = (
        _of_source(profile, manifest, files[manifest.name], stats[manifest.name], allowed) for manifest in manifests
    )
    return [shortfall for shortfall in by_source if shortfall is not None]


def _of_source(
    profile: Profile,
    manifest: Manifest,
    files: Mapping[str, list[RawFile]],
    stats: Mapping[str, Any],
    allowed: list[Allowed],
) -> Shortfall | None:
    def covered(subset: str | None = None, file: str | None = None) -> bool:
        return any(allowed_name.covers(manifest.name, subset, file) for allowed_name in allowed)

    if covered():
        return None
    per_file = shape(manifest.shape.kind).PER_FILE
    pieces: list[Counted] = []
    counted_units: list[Counted] = []
    partial = exempt = False
    for subset, raw in files.items():
        if not raw:  # a language that the origin does not have; `fetch` reports it
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
        counted_units += counts if per_file else [whole]
        if not (per_file or short or cut or whole.made or whole.filtered):
            short = [whole]
        pieces += short
    if exempt and not counted_units:
        return None
    total = _summed(manifest.name, counted_units)
    if total.made == 0:
        fails = not (partial and total.records > total.lost)
    else:
        fails = total.made < profile.normalize.least_yield * (total.made + total.lost)
    return Shortfall(manifest.name, total if fails else None, pieces) if fails or pieces else None


def _unread(entries: Iterable[tuple[str, str, int]], sizes: Mapping[str, int]) -> set[str]:
    """Return the raw files that were not read to their end, or with too many bytes in unreadable members."""
    unread, unread_bytes = set(), Counter[str]()
    for name, _, size in entries:
        file, of_member, _ = name.partition("!")
        if of_member:
            unread_bytes[file] += size
        else:
            unread.add(file)
    return unread | {file for file, size in unread_bytes.items() if size > UNREAD_SHARE * sizes.get(file, 0)}


def _may_be_cut(profile: Profile, files: list[RawFile]) -> bool:
    """Tell whether a pilot may have left out files of a table, with partners of the records that were fetched."""
    limit = profile.sources.files_per_table
    return limit is not None and max(Counter(file.table for file in files).values(), default=0) >= limit


def _falls_short(file: Counted, size: int, *, per_file: bool) -> bool:
    if file.rest_lost:
        return True
    if file.made or file.filtered or not size:
        return False
    # with a shape that needs the whole subset, a file of partners (documents, translations) has no rows by itself
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
    """An example of a quarantined record."""

    file: str
    record: int
    excerpt: str


def explained(shortfall: Shortfall, examples: Mapping[tuple[str | None, str], Example]) -> str:
    """Describe a shortfall and its reasons in a few lines; a whole source comes first.

    Args:
        shortfall: of one source.
        examples: (file, or null for any file; reason) → a record that was quarantined for this reason.

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
    reasons = []
    for reason, count in counted.main_reasons:
        example = examples.get((counted.file, reason))
        if example is None:
            reasons.append(f"{reason} {count:,}")
        else:
            record = f"record {example.record}" if counted.file else f"{example.file} record {example.record}"
            reasons.append(f"{reason} {count:,} ({record}: {example.excerpt[:EXCERPT_CHARS]!r})")
    return f"; {'; '.join(reasons)}" if reasons else ""
