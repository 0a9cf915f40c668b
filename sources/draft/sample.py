"""Samples a dataset: selects the files of the training split, and reads the first records of one of them.

Only the head of one file is read (and the footers of Parquet files), as by a probe (`sources.probing`).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from open_ml_embed.core.errors import CorpusError, FetchError, SchemaError, UnknownNameError
from open_ml_embed.core.json_text import loads
from open_ml_embed.core.scratch import scratch_folder
from sources.draft.card import Card, read_card
from sources.fetch import FetchOptions, hub
from sources.fetch.file_selection import CONVERTED
from sources.fetch.local import check_name, names_below
from sources.globs import any_match
from sources.languages import LanguageCodeError, tag_of
from sources.manifest import RawTable
from sources.probing.heads import MOST_BYTES, Head, take_head
from sources.probing.ranged import HubRanged, LocalRanged, Meter, Ranged
from sources.readers.recognize import encoding_of, not_the_data
from sources.readers.sniff import open_text

ROWS = 256
"""Most records to read."""
HEAD_BYTES = 1 << 19
_CARD_BYTES = 1 << 20
_FOOTERS = 16
"""Most Parquet files whose footers are read to count records."""
_PACKED = re.compile(r"\.(gz|gzip|bz2|xz|zst|zstd|lz4|br)$")
_ENDINGS = {
    "parquet": "parquet", "jsonl": "jsonl", "ndjson": "jsonl", "jsonlines": "jsonl", "json": "json", "csv": "csv",
    "tsv": "tsv",
}  # fmt: skip
_RANK = list(dict.fromkeys(_ENDINGS.values()))
_NOT_DATA = re.compile(r"(^|/)(dataset_infos?|dataset_dict|state|config|package|metadata)\.json$")
_TRAIN = re.compile(r"(^|[/_.-])train(ing)?([/_.-]|\d|$)")
_HELD_OUT = re.compile(r"(^|[/_.-])(test|dev|valid|validation|val|eval|evaluation)([/_.-]|\d|$)")
_SHARD = re.compile(r"\d+-of-\d+|\d+")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_LONGEST_NAME = 60


@dataclass
class Sample:
    """A sample of a dataset: its files, its first records, and its card.

    Attributes:
        name: proposal for the source's name.
        origin: section `origin` of the manifest.
        files: globs of the files to take.
        files_why: reason for this selection.
        format: name of the reader.
        records: number of records of these files; None: unknown.
        records_why: source of this number.
        columns: column → declared type, of columns that hold a value.
        rows: the first records, column → value.
        card: the dataset card.
        header: column names of a csv or tsv file without a header line.
        record_path: path to the records of a nested JSON file.
        languages: folder → tag, if the files lie in one folder for each language.

    """

    name: str
    origin: dict[str, Any]
    files: list[str] = field(default_factory=list)
    files_why: str = ""
    format: str = ""
    records: int | None = None
    records_why: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    card: Card = field(default_factory=Card)
    header: list[str] | None = None
    record_path: str | None = None
    languages: dict[str, str] = field(default_factory=dict)

    def values(self, column: str) -> list[Any]:
        """Return the non-null values of a column in the first records."""
        return [row[column] for row in self.rows if row.get(column) is not None]


@dataclass(frozen=True)
class _Dataset:
    """The files of a dataset: name → bytes, and how to read one."""

    where: str
    sizes: dict[str, int]
    open: Callable[[str], Ranged]


def look_at(dataset: str, options: FetchOptions) -> Sample:
    """Sample a dataset.

    Args:
        dataset: `owner/name` of the Hub, or the path of a file or folder.
        options: the Hub's endpoint, and `local_root`: a folder below it is named relative to it. Files are written to
            a temporary folder only.

    Raises:
        UnknownNameError: it is neither; the message suggests the nearest file names.
        FetchError: it cannot be read, or holds no file of a known format.
        SchemaError: its records cannot be read.
        TransientError: the server may answer later.

    """
    with scratch_folder("draft") as home:
        path = Path(dataset).expanduser()
        if path.exists():
            files, sample = _local(path, options.local_root)
        elif _REPOSITORY.fullmatch(dataset) and _format(dataset) is None:
            files, sample = _on_the_hub(dataset, FetchOptions(str(home / "raw"), endpoint=options.endpoint))
        else:
            beside = path.parent.iterdir() if path.parent.is_dir() else ()
            known = [str(other) for other in beside if not other.name.startswith(".")]
            raise UnknownNameError("file, folder or repository (owner/name)", dataset, known)
        sample.card = _card(files)
        _read(files, sample, _choose(files, sample), home)
    return sample


def proposed_name(dataset: str) -> str:
    """Return a name for the source, derived from the name of the dataset.

    >>> proposed_name("harbour-office/lighthouse-logs"), proposed_name("raw/Laws.jsonl.gz")
    ('lighthouse_logs', 'laws')
    """
    path = Path(dataset).expanduser()
    name = path.resolve().name
    return _named(name if path.is_dir() or _format(name) is None else _PACKED.sub("", name).rpartition(".")[0])


def _local(path: Path, local_root: str | None) -> tuple[_Dataset, Sample]:
    folder = path if path.is_dir() else path.parent
    check_name(path.name, str(folder))
    names = names_below(folder) if path.is_dir() else [path.name]
    cards = ["README.md"] if not path.is_dir() and (folder / "README.md").is_file() else []
    sizes = {name: (folder / name).stat().st_size for name in [*names, *cards]}
    home = folder.resolve()
    if local_root is not None and home.is_relative_to(Path(local_root).resolve()):
        home = home.relative_to(Path(local_root).resolve())
    origin = {"kind": "manual", "url": "this machine", "folder": home.as_posix()}
    return _Dataset(str(path), sizes, lambda file: LocalRanged(file, folder / file)), Sample(
        proposed_name(str(path)), origin
    )


def _on_the_hub(repo: str, options: FetchOptions) -> tuple[_Dataset, Sample]:
    listing, _ = hub.names_at((repo, "main"), ["**"], options, repo)
    origin = {"kind": "hub", "repo": repo}
    if not any(_is_data(name) for name in listing.files):
        with suppress(FetchError):  # the repository may hold a loading script only, and the Hub have converted it
            listing, _ = hub.names_at((repo, CONVERTED), ["**"], options, repo)
            origin["ref"] = CONVERTED
    meter, chosen = Meter(), listing
    sizes = {name: size for name, (size, _) in chosen.files.items()}

    def open_file(name: str) -> HubRanged:
        return HubRanged(chosen, name, options, meter)

    return _Dataset(repo, sizes, open_file), Sample(proposed_name(repo), origin)


def _named(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "source"


def _card(files: _Dataset) -> Card:
    size = files.sizes.get("README.md")
    if not size:
        return Card()
    return read_card(files.open("README.md").get(0, min(size, _CARD_BYTES)).decode("utf-8", "replace"))


def _format(name: str) -> str | None:
    return _ENDINGS.get(_PACKED.sub("", name.lower()).rpartition(".")[2])


def _is_data(name: str) -> bool:
    return _format(name) is not None and not _NOT_DATA.search(name)


def _choose(files: _Dataset, sample: Sample) -> str:
    """Select the files to take (the training data of the card, else by file names) and return the first one."""
    data = sorted(name for name in files.sizes if _is_data(name))
    if not data:
        raise _nothing(files)
    stated = [name for name in data if any_match(name, sample.card.data_files())]
    if stated:
        data, sample.files_why = stated, "the card names them as the train split"
    best = min((_format(name) or "" for name in data), key=_RANK.index)
    data = [name for name in data if _format(name) == best]
    if not stated:
        data, sample.files_why = _split(data)
    data = _folder(data, files, sample)
    patterns: dict[str, list[str]] = defaultdict(list)
    for name in data:
        patterns[_pattern(name)].append(name)
    size = {pattern: sum(files.sizes[name] for name in names) for pattern, names in patterns.items()}
    if stated or sample.languages:
        chosen = sorted(patterns)
    else:
        chosen = [max(sorted(patterns), key=lambda pattern: size[pattern])]
        if others := sorted(set(patterns) - set(chosen)):
            sample.files_why += f"; the largest of several, not taken: {', '.join(others[:3])}"
    globs = [patterns[one][0] if len(patterns[one]) == 1 and "-of-" not in one else _glob(one) for one in chosen]
    sample.files = list(dict.fromkeys(_in_subset(glob) if sample.languages else glob for glob in globs))
    sample.format = best
    taken = [name for one in chosen for name in patterns[one]]
    _count(files, sample, taken)
    return taken[0]


def _split(data: list[str]) -> tuple[list[str], str]:
    train = [name for name in data if _TRAIN.search(name.lower())]
    if train:
        return train, "their names say train"
    rest = [name for name in data if not _HELD_OUT.search(name.lower())]
    if rest:
        return rest, "no name says train; those that say test or validation are left out"
    return data, "no name says train, so this may be held-out data: check it"


def _folder(data: list[str], files: _Dataset, sample: Sample) -> list[str]:
    """Return the files of one folder, or of all folders if each is named after a language."""
    folders: dict[str, list[str]] = defaultdict(list)
    for name in data:
        folders[name.rpartition("/")[0]].append(name)
    if len(folders) == 1:
        return data
    tags: dict[str, str] = {}
    for folder in folders:
        with suppress(LanguageCodeError):
            if re.fullmatch(r"[a-z]{2,3}([-_]([A-Za-z]{2}|[A-Za-z]{4}))?", folder):
                tags[folder] = tag_of(folder)
    if len(tags) == len(folders):
        sample.languages = tags
        sample.files_why += "; one folder for each language"
        return data
    rank = {
        folder: (folder.startswith("default"), sum(files.sizes[n] for n in names)) for folder, names in folders.items()
    }
    chosen = max(sorted(folders), key=lambda folder: rank[folder])
    others = sorted(set(folders) - {chosen})
    sample.files_why += f"; other folders, not taken: {', '.join(one or '(top)' for one in others[:5])}"
    return folders[chosen]


def _pattern(name: str) -> str:
    folder, slash, file = name.rpartition("/")
    return folder + slash + _SHARD.sub(lambda found: "#-of-#" if "-of-" in found[0] else "#", file)


def _glob(pattern: str) -> str:
    return pattern.replace("#-of-#", "*").replace("#", "*").replace("[", "?")


def _in_subset(glob: str) -> str:
    return "{subset}/" + glob.partition("/")[2]


def _count(files: _Dataset, sample: Sample, taken: list[str]) -> None:
    """Count the records from Parquet footers, or take the card's number."""
    if sample.format == "parquet" and len(taken) <= _FOOTERS:
        with scratch_folder("draft") as folder:
            table = RawTable(files=["*"], format="parquet", fields={})
            heads = [take_head(files.open(name), table, folder / "head", 0, rows=False) for name in taken]
        counts = [head.records for head in heads if head.records is not None]
        if len(counts) == len(taken):
            sample.records, sample.records_why = sum(counts), "records, as the files' footers state"
            return
    if (stated := sample.card.examples()) is not None:
        sample.records, sample.records_why = stated, "records, as the card states"


