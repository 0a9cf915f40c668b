"""A mix from records of one's own: no step of a build is run on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from curation.mixing.files import SPLITS
from curation.mixing.schemas import DOCUMENT_SCHEMA, SAMPLE_SCHEMA
from open_ml_embed.core.errors import SchemaError, SettingsError
from open_ml_embed.core.files import whole_folder
from open_ml_embed.core.splitmix import mixed

QUERY = ("query", "anchor", "question")
POSITIVE = ("positive", "positives", "pos", "answer", "passage")
NEGATIVE = re.compile(r"negatives?(_[0-9]+)?|neg")
"""Names of the fields of a record; of several that it has, the first counts."""
FAMILIES = ("retrieval", "clustering", "classification")
BATCH_ROWS = 10_000
FILE_ROWS = 1_000_000
_ONE = 2.0**64


@dataclass(frozen=True)
class Kind:
    """What all records of a mix have in common.

    Attributes:
        source: name of their source.
        family: retrieval, clustering or classification.
        language: of queries and positives, ISO 639-3; und: not known.
        instruction: put before every query as mixes with instructions have it; null: none.
        validation: share of the queries that are held out.
        seed: of what is held out.

    """

    source: str = "own"
    family: str = "retrieval"
    language: str = "und"
    instruction: str | None = None
    validation: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        """Check the values."""
        if self.family not in FAMILIES:
            raise SettingsError(f"no family {self.family!r}", where="family", remedy=f"one of {', '.join(FAMILIES)}")
        if not 0 <= self.validation < 1:
            raise SettingsError(f"{self.validation} is no share", where="validation", remedy="from 0 to below 1")
        if not re.fullmatch(r"[a-z0-9_]+", self.source):
            remedy = "lower-case letters, digits and _"
            raise SettingsError(f"{self.source!r} is no name of a source", where="source", remedy=remedy)


def write_mix(records: Iterable[Mapping[str, Any]], to: Path, kind: Kind) -> None:
    """Write records as a mix: each text once, each record a sample.

    Texts that are equal are one document, and queries that are equal are one cluster; nothing else is compared. A
    negative that is one of the record's positives is left out, and so are repeated ones. A training record of which a
    positive is held out is left out, as `curate mix` does.

    Args:
        records: read once.
        to: the folder; it appears whole, or not at all.
        kind: what they have in common.

    Raises:
        SchemaError: a record lacks a query or a positive, or has something else than texts there.
        SettingsError: the folder is there, or no record is left to train on.

    """
    if to.exists():
        raise SettingsError("it is there already", where=str(to), remedy="name a folder that is new")
    with whole_folder(to) as folder:
        texts = _Texts(folder, kind)
        rows: dict[str, list[_Row]] = {split: [] for split in SPLITS}
        for number, record in enumerate(records):
            row = _row(number, record, texts, kind)
            rows[SPLITS[row.is_held_out]].append(row)
        texts.close()
        held_out = {document for row in rows["validation"] for document in row.positives}
        rows["train"] = [row for row in rows["train"] if held_out.isdisjoint(row.positives)]
        if not rows["train"]:
            raise SettingsError("no record is left to train on", where=str(to), remedy="hold out less, or give more")
        for split, of_split in rows.items():
            _write_samples(folder, split, of_split, kind)


@dataclass(frozen=True)
class _Row:
    number: int
    query: str
    cluster: int
    positive: str
    positives: list[int]
    negatives: list[int]
    is_held_out: bool


@dataclass
class _Texts:
    """The documents, written as they come; only the hashes of their texts are kept."""

    folder: Path
    kind: Kind
    documents: dict[int, int] = field(default_factory=dict)
    queries: dict[int, int] = field(default_factory=dict)
    _waiting: list[str] = field(default_factory=list)
    _writer: pq.ParquetWriter | None = None
    _written: int = 0
    _files: int = 0

    def document(self, text: str) -> int:
        """Return the number of a text, and write it if it is new."""
        number = self.documents.setdefault(xxhash.xxh3_128_intdigest(text.encode()), len(self.documents))
        if number == self._written + len(self._waiting):
            self._waiting.append(text)
            if len(self._waiting) == BATCH_ROWS:
                self._flush()
        return number

    def query(self, text: str) -> int:
        """Return the cluster of a query."""
        return self.queries.setdefault(xxhash.xxh3_128_intdigest(text.encode()), len(self.queries))

    def _flush(self) -> None:
        numbers = np.arange(self._written, self._written + len(self._waiting))
        if self._writer is None or self._written >= self._files * FILE_ROWS:
            if self._writer is not None:
                self._writer.close()
            path = self.folder / "documents" / f"documents-{self._files:05d}.parquet"
            path.parent.mkdir(exist_ok=True)
            self._writer = pq.ParquetWriter(path, DOCUMENT_SCHEMA, compression="zstd")
            self._files += 1
        n = len(numbers)
        columns = [numbers, self._waiting, numbers, [self.kind.source] * n, ["all"] * n]
        self._writer.write_batch(pa.record_batch(list(map(pa.array, columns)), schema=DOCUMENT_SCHEMA))
        self._written += n
        self._waiting = []

    def close(self) -> None:
        """Write what is left."""
        self._flush()
        assert self._writer is not None
        self._writer.close()


def _row(number: int, record: Mapping[str, Any], texts: _Texts, kind: Kind) -> _Row:
    query = _texts_of(number, record, QUERY, "query")
    positives = _texts_of(number, record, POSITIVE, "positive")
    if len(query) != 1:
        raise SchemaError("a record has one query", where=f"record {number}", remedy="give a text")
    told = query[0] if kind.instruction is None else f"Instruct: {kind.instruction}\nQuery: {query[0]}"
    numbers = list(dict.fromkeys(texts.document(text) for text in positives))
    negatives = dict.fromkeys(texts.document(text) for text in _negatives(number, record))
    cluster = texts.query(query[0])
    drawn = int(mixed(mixed(np.array([cluster], np.uint64)) ^ mixed(np.array([kind.seed], np.uint64)))[0])
    others = [document for document in negatives if document not in numbers]
    return _Row(number, told, cluster, positives[0], numbers, others, drawn < kind.validation * _ONE)


def _texts_of(number: int, record: Mapping[str, Any], names: Sequence[str], what: str) -> list[str]:
    name = next((name for name in names if name in record), None)
    if name is None:
        raise SchemaError(
            f"a record without a {what}: it has {', '.join(map(str, record)) or 'nothing'}",
            where=f"record {number}",
            remedy=f"name the field {' or '.join(names)}",
        )
    value = record[name]
    found = [value] if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else []
    if not found or not all(_is_text(text) and text.strip() for text in found):
        remedy = "give a text that is not empty" + (", or a list of them" if what == "positive" else "")
        raise SchemaError(f"the field {name} holds no text: {value!r:.80}", where=f"record {number}", remedy=remedy)
    return found


def _negatives(number: int, record: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted((name for name in record if NEGATIVE.fullmatch(name)), key=_place):
        value = record[name]
        for text in [value] if isinstance(value, str) else value or []:
            if not _is_text(text):
                what = f"the field {name} holds no text: {text!r:.80}"
                raise SchemaError(what, where=f"record {number}", remedy="give texts, or leave the field out")
            if text.strip():
                yield text


def _is_text(value: object) -> TypeGuard[str]:
    """Tell whether a value is a text that a file can hold: a Python string may hold half of a surrogate pair."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _place(name: str) -> tuple[int, str]:
    digits = name.rpartition("_")[2]
    return (int(digits) if digits.isdecimal() else 0, name)


def _write_samples(folder: Path, split: str, rows: list[_Row], kind: Kind) -> None:
    (folder / "samples").mkdir(exist_ok=True)
    path = folder / "samples" / f"{split}-00000.parquet"
    with pq.ParquetWriter(path, SAMPLE_SCHEMA, compression="zstd") as writer:
        for first in range(0, len(rows), BATCH_ROWS):
            some = rows[first : first + BATCH_ROWS]
            table = pa.Table.from_pylist([_sample(row, kind) for row in some], SAMPLE_SCHEMA)
            writer.write_table(table)


def _sample(row: _Row, kind: Kind) -> dict[str, Any]:
    return {
        "row_id": xxhash.xxh3_128_hexdigest(f"{kind.source}/all/{row.number}".encode()),
        "source": kind.source,
        "subset": "all",
        "provenance": [f"{kind.source}/all"],
        "license": "LicenseRef-own",
        "family": kind.family,
        "task": "own",
        "language": kind.language,
        "positive_language": kind.language,
        "query": row.query,
        "other_queries": [],
        "positive": row.positive,
        "query_cluster": row.cluster,
        "positive_id": row.positives[0],
        "other_positive_ids": row.positives[1:],
        "negative_ids": row.negatives,
    }
