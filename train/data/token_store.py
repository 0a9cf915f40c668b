"""The tokenized mix as the trainer sees it: memory-mapped, opened in seconds whatever its size."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from open_ml_embed.core.engine import Workers
from open_ml_embed.core.hashing import digest
from train.data.memmap_columns import Column, Ragged, Runs
from train.data.mix import SPLITS, Dataset, Mix
from train.data.tokenize import VERSION, read_index, tokenize

if TYPE_CHECKING:
    from tokenizers import Tokenizer

HERE = Workers(count=1)


@dataclass(frozen=True)
class Samples:
    """One split. Row i of every column is sample i.

    Attributes:
        queries: token ids.
        dataset: indices into `Store.datasets`.
        query_cluster: queries with equal values are the same or near-duplicates.
        positive: rows of `Store.documents`.
        negatives: lists of rows of `Store.documents`.
        row: which sample of the mix's split it is.

    """

    queries: Ragged
    dataset: Runs
    query_cluster: Column
    positive: Column
    negatives: Ragged
    row: Column


@dataclass(frozen=True)
class Store:
    """The tokenized mix; nothing of it is read before it is asked for.

    Attributes:
        datasets: what a step draws its batch from.
        documents: token ids, each document once.
        cluster: documents with equal values are the same or near-duplicates.
        train: the samples to train on.
        validation: those held out.

    """

    datasets: tuple[Dataset, ...]
    documents: Ragged
    cluster: Column
    train: Samples
    validation: Samples


def open_store(mix: Mix, tokenizer: Tokenizer, root: Path, workers: Workers = HERE) -> Store:
    """Open the tokenized mix below `root`, making it first where it is not there yet.

    Args:
        mix: the mix folder.
        tokenizer: cuts and ends texts itself (`train.data.tokenizer.encoder_of`).
        root: where stores lie; one folder for each (mix content, tokenizer).
        workers: who tokenizes.

    Raises:
        StageError: the mix breaks its contract (see `tokenize`).

    """
    folder = root / digest([VERSION, mix.identity, tokenizer.to_str()])[:16]
    if read_index(folder) is None:
        tokenize(mix, tokenizer, folder, workers)
    return map_store(folder)


def map_store(folder: Path) -> Store:
    """Map a complete store."""
    index: dict[str, Any] | None = read_index(folder)
    assert index is not None
    documents = _batches(folder, index["files"]["documents"])
    train, validation = (_samples(_batches(folder, index["files"][split]), index["runs"][split]) for split in SPLITS)
    return Store(
        tuple(Dataset(**entry) for entry in index["datasets"]),
        Ragged([batch.column("ids") for batch in documents]),
        Column([batch.column("cluster") for batch in documents]),
        train,
        validation,
    )


def _batches(folder: Path, files: Sequence[str]) -> list[pa.RecordBatch]:
    """Map files, for reads here and there: the kernel reads no page that was not asked for.

    Arrow's own memory map would ask for all pages of every batch that is looked at.
    """
    batches: list[pa.RecordBatch] = []
    for name in files:
        with (folder / name).open("rb") as source:
            mapped = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
        mapped.madvise(mmap.MADV_RANDOM)
        reader = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped)))
        batches += [reader.get_batch(i) for i in range(reader.num_record_batches)]
    return batches


def _samples(batches: Sequence[pa.RecordBatch], runs: Sequence[tuple[int, int]]) -> Samples:
    return Samples(
        queries=Ragged([batch.column("ids") for batch in batches]),
        dataset=Runs((code for code, _ in runs), (length for _, length in runs)),
        query_cluster=Column([batch.column("query_cluster") for batch in batches]),
        positive=Column([batch.column("positive") for batch in batches]),
        negatives=Ragged([batch.column("negatives") for batch in batches]),
        row=Column([batch.column("row") for batch in batches]),
    )
