"""Probes one source: runs the heads of its files through the readers, the shape and the checks of a build.

The result is a list of findings with three levels. `failed`: a build with this source fails or gets no rows from it.
`warning`: a build works, but something should be checked first. `note`: information about the numbers.
"""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from open_ml_embed.core.errors import CorpusError, SchemaError, TransientError
from open_ml_embed.core.json_text import loads
from open_ml_embed.core.scratch import scratch_folder
from sources.access import Dead
from sources.checks import DAMAGE, seen, under_both
from sources.fetch import FetchOptions, most_files
from sources.manifest import Manifest, RawTable
from sources.normalize import normalize, parts
from sources.parts import Part, RawFile
from sources.probing.heads import LEAST_BYTES, REMEDY, Head, take_head
from sources.probing.places import LocatedFile, Places
from sources.probing.ranged import LocalRanged, Meter, unreachable
from sources.quarantine import Quarantine
from sources.readers.cast import Casting
from sources.readers.json_values import kind_of
from sources.readers.sniff import open_text
from sources.record_counts import FileCounts, Tally
from sources.renaming import columns_of, under_names
from sources.shapes import shape

VERSION = 2
"""Version of the stored results; results of older versions are made again."""
SOURCE_BYTES = 8 << 20
"""Bytes to read for all heads of a source together; each head has at least `LEAST_BYTES` and at most `FILE_BYTES`."""
FILE_BYTES = 1 << 19
LEAST_YIELD = 0.5
"""If a smaller share of the records becomes rows, warn, since `normalize.least_yield` would refuse the source."""
DAMAGED_SHARE = 0.05
"""If a larger share of the texts shows one kind of damage, warn."""
SHOWN_ROWS = 3
SHOWN_SUBSETS = 20
"""Most subsets whose first rows are kept; the others have counts only."""
_SHOWN_CHARS = 300
_REASONS = 3
_LOOKED_AT = 20
"""Lines from which the columns of a jsonl file are inferred."""
Level = Literal["failed", "warning", "note"]
Verdict = Literal["ok", "warning", "failed"]
_LEVELS: tuple[Level, ...] = ("failed", "warning", "note")


@dataclass
class Finding:
    """One finding of a probe.

    Attributes:
        level: severity.
        what: what was found.
        where: subset, file or repository; may be empty.
        remedy: what to do about it; may be empty.
        transient: whether a later attempt may succeed.
        places: number of distinct locations (files, repositories) with this finding; `where` is the first.
        subsets: number of times it was found at `where`, by different subsets.

    """

    level: Level
    what: str
    where: str = ""
    remedy: str = ""
    transient: bool = False
    places: int = 1
    subsets: int = 1


@dataclass
class Size:
    """Total size of a set of raw files, as known before they are fetched.

    Attributes:
        files: number of files.
        bytes: of all files; None if the size of one is unknown.
        records: of all files, as their footers state; None if a file does not state them.

    """

    files: int = 0
    bytes: int | None = 0
    records: int | None = 0

    def add(self, size: int | None, records: int | None) -> None:
        """Add a file of `size` bytes with `records` records; None: unknown."""
        self.files += 1
        self.bytes = None if self.bytes is None or size is None else self.bytes + size
        self.records = None if self.records is None or records is None else self.records + records


