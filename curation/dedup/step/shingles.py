"""Operation `dedup/shingles`: the shingle sets of the texts of a shard that occur in a candidate pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.dedup.joining import ShingleSets
from curation.dedup.minhash import shingle_sets
from curation.dedup.settings import DedupSettings
from curation.dedup.step.candidates import Pairs
from curation.dedup.step.shards import Corpus
from curation.dedup.step.signatures import FIELDS
from open_ml_embed.core.array_types import I32, I64, U32, Mask
from open_ml_embed.core.store import Store, flat, take_rows
from open_ml_embed.core.task import Outputs, Task
from open_ml_embed.core.text.arrays import list_starts
from open_ml_embed.core.text.tokens import tokenize

SHINGLE_SCHEMA = pa.schema(
    [
        pa.field("field", pa.uint8(), nullable=False),
        pa.field("rank", pa.uint32(), nullable=False),
        pa.field("shingles", pa.large_list(pa.field("item", pa.uint32(), nullable=False)), nullable=False),
    ]
)
"""`field` is an index into `signatures.FIELDS`; shingles are the high 32 bits of their hashes, ascending and unique."""


@dataclass(frozen=True)
class ShardRange:
    """The numbers of a shard's rows, and the document numbers of its given negatives."""

    first: int
    rows: int
    first_negative: int
    negatives: int


class Shingle:
    """Operation: compute the shingle sets of the candidates in a rows shard."""

    name: ClassVar[str] = "dedup/shingles"
    version: ClassVar[int] = 3

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Shingle one shard; `task.payload` is a `ShardRange`."""
        span: ShardRange = task.payload
        path = f"rows/{task.path}.rows.arrow"
        batches = []
        for number, (field, column) in enumerate(zip(FIELDS, ("query", "positive"), strict=True)):
            rows, ranks = _needed(store, field, span.first, span.rows)
            if len(rows):
                batches.append(self._batch(number, ranks, store.read_rows(path, rows, [column])[column]))
        given, ranks = _needed(store, "document", span.first_negative, span.negatives)
        if len(given):
            counts = store.read_table(f"signatures/{task.path}.signatures.arrow", ["negatives"])["negatives"].to_numpy()
            batches.append(self._batch(FIELDS.index("document"), ranks, _negatives(store, path, counts, given)))
        out.table("shingles", batches, SHINGLE_SCHEMA)
        return {"texts": sum(batch.num_rows for batch in batches)}

    def _batch(self, field: int, ranks: U32, texts: pa.ChunkedArray) -> pa.RecordBatch:
        hashes, offsets = shingle_sets(tokenize(texts), self.settings.shingle)
        values = (hashes >> np.uint64(32)).astype(np.uint32)
        sets = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values)).cast(SHINGLE_SCHEMA.field(2).type)
        return pa.record_batch(
            [pa.array(np.full(len(ranks), field, np.uint8)), pa.array(ranks), sets], schema=SHINGLE_SCHEMA
        )


def _needed(store: Store, field: str, first: int, count: int) -> tuple[I64, U32]:
    """Return which texts `first` to `first + count - 1` occur in a pair, counted from `first`; and their ranks."""
    texts, ranks = flat(store, f"{Pairs.name}/{field}.needed.arrow", "row", "rank")
    cut = slice(*np.searchsorted(texts, [first, first + count]))
    return texts[cut].astype(np.int64) - first, ranks[cut]


def _negatives(store: Store, path: str, counts: I32, given: I64) -> pa.ChunkedArray:
    """Return texts of a shard's given negatives; `given` has their numbers within the shard, ascending."""
    ends = np.cumsum(counts, dtype=np.int64)
    row = np.searchsorted(ends, given, "right")
    rows, at = np.unique(row, return_inverse=True)
    lists = store.read_rows(path, rows, ["negatives"])["negatives"]
    position = given - (ends - counts)[row]
    texts = pa.table([pc.list_flatten(lists)], ["negatives"])
    return take_rows(texts.to_batches(), list_starts(lists)[at] + position, texts.schema)["negatives"]


def sets_of(store: Store, corpus: Corpus, field: str, wanted: U32 | None = None) -> ShingleSets:
    """Read the shingle sets of one field from all shards; `wanted`, ascending, selects ranks, None selects all."""
    ranks, starts, lengths, values = [np.zeros(0, np.uint32)], [], [], [np.zeros(0, np.uint32)]
    total = 0
    for shard in corpus.shards:
        for whole in store.read_table(f"{Shingle.name}/{shard.path}.shingles.arrow").to_batches():
            if not whole.num_rows or FIELDS[whole["field"][0].as_py()] != field:
                continue
            batch = whole if wanted is None else whole.filter(pa.array(_among(whole["rank"].to_numpy(), wanted)))
            offsets = batch["shingles"].offsets.to_numpy()
            ranks.append(batch["rank"].to_numpy())
            starts.append(offsets[:-1] - offsets[0] + total)
            lengths.append(np.diff(offsets))
            values.append(batch["shingles"].values.to_numpy()[offsets[0] : offsets[-1]])
            total += len(values[-1])
    all_ranks = np.concatenate(ranks)
    order = np.argsort(all_ranks)
    none = np.zeros(0, np.int64)
    return ShingleSets(
        all_ranks[order],
        np.concatenate(values),
        np.concatenate([none, *starts])[order],
        np.concatenate([none, *lengths])[order],
    )


def _among(ranks: U32, wanted: U32) -> Mask:
    """Tell which ranks are in `wanted`, which is ascending."""
    if not len(wanted):
        return np.zeros(len(ranks), bool)
    at = np.minimum(np.searchsorted(wanted, ranks), len(wanted) - 1)
    return np.asarray(wanted[at] == ranks)
