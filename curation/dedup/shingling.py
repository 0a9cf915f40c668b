"""Operation `dedup/shingles`: the shingle sets of those rows of a shard that stand in a candidate pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from curation.dedup.candidates import Pairs
from curation.dedup.joining import ShingleSets
from curation.dedup.minhash import shingle_sets
from curation.dedup.shards import Corpus, flat
from curation.dedup.signing import FIELDS, TEXTS, tokens_of
from curation.engine import Outputs, Task
from curation.settings import DedupSettings
from curation.store import Store
from curation.text.tokens import I64

SHINGLE_SCHEMA = pa.schema(
    [
        pa.field("field", pa.uint8(), nullable=False),
        pa.field("rank", pa.uint32(), nullable=False),
        pa.field("shingles", pa.large_list(pa.field("item", pa.uint32(), nullable=False)), nullable=False),
    ]
)
"""`field` indexes `signing.FIELDS`; shingles are the high halves of their hashes, ascending and unique."""


@dataclass(frozen=True)
class Stretch:
    """A shard's family and the numbers of its rows among all rows."""

    family: str
    first: int
    rows: int


class Shingle:
    """Operation: a rows shard to the shingle sets of its candidates."""

    name: ClassVar[str] = "dedup/shingles"
    version: ClassVar[int] = 2

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Shingle one shard; `task.payload` is a `Stretch`."""
        stretch: Stretch = task.payload
        wanted = []
        for field in FIELDS:
            rows, ranks = flat(store, f"{Pairs.name}/{field}.needed.arrow", "row", "rank")
            cut = slice(*np.searchsorted(rows, [stretch.first, stretch.first + stretch.rows]))
            wanted.append((rows[cut] - stretch.first, ranks[cut]))
        touched = np.unique(np.concatenate([rows for rows, _ in wanted]))
        batches = []
        if len(touched):
            table = store.read_rows(f"rows/{task.path}.rows.arrow", touched, TEXTS)
            tokens = tokens_of(table, stretch.family)
            for number, (field, (rows, ranks)) in enumerate(zip(FIELDS, wanted, strict=True)):
                hashes, offsets = shingle_sets(tokens[field], self.settings.shingle)
                batches.append(_batch(number, ranks, np.searchsorted(touched, rows), hashes, offsets))
        out.table("shingles", batches, SHINGLE_SCHEMA)
        return {"rows": len(touched)}


def _batch(field: int, ranks: Any, rows: I64, hashes: Any, offsets: I64) -> pa.RecordBatch:
    """Return the sets of `rows` as a record batch; (hashes, offsets) hold those of more rows."""
    lengths = np.diff(offsets)[rows]
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    at = np.arange(bounds[-1]) - np.repeat(bounds[:-1] - offsets[:-1][rows], lengths)
    values = (hashes[at] >> np.uint64(32)).astype(np.uint32)
    sets = pa.LargeListArray.from_arrays(pa.array(bounds), pa.array(values))
    columns = [pa.array(np.full(len(rows), field, np.uint8)), pa.array(ranks), sets.cast(SHINGLE_SCHEMA.field(2).type)]
    return pa.record_batch(columns, schema=SHINGLE_SCHEMA)


def sets_of(store: Store, corpus: Corpus, field: str) -> ShingleSets:
    """Read the shingle sets of one field of all shards."""
    ranks, starts, lengths, values = [np.zeros(0, np.uint32)], [], [], [np.zeros(0, np.uint32)]
    held = 0
    for shard in corpus.shards:
        for batch in store.read_table(f"{Shingle.name}/{shard.path}.shingles.arrow").to_batches():
            if not batch.num_rows or FIELDS[batch["field"][0].as_py()] != field:
                continue
            offsets = batch["shingles"].offsets.to_numpy()
            ranks.append(batch["rank"].to_numpy())
            starts.append(offsets[:-1] + held)
            lengths.append(np.diff(offsets))
            values.append(batch["shingles"].values.to_numpy())
            held += len(values[-1])
    all_ranks = np.concatenate(ranks)
    order = np.argsort(all_ranks)
    none = np.zeros(0, np.int64)
    return ShingleSets(
        all_ranks[order],
        np.concatenate(values),
        np.concatenate([none, *starts])[order],
        np.concatenate([none, *lengths])[order],
    )