def _nothing(files: _Dataset) -> CorpusError:
    """Return the error for a dataset without a readable data file."""
    first = next((name for name in sorted(files.sizes) if name != "README.md"), None)
    formats = "parquet, jsonl, json, csv or tsv (also compressed)"
    remedy = f"name a file or folder of {formats}; other formats: write the manifest by hand (CONTRIBUTING.md)"
    if first is None:
        return FetchError("holds no data file", where=files.where, remedy=remedy)
    size = files.sizes[first]
    why = not_the_data(files.open(first).get(0, min(size, 1 << 14))) if size else "the file is empty (0 bytes)"
    return FetchError(f"{first}: {why or 'its format is not known from its name'}", where=files.where, remedy=remedy)


def _read(files: _Dataset, sample: Sample, name: str, home: Path) -> None:
    """Read the first records of a file."""
    ranged, target = files.open(name), home / "head"
    where = f"{files.where}: {name}" if name not in files.where else files.where
    if sample.format == "parquet":
        _read_parquet(ranged, sample, target, where)
    else:
        _read_text(ranged, sample, target, where)
    if not sample.columns:
        raise SchemaError("no column of its first records holds a value", where=where, remedy="look at the file")


def _headed(head: Head, where: str) -> Path:
    """Return the path of a head that has something to read."""
    if head.fault or head.empty or head.path is None or not head.has_rows:
        what = head.fault or ("the file is empty (0 bytes)" if head.empty else head.note or "it holds no records")
        raise SchemaError(what, where=where, remedy=head.remedy or "name another file, or write the manifest by hand")
    return head.path


