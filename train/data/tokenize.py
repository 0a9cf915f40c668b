"""Tokenizes a mix in parallel, part by part; parts that were finished before an interruption are kept."""

from __future__ import annotations

import itertools
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from curation.mixing.files import BATCH_ROWS, SPLITS, batches_of, footer_of, schema_of
from open_ml_embed.core.array_types import I32
from open_ml_embed.core.engine import Workers, run
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.sealed import DamagedRecordError, read_sealed, seal
from open_ml_embed.core.store import Marker
from open_ml_embed.core.store import Store as Shards
from open_ml_embed.core.task import Outputs, Task
from train.data.long_texts import kept_prefixes
from train.data.mix import DOCUMENT_COLUMNS, SAMPLE_COLUMNS, Dataset, Mix

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VERSION = 4
INDEX, TOKENIZER = "store.json", "tokenizer.json"
KINDS = ("documents", *SPLITS)
PART_ROWS = 1 << 19
ENCODED_AT_ONCE = 1024
ROWS_WORTH_A_PROCESS = 100_000
MOST_DOCUMENTS = 1 << 31
IDS = pa.large_list(pa.int32())
DOCUMENT_SCHEMA = pa.schema([pa.field("ids", IDS), pa.field("cluster", pa.int64())])
SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("ids", IDS),
        pa.field("query_cluster", pa.int64()),
        pa.field("positive", pa.int32()),
        pa.field("negatives", pa.large_list(pa.int32())),
        pa.field("row", pa.int64()),
    ]
)
"""Schemas of the Arrow files, which are uncompressed, so that they can be memory-mapped. `positive` and `negatives` are
rows of the documents; `row` is the row number of the sample in the mix."""


@dataclass(frozen=True)
class Part:
    """Some row groups of the mix's parquet files, tokenized into one Arrow file.

    Parts are large, because training keeps all their files open.

    Attributes:
        kind: `documents` or a split.
        pieces: paths and row groups, in the order of the mix.
        first: row number of the first row among all rows of the kind.

    """

    kind: str
    pieces: tuple[tuple[str, tuple[int, ...]], ...]
    first: int


class TokenizeSettings(BaseModel, frozen=True):
    """What the content of a part depends on besides the mix and the tokenizer, which name the folder."""

    datasets: tuple[tuple[str, str, str], ...]
    documents: int


@dataclass(frozen=True)
class Tokenize:
    """Operation of `open_ml_embed.core.engine` that turns one part of the mix into one Arrow file."""

    settings: TokenizeSettings
    name: str = "parts"
    version: int = VERSION

    def run(self, task: Task, store: Shards, out: Outputs) -> dict[str, Any]:
        """Tokenize a part; samples are sorted by dataset, in stable order."""
        if multiprocessing.parent_process() is not None:
            # Each task has its own process; the tokenizer's threads would compete for the same cores.
            os.environ["TOKENIZERS_PARALLELISM"] = "false"
        part: Part = task.payload
        tokenizer = _tokenizer(store.full(TOKENIZER))
        if part.kind == "documents":
            written = out.table("ids", _documents(part, tokenizer), DOCUMENT_SCHEMA, compressed=False)
            return {"rows": written.rows}
        table, codes = _ordered(part, self.settings.datasets)
        batches = _samples(table, tokenizer, self.settings.documents, part)
        written = out.table("ids", batches, SAMPLE_SCHEMA, compressed=False)
        edges = np.flatnonzero(np.diff(codes, prepend=-1, append=-1))
        runs = [[int(codes[a]), int(b - a)] for a, b in itertools.pairwise(edges)]
        return {"rows": written.rows, "runs": runs}


