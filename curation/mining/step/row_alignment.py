"""Operations `negatives`: what was found for queries, or is drawn from classes, to a table beside every rows shard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from curation.mining.classes import mine_classes
from curation.mining.masks import build_masks
from curation.mining.rules import Pool
from curation.mining.settings import MiningSettings
from curation.mining.statistics import BOUNDED_WIDTH, tally
from curation.mining.step.pools import Collect
from curation.mining.step.search import (
    BLOCK_QUERIES,
    NEGATIVES_SCHEMA,
    Search,
    lists_of,
    negatives_table,
    numbered,
)
from curation.tables.pools import PoolRef
from open_ml_embed.core.engine import Outputs, Task
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.row_keys import row_keys
from open_ml_embed.core.store import Store
from sources.manifest import Family


class AlignSettings(BaseModel):
    """How rows are counted."""

    model_config = ConfigDict(frozen=True)

    num_negatives: int
    """Negatives a row should have: what a shortage is counted against."""
    width: float
    """Of a bin of scores."""


@dataclass(frozen=True)
class AlignRef:
    """A rows shard and the name of its pool."""

    pool: str
    path: str


class Align:
    """Operation: the negatives of a shard's queries, row by row."""

    name: ClassVar[str] = "negatives"
    version: ClassVar[int] = 2

    def __init__(self, settings: AlignSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Do one rows shard; `task.payload` is an `AlignRef`."""
        ref: AlignRef = task.payload
        asked = store.read_table(f"{Collect.name}/{ref.path}.links.arrow", ["query"])["query"].to_numpy()
        blocks, block_of = np.unique(asked // BLOCK_QUERIES, return_inverse=True)
        tables = [store.read_table(f"{Search.name}/{block_path(ref.pool, b)}.negatives.arrow") for b in blocks.tolist()]
        starts = offsets_of([table.num_rows for table in tables])
        found = pa.concat_tables([NEGATIVES_SCHEMA.empty_table(), *tables])
        found = found.take(pa.array(starts[block_of] + asked % BLOCK_QUERIES)).combine_chunks()
        out.table("negatives", found.to_batches(), NEGATIVES_SCHEMA)
        return tally(found, self.settings.num_negatives, self.settings.width)


def block_path(pool: str, number: int) -> str:
    """Return where the negatives of a block of queries lie, below the operation's folder."""
    return f"{pool}/{number:05d}"


@dataclass(frozen=True)
class ClassesRef:
    """A pool whose rows carry classes, and how many rows each of its shards has."""

    pool: PoolRef
    family: Family
    rows: tuple[int, ...]


class DrawClasses:
    """Operation: a pool of labeled rows to the negatives of every row, given ones and members of other classes."""

    name: ClassVar[str] = "negatives"
    version: ClassVar[int] = 2

    def __init__(self, settings: MiningSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Do one pool; `task.payload` is a `ClassesRef`."""
        ref: ClassesRef = task.payload
        num_negatives = (
            self.settings.num_negatives if ref.family == "clustering" else self.settings.num_negatives_classification
        )
        stem = f"{Collect.name}/{ref.pool.name}"
        documents = store.read_table(f"{stem}.documents.arrow")
        asked = store.read_table(f"{stem}.queries.arrow", ["exact", "wanted"])
        links = pa.concat_tables(store.read_table(f"{Collect.name}/{path}.links.arrow") for path in ref.pool.paths)
        rows = pa.concat_tables(store.read_table(f"rows/{p}.rows.arrow", ["row_id", "label"]) for p in ref.pool.paths)
        n = rows.num_rows
        queries = asked.take(links["query"])
        wanted, written = numbered(queries["wanted"], documents["language"])
        positive = links["positive"].to_numpy()
        masks = build_masks(
            lists_of(n, np.arange(n), positive),
            documents["cluster"].to_numpy(),
            texts=(queries["exact"].to_numpy(), documents["exact"].to_numpy()),
            languages=(wanted, written),
            language=self.settings.language,
            contaminated=documents["contaminated"].to_numpy(),
        )
        owner = np.repeat(np.arange(n), pc.list_value_length(links["given"]).to_numpy())
        given = lists_of(n, owner, pc.list_flatten(links["given"]).to_numpy())
        label = rows["label"].combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy().astype(np.int64)
        members = np.unique(np.stack([positive, label], 1)[label >= 0], axis=0)
        pool = Pool(masks, given, row_keys(rows))
        found = mine_classes(
            label, members[:, 0].astype(np.int32), members[:, 1], pool, num_negatives, self.settings.seed
        )
        table = negatives_table(found)
        start = 0
        for path, count in zip(ref.pool.paths, ref.rows, strict=True):
            out.table("negatives", table.slice(start, count).to_batches(), NEGATIVES_SCHEMA, at=path)
            start += count
        return tally(table, num_negatives, BOUNDED_WIDTH) | {"rejected": found.rejected}