def _read_parquet(ranged: Ranged, sample: Sample, target: Path, where: str) -> None:
    table = RawTable(files=["*"], format="parquet", fields={})
    stated = take_head(ranged, table, target, 0, rows=False)
    if stated.fault or stated.empty:
        _headed(stated, where)
    wanted = [
        name for name, kind in stated.columns.items() if "binary" not in kind and "list<element: float" not in kind
    ]
    table = table.model_copy(update={"fields": dict.fromkeys(wanted, "any")})
    path = _headed(take_head(ranged, table, target, HEAD_BYTES), where)
    try:
        with pq.ParquetFile(path) as file:
            batch = next(file.iter_batches(ROWS, columns=wanted, use_threads=False), None)
    except (pa.ArrowException, OSError) as error:
        why = f"no Parquet file, or a damaged one: {error}"
        raise SchemaError(why, where=where, remedy="fetch the file again") from None
    if batch is None:
        raise SchemaError("it holds no records", where=where, remedy="name another file")
    sample.rows = batch.to_pylist()
    sample.columns = {
        name: declared for name, kind in zip(batch.schema.names, batch.schema.types, strict=True)
        if (declared := _of_arrow(kind)) and sample.values(name)
    }  # fmt: skip


def _of_arrow(kind: pa.DataType) -> str:
    types = pa.types
    if isinstance(kind, pa.DictionaryType):
        return _of_arrow(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind):
        inner = _of_arrow(kind.value_type)
        return {"string": "list<string>", "struct": "list<struct>"}.get(inner, "any")
    tests = {
        "string": (types.is_string, types.is_large_string, types.is_string_view),
        "bool": (types.is_boolean,),
        "int64": (types.is_integer,),
        "float64": (types.is_floating,),
        "struct": (types.is_struct,),
    }
    return next((name for name, holds in tests.items() if any(test(kind) for test in holds)), "any")