def tokenize(mix: Mix, tokenizer: Tokenizer, folder: Path, workers: Workers) -> None:
    """Write the token ids of a mix into `folder`; the index file is written last and marks the folder as complete.

    Args:
        mix: the mix folder.
        tokenizer: a tokenizer that truncates and ends texts itself (`train.data.tokenizer.encoder_of`).
        folder: folder for this mix and this tokenizer only.
        workers: maximum number of processes; small mixes use fewer.

    Raises:
        StageError: the mix is invalid (see `Mix.datasets`), has too many documents, or refers to documents that it does
            not hold.

    """
    datasets = mix.datasets()
    documents = mix.rows("documents")
    if documents >= MOST_DOCUMENTS:
        raise StageError(f"{documents} documents are more than {MOST_DOCUMENTS}", where=str(mix.root))
    shards = Shards(str(folder))
    shards.sweep("")
    shards.write_bytes(TOKENIZER, tokenizer.to_str().encode())
    parts = {kind: list(_parts(mix, kind)) for kind in KINDS}
    tasks = [Task(f"{kind}-{i:05d}", (mix.identity,), part) for kind in KINDS for i, part in enumerate(parts[kind])]
    rows = documents + sum(mix.rows(split) for split in SPLITS)
    number = min(workers.number, 1 + rows // ROWS_WORTH_A_PROCESS)
    settings = TokenizeSettings(datasets=tuple((d.source, d.subset, d.family) for d in datasets), documents=documents)
    markers = run(Tokenize(settings), tasks, shards, Workers(workers.kind, number, workers.ray_address))
    shards.write_bytes(INDEX, seal(_index(datasets, tasks, markers), INDEX))


def _index(datasets: Sequence[Dataset], tasks: list[Task], markers: list[Marker]) -> dict[str, Any]:
    files: dict[str, list[str]] = {kind: [] for kind in KINDS}
    runs: dict[str, list[list[int]]] = {split: [] for split in SPLITS}
    for task, marker in zip(tasks, markers, strict=True):
        files[task.payload.kind].append(marker.outputs[0].path)
        for code, length in marker.stats.get("runs", ()):
            merged = runs[task.payload.kind]
            if merged and merged[-1][0] == code:
                merged[-1][1] += length
            else:
                merged.append([code, length])
    return {"datasets": [asdict(dataset) for dataset in datasets], "files": files, "runs": runs}


def read_index(folder: Path) -> dict[str, Any] | None:
    """Return the index of a complete folder; None if the folder is not complete, or if the index is damaged."""
    try:
        return read_sealed(folder / INDEX)
    except DamagedRecordError:
        return None


def _parts(mix: Mix, kind: str) -> Iterator[Part]:
    """Yield parts of whole row groups; where parts end does not depend on the number of workers."""
    pieces: dict[str, tuple[int, ...]] = {}
    first = rows = 0
    for path in mix.files(kind):
        metadata = footer_of(path)
        for group in range(metadata.num_row_groups):
            pieces[str(path)] = (*pieces.get(str(path), ()), group)
            rows += metadata.row_group(group).num_rows
            if rows >= PART_ROWS:
                yield Part(kind, tuple(pieces.items()), first)
                pieces, first, rows = {}, first + rows, 0
    if pieces:
        yield Part(kind, tuple(pieces.items()), first)


@lru_cache(maxsize=1)
def _tokenizer(path: str) -> Tokenizer:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(path)


def _documents(part: Part, tokenizer: Tokenizer) -> Iterator[pa.RecordBatch]:
    row = part.first
    for path, groups in part.pieces:
        for batch in batches_of(Path(path), DOCUMENT_COLUMNS, row_groups=groups):
            expected = np.arange(row, row + batch.num_rows)
            if not np.array_equal(batch.column("document_id").to_numpy(zero_copy_only=False), expected):
                raise StageError(f"document_id does not count up from {row}", where=path, remedy="make the mix again")
            row += batch.num_rows
            columns = [_encode(tokenizer, batch.column("text")), batch.column("cluster").cast(pa.int64())]
            yield pa.record_batch(columns, schema=DOCUMENT_SCHEMA)


def _ordered(part: Part, datasets: Sequence[tuple[str, str, str]]) -> tuple[pa.Table, I32]:
    """Return the samples of a part, stably sorted by dataset, and the dataset code of each."""
    table = pa.concat_tables(
        pa.Table.from_batches(
            batches_of(Path(path), SAMPLE_COLUMNS, row_groups=groups), schema=schema_of(SAMPLE_COLUMNS)
        )
        for path, groups in part.pieces
    )
    code_of = {dataset: code for code, dataset in enumerate(datasets)}
    keys = zip(*(table[name].to_pylist() for name in ("source", "subset", "family")), strict=True)
    codes = np.fromiter((code_of[key] for key in keys), np.int32, len(table))
    order = np.argsort(codes, kind="stable")
    rows = pa.array(part.first + order)
    return table.take(pa.array(order)).append_column("row", rows), codes[order]


def _samples(table: pa.Table, tokenizer: Tokenizer, documents: int, part: Part) -> Iterator[pa.RecordBatch]:
    for first in range(0, len(table), BATCH_ROWS):
        batch = table.slice(first, BATCH_ROWS).combine_chunks()
        column = {name: batch[name].chunk(0) for name in batch.column_names}
        lists = column["negative_ids"].cast(pa.large_list(pa.int64()))
        for values in (column["positive_id"], lists.flatten()):
            numbers = values.to_numpy(zero_copy_only=False)
            if len(numbers) and not 0 <= numbers.min() <= numbers.max() < documents:
                raise StageError(
                    f"{part.kind} samples refer to documents outside 0 … {documents - 1}",
                    where=part.pieces[0][0],
                    remedy="make the mix again",
                )
        columns = [
            _encode(tokenizer, column["query"]),
            column["query_cluster"].cast(pa.int64()),
            column["positive_id"].cast(pa.int32()),
            lists.cast(SAMPLE_SCHEMA.field("negatives").type),
            column["row"],
        ]
        yield pa.record_batch(columns, schema=SAMPLE_SCHEMA)


def _encode(tokenizer: Tokenizer, texts: pa.StringArray) -> pa.LargeListArray:
    """Encode a column, few texts at a time, because an encoding takes far more memory than its ids."""
    parts: list[list[int]] = []
    truncation = tokenizer.truncation
    for first in range(0, len(texts), ENCODED_AT_ONCE):
        some = texts.slice(first, ENCODED_AT_ONCE).to_pylist()
        if truncation is not None:
            some = kept_prefixes(some, tokenizer, truncation["max_length"])
        parts += [e.ids for e in tokenizer.encode_batch_fast(some)]
    offsets = offsets_of(list(map(len, parts)))
    values = np.fromiter(itertools.chain.from_iterable(parts), np.int32, int(offsets[-1]))
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))
