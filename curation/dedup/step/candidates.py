"""Operations over one field of all shards: fold exact duplicates, find candidate pairs band by band, and merge them.

This needs no shuffle: a band is one column of all shards (four bytes a text), and bands are independent of each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from curation.dedup.exact import fold, least_agreement, merge, run_pairs
from curation.dedup.joining import named_by
from curation.dedup.settings import DedupSettings
from curation.dedup.step.ranks import ranks_of, rows_of
from curation.dedup.step.shards import Corpus
from open_ml_embed.core.array_types import U32, U64
from open_ml_embed.core.store import Store, flat
from open_ml_embed.core.task import Outputs, Task

COLUMN_BYTES = 1 << 30
"""Bytes of band columns that one task reads at most. A task reads several bands, since opening a thousand small shards
costs more than reading them."""

LEADER_SCHEMA = pa.schema([pa.field("leader", pa.uint32(), nullable=False)])
PAIR_SCHEMA = pa.schema([pa.field("pair", pa.uint64(), nullable=False)])
"""The lower rank in the high 32 bits, the higher rank in the low 32 bits; sorted and unique."""
NEEDED_SCHEMA = pa.schema([pa.field("row", pa.uint32(), nullable=False), pa.field("rank", pa.uint32(), nullable=False)])
"""Texts that occur in a candidate pair, ascending by number (`row`)."""


@dataclass(frozen=True)
class Bands:
    """Payload of a task of `Candidates`: a field, and the bands of it to compare."""

    corpus: Corpus
    field: str
    bands: tuple[int, ...]


class Fold:
    """Operation, one task for each field and one for samples: map rows of equal text to the row that is kept."""

    name: ClassVar[str] = "dedup/folded"
    version: ClassVar[int] = 2

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Fold one field; `task.payload` is a `Corpus`, the task's path one of `signatures.FOLDED`."""
        corpus: Corpus = task.payload
        field = task.path
        exact = corpus.column(store, [f"{field}_exact"], np.uint64, negatives=field == "document")[f"{field}_exact"]
        leaders = fold(exact, ranks_of(store, field))
        table = pa.table([leaders], schema=LEADER_SCHEMA)
        out.table("folded", table.to_batches(), LEADER_SCHEMA, compressed=False)
        return {"rows": len(leaders), "exact_duplicates": int((leaders != np.arange(len(leaders))).sum())}


def folded(store: Store, field: str) -> U32:
    """Return, by rank, the rank of the kept row among those of equal text; `field` is one of `signatures.FOLDED`."""
    (leaders,) = flat(store, f"{Fold.name}/{field}.folded.arrow", "leader")
    return leaders


class Candidates:
    """Operation, one task for each field and group of bands: pair rows with an equal band hash and similar sketches."""

    name: ClassVar[str] = "dedup/candidates"
    version: ClassVar[int] = 2

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Compare one group of bands; `task.payload` is a `Bands`."""
        group: Bands = task.payload
        ranks = ranks_of(store, group.field)
        leaders = folded(store, group.field)
        names = [f"{group.field}_band_{band:02d}" for band in group.bands]
        both = group.field == "document"
        columns = group.corpus.column(store, [*names, f"{group.field}_sketch"], np.uint32, negatives=both)
        sketch = _by_rank(columns.pop(f"{group.field}_sketch"), ranks)
        least = least_agreement(self.settings.num_perm, self.settings.threshold)
        pairs = np.zeros(0, np.uint64)
        for name in names:
            pairs = merge(pairs, run_pairs(columns.pop(name), ranks, leaders, sketch, least))
        out.table("candidates", pa.table([pairs], schema=PAIR_SCHEMA).to_batches(), PAIR_SCHEMA)
        return {"pairs": len(pairs)}


def _by_rank(values: U64, ranks: U32) -> U64:
    result = np.empty_like(values)
    result[ranks] = values
    return result


def band_groups(rows: int, bands: int) -> list[tuple[int, ...]]:
    """Return the numbers of the bands of each task of a field, for `rows` texts and `bands` bands."""
    size = max(1, min(bands, COLUMN_BYTES // (4 * max(rows, 1))))
    return [tuple(range(first, min(first + size, bands))) for first in range(0, bands, size)]


class Pairs:
    """Operation, one task for each field: merge the pairs of all bands, and list the texts to be compared."""

    name: ClassVar[str] = "dedup/pairs"
    version: ClassVar[int] = 2

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Merge the pairs of one field; `task.payload` is the list of paths of its candidates."""
        pairs = np.zeros(0, np.uint64)
        for path in task.payload:
            pairs = merge(pairs, store.read_table(path)["pair"].to_numpy())
        out.table("pairs", pa.table([pairs], schema=PAIR_SCHEMA).to_batches(), PAIR_SCHEMA)
        ranks = named_by(pairs)
        rows = rows_of(store, task.path)[ranks]
        order = np.argsort(rows)
        needed = pa.table([rows[order], ranks[order]], schema=NEEDED_SCHEMA)
        out.table("needed", needed.to_batches(), NEEDED_SCHEMA, compressed=False)
        return {"pairs": len(pairs), "rows": len(rows)}