def _read_text(ranged: Ranged, sample: Sample, target: Path, where: str) -> None:
    table = RawTable(files=["*"], format=sample.format, fields={})
    head = take_head(ranged, table, target, HEAD_BYTES)
    path = _headed(head, where)
    with open_text(path, ranged.name) as stream:
        data = stream.read(MOST_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not (head.cut and error.end >= len(data) - 3):
            remedy = "convert it to UTF-8, or write the manifest by hand"
            raise SchemaError(f"not UTF-8: {encoding_of([data])}", where=where, remedy=remedy) from None
        text = data.decode("utf-8-sig", "ignore")
    if sample.format in ("csv", "tsv"):
        _read_delimited(text, sample, where)
    else:
        _read_json(text, sample, where)
    sample.rows = sample.rows[:ROWS]
    names = list(dict.fromkeys(name for row in sample.rows for name in row))
    sample.columns = {name: _of_values(values) for name in names if (values := sample.values(name))}
    if not head.cut and len(sample.rows) < ROWS and sample.records is None:
        sample.records, sample.records_why = len(sample.rows), "records of the file that was read"


def _read_json(text: str, sample: Sample, where: str) -> None:
    """Read JSON lines, an array of objects, or an object with one."""
    start = text.lstrip()
    nested = re.match(r'\{\s*"((?:[^"\\.])+)"\s*:\s*\[\s*\{', start)
    first = start.partition("\n")[0]
    whole_line = False
    with suppress(ValueError, RecursionError):
        whole_line = isinstance(loads(first), dict) and "\n{" in start.replace("\r", "")
    if start.startswith("["):
        sample.format, sample.rows = "jsonl", list(_elements(start[1:]))
    elif nested and not whole_line and sample.format == "json":
        sample.record_path = f"{nested[1]}.item"
        sample.rows = list(_elements(start[nested.end() - 1 :]))
    else:
        sample.format = "jsonl"
        for line in text.splitlines():
            with suppress(ValueError, RecursionError):
                record = loads(line)
                if isinstance(record, dict):
                    sample.rows.append(record)
    if not sample.rows:
        raise SchemaError(
            "none of its first lines is a JSON object, nor is it an array of objects",
            where=where,
            remedy="convert it to JSON lines, or write the manifest by hand (`format: json-map`, `record_path`)",
        )


def _elements(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of an array without its opening bracket, up to its end or to the cut."""
    decoder, at = json.JSONDecoder(), 0
    separator = re.compile(r"[\s,]*")
    for _ in range(ROWS):
        match = separator.match(text, at)
        assert match is not None
        try:
            value, at = decoder.raw_decode(text, match.end())
        except ValueError:
            return
        if isinstance(value, dict):
            yield value


def _read_delimited(text: str, sample: Sample, where: str) -> None:
    first = text.partition("\n")[0]
    if sample.format == "csv" and "," not in first and "\t" in first:
        sample.format = "tsv"
    delimiter = "," if sample.format == "csv" else "\t"
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if sample.format == "csv" else csv.QUOTE_NONE
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting))[: ROWS + 1]
    except csv.Error as error:
        raise SchemaError(
            f"cannot be read as {sample.format}: {error}", where=where, remedy="look at the file"
        ) from None
    rows = [row for row in rows if row]
    if not rows or len(rows[0]) < 2:
        hint = "; columns separated by semicolons are not read: convert it to commas" if ";" in first else ""
        raise SchemaError(f"one column only, so there is nothing to pair{hint}", where=where, remedy="look at the file")
    names = rows[0]
    if len(set(names)) < len(names) or any(not one or one.isdecimal() or len(one) > _LONGEST_NAME for one in names):
        sample.header = names = [f"column{number}" for number in range(1, len(names) + 1)]
    else:
        rows = rows[1:]
    sample.rows = [
        {name: value or None for name, value in zip(names, row, strict=True)} for row in rows if len(row) == len(names)
    ]


def _of_values(values: list[Any]) -> str:
    """Return the declared type of a column from its JSON values."""
    kinds = {type(value) for value in values}
    if kinds == {list}:
        inner = {type(one) for value in values for one in value if one is not None}
        if inner == {str}:
            return "list<string>"
        return "list<struct>" if inner == {dict} else "any"
    names = {str: "string", bool: "bool", int: "int64", float: "float64", dict: "struct"}
    if kinds == {int, float}:
        return "float64"
    return names.get(kinds.pop(), "any") if len(kinds) == 1 else "any"
