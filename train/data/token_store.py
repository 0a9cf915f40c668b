"""A tokenized mix, memory-mapped; opening it takes seconds whatever its size."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from curation.mixing.files import SPLITS
from open_ml_embed.core.array_types import I64
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.printing import say
from open_ml_embed.core.recorded import DamagedFileError, check_file, record_of
from open_ml_embed.core.sealed import DamagedRecordError
from open_ml_embed.core.store import Store as Shards
from train.data.mapped_pages import MappedPages
from train.data.memmap_columns import Column, Ragged, Runs
from train.data.mix import Dataset, Mix
from train.data.tokenize import KINDS, TOKENIZER, VERSION, read_index, tokenize

if TYPE_CHECKING:
    from tokenizers import Tokenizer

HERE = Workers(count=1)


@dataclass(frozen=True)
class Samples:
    """The samples of one split. Row i of every column belongs to sample i.

    Attributes:
        queries: token ids of the queries.
        dataset: indices into `Store.datasets`.
        query_cluster: cluster numbers; queries with equal numbers are equal or near-duplicates.
        positive: rows of `Store.documents`.
        negatives: lists of rows of `Store.documents`.
        row: row number of the sample in the mix's split.

    """

    queries: Ragged
    dataset: Runs
    query_cluster: Column
    positive: Column
    negatives: Ragged
    row: Column

    def prepare(self, rows: I64) -> None:
        """Read the pages of samples, which are touched next."""
        for column in (self.queries, self.query_cluster, self.positive, self.negatives, self.row):
            column.prepare(rows)


@dataclass(frozen=True)
class Store:
    """A tokenized mix; data is read only where it is accessed.

    Attributes:
        datasets: the datasets that batches come from.
        documents: token ids of the documents, each document once.
        cluster: cluster numbers; documents with equal numbers are equal or near-duplicates.
        train: samples to train on.
        validation: held-out samples.

    """

    datasets: tuple[Dataset, ...]
    documents: Ragged
    cluster: Column
    train: Samples
    validation: Samples


def open_store(mix: Mix, tokenizer: Tokenizer, root: Path, workers: Workers = HERE) -> Store:
    """Open the tokenized mix below `root`; tokenize the mix first if that has not been done.

    Args:
        mix: the mix folder.
        tokenizer: a tokenizer that truncates and ends texts itself (`train.data.tokenizer.encoder_of`).
        root: folder of the stores; each pair of mix content and tokenizer has a folder of its own in it.
        workers: processes that tokenize.

    Raises:
        StageError: the mix is invalid (see `train.data.tokenize.tokenize`).

    """
    folder = root / digest([VERSION, mix.identity, tokenizer.to_str()])[:16]
    if not _is_whole(folder, tokenizer):
        tokenize(mix, tokenizer, folder, workers)
    return map_store(folder)


def _is_whole(folder: Path, tokenizer: Tokenizer) -> bool:
    """Tell whether a store is complete and has the bytes that were written; remove a damaged part.

    Every file is read once per process and compared with its hash, since training on other tokens than those of the mix
    would give another model without a word.
    """
    index = read_index(folder)
    if index is None:
        return False
    shards = Shards(str(folder))
    whole = shards.files.read(TOKENIZER) == tokenizer.to_str().encode()
    for name in (file for kind in KINDS for file in index["files"][kind]):
        try:
            if shards.sizes([name])[name] is None or record_of(str(folder), name) is None:
                whole = False
            else:
                check_file(str(folder), name)
        except (DamagedFileError, DamagedRecordError) as error:
            say(f"{error.where}: {error.what}; it is made again")
            shards.remove(name)
            whole = False
    return whole


def map_store(folder: Path) -> Store:
    """Open a complete store by memory mapping."""
    index: dict[str, Any] | None = read_index(folder)
    assert index is not None
    documents, pages = _batches(folder, index["files"]["documents"])
    train, validation = (_samples(*_batches(folder, index["files"][split]), index["runs"][split]) for split in SPLITS)
    return Store(
        tuple(Dataset(**entry) for entry in index["datasets"]),
        Ragged([batch.column("ids") for batch in documents], pages),
        Column([batch.column("cluster") for batch in documents], pages),
        train,
        validation,
    )


def _batches(folder: Path, files: Sequence[str]) -> tuple[list[pa.RecordBatch], MappedPages]:
    """Memory-map files for random access, so that the kernel reads no page ahead.

    Arrow's own memory map would request all pages of every record batch that is accessed.
    """
    batches: list[pa.RecordBatch] = []
    maps: list[tuple[Path, mmap.mmap]] = []
    for name in files:
        with (folder / name).open("rb") as source:
            mapped = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
        mapped.madvise(mmap.MADV_RANDOM)
        maps.append((folder / name, mapped))
        reader = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped)))
        batches += [reader.get_batch(i) for i in range(reader.num_record_batches)]
    return batches, MappedPages(maps)


def _samples(batches: Sequence[pa.RecordBatch], pages: MappedPages, runs: Sequence[tuple[int, int]]) -> Samples:
    return Samples(
        queries=Ragged([batch.column("ids") for batch in batches], pages),
        dataset=Runs((code for code, _ in runs), (length for _, length in runs)),
        query_cluster=Column([batch.column("query_cluster") for batch in batches], pages),
        positive=Column([batch.column("positive") for batch in batches], pages),
        negatives=Ragged([batch.column("negatives") for batch in batches], pages),
        row=Column([batch.column("row") for batch in batches], pages),
    )
