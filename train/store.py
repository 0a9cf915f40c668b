"""A mix as token ids: tokenised once into memory-mapped Arrow, documents once, samples refer to them by row."""

from __future__ import annotations

import bisect
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.progress import Progress
from sources.errors import StageError
from train.identity import canonical_json, digest
from train.mix import FAMILIES, SPLITS, Family, Mix
from train.segments import Segments

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ints = NDArray[np.int64]
VERSION = 1
IDS = pa.large_list(pa.int32())
DOCUMENT_SCHEMA = pa.schema([pa.field("ids", IDS), pa.field("cluster", pa.int64())])
SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("ids", IDS),
        pa.field("dataset", pa.int32()),
        pa.field("query_cluster", pa.int64()),
        pa.field("positive", pa.int64()),
        pa.field("negatives", pa.large_list(pa.int64())),
    ]
)


class Ragged:
    """A list column of a memory-mapped Arrow file as numpy views, one pair (offsets, values) a record batch."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._chunks = [(np.asarray(c.offsets), np.asarray(c.values)) for c in column.chunks]
        self._starts = np.cumsum([0, *(len(offsets) - 1 for offsets, _ in self._chunks)]).tolist()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, row: int) -> NDArray[Any]:
        """Return the values of one row: a view, nothing is copied."""
        chunk = bisect.bisect_right(self._starts, row) - 1
        offsets, values = self._chunks[chunk]
        at = row - self._starts[chunk]
        return values[offsets[at] : offsets[at + 1]]

    def gather(self, rows: Iterable[int]) -> Segments:
        """Return the token ids of some rows, in the order given."""
        parts = [self[int(row)] for row in rows]
        lengths = np.fromiter((len(part) for part in parts), np.int32, len(parts))
        ids = np.concatenate(parts) if parts else np.empty(0, np.int32)
        return Segments(ids.astype(np.int32, copy=False), lengths)


@dataclass(frozen=True)
class Samples:
    """One split. Row i of every column is sample i.

    Attributes:
        queries: token ids.
        dataset: int32, an index into `Store.datasets`.
        query_cluster: int64; queries with equal values are the same or near-duplicates.
        positive: int64, a row of `Store.documents`.
        negatives: lists of int64, rows of `Store.documents`.

    """

    queries: Ragged
    dataset: NDArray[np.int32]
    query_cluster: Ints
    positive: Ints
    negatives: Ragged


@dataclass(frozen=True)
class Dataset:
    """What a step draws its batch from."""

    source: str
    family: Family


@dataclass(frozen=True)
class Store:
    """The tokenised mix; nothing of it is read before it is asked for."""

    datasets: tuple[Dataset, ...]
    documents: Ragged
    cluster: Ints
    train: Samples
    validation: Samples


def open_store(mix: Mix, tokenizer: Tokenizer, root: Path) -> Store:
    """Open the tokenised mix below `root`, making it first where it is not there yet.

    Args:
        mix: the mix folder.
        tokenizer: cuts and ends texts itself (`train.tokenizer.encoder_of`).
        root: where stores lie; one folder for each (mix content, tokenizer).

    Raises:
        StageError: the mix breaks its contract: missing columns, ids outside the documents, unknown families.

    """
    folder = root / digest([VERSION, mix.identity, tokenizer.to_str()])[:16]
    if not folder.is_dir():
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _build(mix, tokenizer, partial)
        partial.rename(folder)
    datasets = tuple(Dataset(*entry) for entry in json.loads((folder / "datasets.json").read_text("utf-8")))
    documents = _open(folder / "documents.arrow")
    train, validation = (_samples(_open(folder / f"{split}.arrow")) for split in SPLITS)
    return Store(datasets, Ragged(documents["ids"]), _ints(documents, "cluster"), train, validation)


def _build(mix: Mix, tokenizer: Tokenizer, folder: Path) -> None:
    codes: dict[tuple[str, str], int] = {}
    with Progress("token ids", total=sum(map(mix.rows, ("documents", *SPLITS)))) as progress:

        def write(kind: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
            return _write(folder / f"{kind}.arrow", schema, _counted(batches, kind, progress))

        documents = write("documents", DOCUMENT_SCHEMA, _documents(mix, tokenizer))
        for split in SPLITS:
            write(split, SAMPLE_SCHEMA, _encoded_samples(mix, split, tokenizer, codes, documents))
    (folder / "datasets.json").write_text(canonical_json(list(codes)), "utf-8")


def _counted(batches: Iterator[pa.RecordBatch], kind: str, progress: Progress) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch
        progress.advance(kind, by=batch.num_rows)


def _documents(mix: Mix, tokenizer: Tokenizer) -> Iterator[pa.RecordBatch]:
    row = 0
    for batch in mix.batches("documents"):
        expected = np.arange(row, row + batch.num_rows)
        if not np.array_equal(batch.column("document_id").to_numpy(zero_copy_only=False), expected):
            raise StageError(
                f"document_id does not count up from {row}", where=str(mix.root), remedy="make the mix again"
            )
        row += batch.num_rows
        columns = [_encode(tokenizer, batch.column("text")), batch.column("cluster").cast(pa.int64())]
        yield pa.record_batch(columns, schema=DOCUMENT_SCHEMA)


def _encoded_samples(
    mix: Mix, split: str, tokenizer: Tokenizer, codes: dict[tuple[str, str], int], documents: int
) -> Iterator[pa.RecordBatch]:
    for batch in mix.batches(split):
        pairs = zip(batch.column("source").to_pylist(), batch.column("family").to_pylist(), strict=True)
        dataset = [codes.setdefault(pair, len(codes)) for pair in pairs]
        if unknown := sorted({family for _, family in codes} - set(FAMILIES)):
            raise StageError(f"unknown loss family {unknown[0]!r}", where=str(mix.root))
        positive = batch.column("positive_id").cast(pa.int64())
        negatives = batch.column("negative_ids").cast(pa.large_list(pa.int64()))
        for column in (positive, negatives.flatten()):
            values = column.to_numpy(zero_copy_only=False)
            if len(values) and not 0 <= values.min() <= values.max() < documents:
                raise StageError(
                    f"{split} samples refer to documents outside 0 … {documents - 1}",
                    where=str(mix.root),
                    remedy="make the mix again",
                )
        columns = [
            _encode(tokenizer, batch.column("query")),
            pa.array(dataset, pa.int32()),
            batch.column("query_cluster").cast(pa.int64()),
            positive,
            negatives,
        ]
        yield pa.record_batch(columns, schema=SAMPLE_SCHEMA)


def _encode(tokenizer: Tokenizer, texts: pa.StringArray) -> pa.LargeListArray:
    encoded = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts.to_pylist())]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    values = np.fromiter((i for ids in encoded for i in ids), np.int32, int(offsets[-1]))
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def _write(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
    """Write uncompressed Arrow IPC, which alone can be mapped without a copy, and return the number of rows."""
    rows = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _open(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _samples(table: pa.Table) -> Samples:
    return Samples(
        queries=Ragged(table["ids"]),
        dataset=table["dataset"].combine_chunks().to_numpy(zero_copy_only=False).astype(np.int32, copy=False),
        query_cluster=_ints(table, "query_cluster"),
        positive=_ints(table, "positive"),
        negatives=Ragged(table["negatives"]),
    )


def _ints(table: pa.Table, name: str) -> Ints:
    values: Ints = table[name].to_numpy().astype(np.int64, copy=False)
    return values