@dataclass
class SubsetProbe:
    """Result for one subset.

    Attributes:
        size: of its files.
        records: number of records in its heads.
        rows: number of rows made of these records.
        partial: whether the shape needs the whole subset, so that the rows of the heads are not representative.
        first: the first rows, with shortened texts.

    """

    size: Size = field(default_factory=Size)
    records: int = 0
    rows: int = 0
    partial: bool = False
    first: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Probe:
    """Result for one source.

    Attributes:
        source: its name.
        reach: `reachable`, `local` (its files are in a local folder), `gated`, `gone`, `busy`, `refused`, `manual`
            (must be downloaded by hand), `dead` (according to the manifest), `unprobed` (known only after a fetch).
        revisions: (repository, revision, probed commit, current commit of the revision if known).
        size: of all its files; a file of several subsets is counted once.
        tables: table → size of its files.
        columns: table → column → type, from the first file that states them.
        renamed: table → field → column that is read as the field.
        subsets: by name.
        quarantined: reason → number of records of the heads.
        filtered: reason → number of records of the heads.
        checks: kind → number of texts of the heads, from `sources.checks.seen`; also `under_both` if rows have labels.
        findings: most severe first.
        read: number of bytes read over the network.

    """

    source: str
    reach: str = "reachable"
    revisions: list[tuple[str, str, str, str | None]] = field(default_factory=list)
    size: Size = field(default_factory=Size)
    tables: dict[str, Size] = field(default_factory=dict)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    renamed: dict[str, dict[str, str]] = field(default_factory=dict)
    subsets: dict[str, SubsetProbe] = field(default_factory=dict)
    quarantined: Counter[str] = field(default_factory=Counter)
    filtered: Counter[str] = field(default_factory=Counter)
    checks: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    read: int = 0
    _places: dict[tuple[Level, str], set[str]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def verdict(self) -> Verdict:
        """Return the worst level of the findings."""
        levels = {finding.level for finding in self.findings}
        return "failed" if "failed" in levels else "warning" if "warning" in levels else "ok"

    @property
    def transient(self) -> bool:
        """Whether there are failures, and all of them are transient."""
        failed = [finding for finding in self.findings if finding.level == "failed"]
        return bool(failed) and all(finding.transient for finding in failed)

    @property
    def records(self) -> int:
        """Number of records in all heads."""
        return sum(subset.records for subset in self.subsets.values())

    @property
    def rows(self) -> int:
        """Number of rows made of all heads."""
        return sum(subset.rows for subset in self.subsets.values())

    def say(self, level: Level, what: str, where: str = "", remedy: str = "", *, transient: bool = False) -> None:
        """Add a finding; a repetition by another subset or at another location is only counted."""
        known = next((one for one in self.findings if (one.level, one.what) == (level, what)), None)
        places = self._places.setdefault((level, what), set())
        if known is None:
            self.findings.append(Finding(level, what, where, remedy, transient))
        elif where == known.where:
            known.subsets += 1
        elif where not in places:
            known.places += 1
        places.add(where)

    def refuse(self, error: CorpusError) -> None:
        """Add an error as a finding of level `failed`."""
        self.say("failed", error.what, error.where, error.remedy, transient=isinstance(error, TransientError))

    def as_json(self) -> dict[str, Any]:
        """Return the result as JSON data."""
        data = asdict(self)
        del data["_places"]
        revisions = [dict(zip(("repo", "ref", "commit", "now"), one, strict=True)) for one in self.revisions]
        counts = {name: dict(sorted(getattr(self, name).items())) for name in ("quarantined", "filtered")}
        return {"verdict": self.verdict, "transient": self.transient} | data | {"revisions": revisions} | counts


def probe(manifest: Manifest, options: FetchOptions, pool: Executor) -> Probe:
    """Probe a source: read the heads of its raw files and report what a build would make of them.

    Args:
        manifest: of the source.
        options: as for `fetch`. All files are listed, but only the heads of those that a profile takes
            (`files_per_table`) are read.
        pool: threads to read the heads. The result does not depend on their number.

    """
    result = Probe(manifest.name)
    if isinstance(manifest.access, Dead):
        result.reach = "dead"
        result.say("warning", f"its origin is gone; {manifest.access.replaced_by} takes its place", manifest.name)
        return result
    with scratch_folder("probe") as folder:
        _Probing(manifest, options, folder, result).run(pool)
    result.findings.sort(key=lambda finding: _LEVELS.index(finding.level))
    return result


@dataclass(frozen=True)
class _HeadKey:
    """Identity of a head: the file, and how it is read."""

    place: str
    name: str
    table: str
    read_as: str


class _Probing:
    def __init__(self, manifest: Manifest, options: FetchOptions, folder: Path, result: Probe) -> None:
        self.manifest, self.options, self.folder, self.result = manifest, options, folder, result
        self.meter = Meter()
        self.places = Places(options, self.meter)
        self.heads: dict[_HeadKey, Head] = {}
        self.refused: set[str] = set()
        """Names of files that could not be read from their origin."""
        self.texts: list[tuple[pa.Array, pa.Array]] = []
        self.labeled: list[tuple[pa.Array, pa.Array]] = []

    def run(self, pool: Executor) -> None:
        files = self._located()
        self._take_heads(files, pool)
        self._measure(files)
        for subset, of_subset in files.items():
            self._run_subset(subset, of_subset)
        self._judge_rows()
        self._check_texts()
        self.result.read = self.meter.bytes

    def _located(self) -> dict[str, list[LocatedFile]]:
        """Locate the files of all subsets; failures become findings."""
        files: dict[str, list[LocatedFile]] = {}
        result, places = self.result, self.places
        for subset in self.manifest.subsets:
            try:
                files[subset] = places.find(self.manifest.bound(subset), subset)
            except CorpusError as error:
                result.refuse(error)
                result.reach = "manual" if self.manifest.origin.kind == "manual" else unreachable(error)
        for what, where, remedy in places.notes:
            result.say("warning", what, where, remedy)
        result.revisions = [
            (*revision, commit, places.moved.get(revision)) for revision, commit in sorted(places.revisions.items())
        ]
        if places.unprobed:
            result.reach = "unprobed"
            result.say("note", places.unprobed, self.manifest.name, "`curate fetch` tells more")
        elif files and all(isinstance(file.ranged, LocalRanged) for of in files.values() for file in of):
            result.reach = "local"
        return files

    def _take_heads(self, files: dict[str, list[LocatedFile]], pool: Executor) -> None:
        """Read the heads of all files.

        Of the Parquet files of a subset and table, rows are read only from the first one; of the others, only the
        footer is read. The selection is made before the first read, so that it does not depend on timing.
        """
        wanted: dict[_HeadKey, tuple[LocatedFile, RawTable, bool]] = {}
        for subset, of_subset in files.items():
            bound = self.manifest.bound(subset)
            for table, of_table in itertools.groupby(self._slice(bound, of_subset), key=lambda file: file.table):
                for number, file in enumerate(of_table):
                    key = _key(file, bound.tables[table])
                    rows = number == 0 or (key in wanted and wanted[key][2])
                    wanted[key] = (file, bound.tables[table], rows)
        share = min(FILE_BYTES, SOURCE_BYTES // max(len(wanted), 1))
        jobs = list(wanted.items())

        def take(number: int) -> Head | CorpusError:
            file, table, rows = jobs[number][1]
            try:
                return take_head(file.ranged, table, self.folder / str(number), share, rows=rows)
            except CorpusError as error:
                return error

        for (key, (file, _, _)), outcome in zip(jobs, pool.map(take, range(len(jobs))), strict=True):
            if isinstance(outcome, Head):
                self.heads[key] = outcome
                continue
            self.refused.add(file.name)
            self.result.say(
                "failed",
                outcome.what,
                outcome.where or file.name,
                outcome.remedy,
                transient=isinstance(outcome, TransientError),
            )
            if self.result.reach in ("reachable", "local"):
                self.result.reach = unreachable(outcome)
        self._judge_heads([(key, file.name) for key, (file, _, _) in jobs])

    def _slice(self, bound: Manifest, files: list[LocatedFile]) -> Iterator[LocatedFile]:
        """Yield the files that the profile takes (`files_per_table`)."""
        for table, of_table in itertools.groupby(files, key=lambda file: file.table):
            yield from itertools.islice(of_table, most_files(bound, table, self.options))

    def _judge_heads(self, files: list[tuple[_HeadKey, str]]) -> None:
        empty = [name for key, name in files if key in self.heads and self.heads[key].empty]
        for name in empty:
            level: Level = "failed" if len(empty) == len(files) else "warning"
            self.result.say(level, "the file is empty (0 bytes)", name, REMEDY)
        for key, name in files:
            head = self.heads.get(key)
            if head is not None and head.fault:
                self.result.say("failed", head.fault, name, head.remedy)
            elif head is not None and head.note:
                self.result.say("warning", head.note, name)

    def _measure(self, files: dict[str, list[LocatedFile]]) -> None:
        """Sum the sizes: for the source and its tables each file once, for each subset all its files."""
        counted: set[tuple[str, str]] = set()
        for subset, of_subset in files.items():
            about = self.result.subsets.setdefault(subset, SubsetProbe())
            tables = self.manifest.bound(subset).tables
            for file in of_subset:
                head = self.heads.get(_key(file, tables[file.table]))
                size, records = _size(file, self.refused), head.records if head is not None else None
                about.size.add(size, records)
                if (file.place, file.name) not in counted:
                    counted.add((file.place, file.name))
                    self.result.size.add(size, records)
                    self.result.tables.setdefault(file.table, Size()).add(size, records)
        sizes = [self.result.size, *self.result.tables.values(), *(s.size for s in self.result.subsets.values())]
        for of in sizes:
            if not of.files:
                of.bytes = of.records = None

    def _run_subset(self, subset: str, files: list[LocatedFile]) -> None:
        """Run the heads of a subset through the normalizer."""
        bound = self.manifest.bound(subset)
        about = self.result.subsets[subset]
        raw: list[RawFile] = []
        cut: set[str] = set()
        for file in self._slice(bound, files):
            table = bound.tables[file.table]
            head = self.heads.get(_key(file, table))
            if head is None or head.path is None or head.fault:
                cut.add(file.name)
                continue
            if self._columns(file, table, head) and head.has_rows:
                raw.append(RawFile(file.table, file.name, str(head.path), head.path.stat().st_size, ""))
            if head.cut:
                cut.add(file.name)
        per_file = shape(bound.shape.kind).PER_FILE
        about.partial = not per_file and bool(cut)
        if not per_file and {file.table for file in raw} != set(bound.tables):
            return  # the shape needs records of all tables
        for part in parts(bound, subset, raw):
            self._run_part(part, bound, about, cut)

    def _columns(self, file: LocatedFile, table: RawTable, head: Head) -> bool:
        """Record the columns of a file; return false and add a finding if they do not fit the manifest."""
        assert head.path is not None
        result = self.result
        stated = head.columns or _columns_of_text(head.path, file.name, table)
        if stated:
            result.columns.setdefault(file.table, stated)
        try:
            names = columns_of(head.path, file.name, table)
            if table.format == "parquet" and table.members is None and not head.has_rows:
                columns = pq.read_schema(head.path).empty_table()
                casting = Casting(file.name, under_names(table, names), Quarantine("", ""))
                casting.columns(columns, file.name, np.zeros(0, np.int64))
        except (SchemaError, OSError, pa.ArrowException) as error:
            if not isinstance(error, SchemaError):  # a damaged file, which the reader reports
                return True
            result.refuse(_at(error, file.name))
            return False
        for name, column in names.items():
            if name != column:
                result.renamed.setdefault(file.table, {})[name] = column
        return True

    def _run_part(self, part: Part, bound: Manifest, about: SubsetProbe, cut: set[str]) -> None:
        quarantine, filtered, tally = Quarantine(part.source, part.subset), Counter[str](), Tally(part)
        batches: list[pa.RecordBatch] = []
        refused: SchemaError | None = None
        try:
            for batch in normalize(part, bound, quarantine, filtered, tally):
                batches.append(batch)
        except SchemaError as error:
            refused = error
        except CorpusError as error:
            self.result.refuse(error)
            return
        per_file = shape(bound.shape.kind).PER_FILE
        files = tally.files(quarantine, filtered, per_file=per_file)
        for name in cut & {file.name for file in part.files}:
            _forgive(files[name], quarantine, name, bound)
        rows = sum(batch.num_rows for batch in batches)
        records = sum(counts.records for counts in files.values())
        about.records += records
        about.rows += rows
        if refused is not None:
            self._refuse_schema(refused, records, rows, is_cut=bool(cut & {file.name for file in part.files}))
        for file, why, _ in quarantine.unreadable:
            self.result.say("failed", why, file, REMEDY)
        for counts in files.values():
            self.result.quarantined.update(counts.quarantined)
        self.result.filtered.update(filtered)
        if refused is None and not quarantine.unreadable:
            self._judge_files(files, about, bound)
        for batch in batches:
            self._keep(batch, about)

    def _refuse_schema(self, error: SchemaError, records: int, rows: int, *, is_cut: bool) -> None:
        """Report a schema error at the end of a file; for a head only as a warning, since a column may come later."""
        if is_cut and rows:
            self.result.say("warning", f"{error.what} (in its first {records:,} records)", error.where, error.remedy)
        else:
            self.result.refuse(error)

    def _judge_files(self, files: Mapping[str, FileCounts], about: SubsetProbe, bound: Manifest) -> None:
        """Report files none of whose records becomes a row, as `normalize` would."""
        for name, counts in files.items():
            lost = counts.unread if about.partial else counts.quarantined.total()
            kept = counts.records - lost if about.partial else counts.rows + counts.filtered.total()
            if lost and kept <= 0:
                self.result.say(
                    "failed",
                    f"none of its first {counts.records:,} records becomes a row: {_counted(counts.quarantined)}",
                    name,
                    f"compare `tables` and `shape` in manifests/sources/{bound.name}.yaml with the file",
                )

    def _keep(self, batch: pa.RecordBatch, about: SubsetProbe) -> None:
        """Keep texts for the checks, and the first rows for display."""
        self.texts.append((batch["query"], batch["query_lang"]))
        if self.manifest.family != "classification":  # there the positives are class names
            self.texts.append((batch["positive"], batch["positive_lang"]))
        if self.manifest.family != "retrieval":
            self.labeled.append((batch["query"], batch["label"]))
        shown = sum(bool(subset.first) for subset in self.result.subsets.values())
        if about.first or shown < SHOWN_SUBSETS:
            for row in batch.slice(0, SHOWN_ROWS - len(about.first)).to_pylist():
                about.first.append(_shown(row))

    def _judge_rows(self) -> None:
        result = self.result
        whole = [subset for subset in result.subsets.values() if subset.records and not subset.partial]
        partial = [subset for subset in result.subsets.values() if subset.partial]
        lost, made = sum(result.quarantined.values()), result.rows
        if whole and not made and not lost and result.filtered:
            result.say(
                "warning",
                f"all of the first {result.records:,} records are left out by rule: {_counted(result.filtered)}",
                result.source,
                "look whether `where` and `shape` of the manifest say what is meant",
            )
        if made and not partial and made < LEAST_YIELD * (made + lost):
            result.say(
                "warning",
                f"of the first {result.records:,} records {lost:,} cannot become rows: {_counted(result.quarantined)}",
                result.source,
                "`curate normalize` refuses a source of which fewer than `least_yield` become rows",
            )
        if partial:
            none = "; the heads give none" if not made else ""
            result.say("note", f"partial: rows of the shape {self.manifest.shape.kind} need a whole subset{none}")

    def _check_texts(self) -> None:
        """Count the damage in the texts, and warn if it is frequent."""
        if not self.texts:
            return
        texts = pa.concat_arrays([text for text, _ in self.texts])
        langs = pa.concat_arrays([lang for _, lang in self.texts])
        result, counts = self.result, seen(texts, langs)
        result.checks = counts
        if self.labeled:
            queries, labels = (pa.concat_arrays([pair[side] for pair in self.labeled]) for side in (0, 1))
            result.checks["under_both"] = under_both(queries, labels)
        for kind in DAMAGE:
            count = counts[kind]
            if count > DAMAGED_SHARE * counts["texts"]:
                result.say(
                    "warning",
                    f"{count:,} of {counts['texts']:,} texts of the heads show damage: {kind}",
                    result.source,
                    "look at the rows; `clean` of the manifest names what mends texts (`sources.cleaning`)",
                )


def _key(file: LocatedFile, table: RawTable) -> _HeadKey:
    read_as = table.model_dump_json(exclude={"files", "repo"})
    return _HeadKey(file.place, file.name, file.table, read_as)


def _size(file: LocatedFile, refused: set[str]) -> int | None:
    """Return the size of a file, None if unknown; a file that could not be read is not requested again."""
    try:
        size = file.ranged.known_size if file.name in refused else file.ranged.size()
    except CorpusError:
        return None
    return None if getattr(file.ranged, "unsized", False) else size


def _at(error: CorpusError, name: str) -> CorpusError:
    return error if error.where else type(error)(error.what, where=name, remedy=error.remedy)


def _forgive(counts: FileCounts, quarantine: Quarantine, name: str, bound: Manifest) -> None:
    """Remove the errors that the cut of a head caused in the last record of a document."""
    of_file = [entry for entry in quarantine.unreadable if entry[0] == name or entry[0].startswith(f"{name}!")]
    if counts.records > counts.unread or counts.rows:
        quarantine.unreadable[:] = [entry for entry in quarantine.unreadable if entry not in of_file]
        if counts.quarantined["invalid-json"] and _is_json(bound):
            counts.quarantined["invalid-json"] -= 1
            counts.quarantined += Counter()
            counts.records -= 1
            counts.unread -= 1


def _is_json(bound: Manifest) -> bool:
    return any(table.format in ("json", "json-map", "jsonl") for table in bound.tables.values())


def _columns_of_text(path: Path, name: str, table: RawTable) -> dict[str, str]:
    """Return column → type from the first records of a text file, by the JSON types of their values."""
    if table.members is not None or table.format not in ("csv", "tsv", "jsonl"):
        return {}
    with open_text(path, name, table.encoding) as stream:
        lines = stream.read(LEAST_BYTES).decode("utf-8", "replace").splitlines()
    if table.format in ("csv", "tsv"):
        delimiter = "," if table.format == "csv" else "\t"
        names = table.header or next(csv.reader(lines[:1], delimiter=delimiter), [])
        return dict.fromkeys(names, "string")
    kinds: dict[str, str] = {}
    for line in lines[:_LOOKED_AT]:
        try:
            record = loads(line)
        except ValueError:
            continue
        for key, value in record.items() if isinstance(record, dict) else ():
            if value is not None:
                kinds.setdefault(key, kind_of(value))
    return kinds


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: _cut(row[name]) for name in ("query", "positive")}
    return shown | {
        "negatives": [_cut(text) for text in row["negatives"][:SHOWN_ROWS]],
        "label": row["label"],
        "query_lang": row["query_lang"],
        "positive_lang": row["positive_lang"],
        "origin": row["origin"],
    }


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"


def _counted(counts: Counter[str]) -> str:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_REASONS]
    return ", ".join(f"{name} {count:,}" for name, count in most)
