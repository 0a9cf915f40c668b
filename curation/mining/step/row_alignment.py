"""Operations `negatives`: write a table of negatives for every rows shard, mined ones or members of other classes."""

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
    language_codes,
    negatives_table,
    unique_lists,
)
from curation.tables.pools import PoolRef
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.row_keys import row_keys
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import NoSettings, Outputs, Task
from sources.manifest import Family


class AlignSettings(BaseModel):
    """Settings of the statistics."""

    model_config = ConfigDict(frozen=True)

    num_negatives: int
    """Negatives that a row should have; a row with fewer counts as short."""
    width: float
    """Bin width of the score histograms."""


@dataclass(frozen=True)
class AlignRef:
    """Payload of a task: the path of a rows shard, and the name of its pool."""

    pool: str
    path: str


class Align:
    """Operation: look up the negatives of the query of each row of a shard."""

    name: ClassVar[str] = "negatives"
    version: ClassVar[int] = 2

    def __init__(self, settings: AlignSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Align one rows shard; `task.payload` is an `AlignRef`."""
        ref: AlignRef = task.payload
        query_of_row = store.read_table(f"{Collect.name}/{ref.path}.links.arrow", ["query"])["query"].to_numpy()
        blocks, block_of = np.unique(query_of_row // BLOCK_QUERIES, return_inverse=True)
        tables = [store.read_table(f"{Search.name}/{block_path(ref.pool, b)}.negatives.arrow") for b in blocks.tolist()]
        starts = offsets_of([table.num_rows for table in tables])
        negatives = pa.concat_tables([NEGATIVES_SCHEMA.empty_table(), *tables])
        negatives = negatives.take(pa.array(starts[block_of] + query_of_row % BLOCK_QUERIES)).combine_chunks()
        out.table("negatives", negatives.to_batches(), NEGATIVES_SCHEMA)
        return tally(negatives, self.settings.num_negatives, self.settings.width)


def block_path(pool: str, number: int) -> str:
    """Return the path of the negatives of a block of queries, below the operation's folder."""
    return f"{pool}/{number:05d}"


class NoNegatives:
    """Operation: a table without negatives for a rows shard of a corpus, so that every rows shard has one."""

    name: ClassVar[str] = "negatives"
    version: ClassVar[int] = 2
    settings: ClassVar[BaseModel] = NoSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Write the table of one shard; `task.payload` is its number of rows."""
        del store
        rows: int = task.payload
        nothing = [np.zeros(0, dtype) for dtype in (np.int32, np.float32, np.int8)]
        offsets = pa.array(np.zeros(rows + 1, np.int32))
        lists = [pa.ListArray.from_arrays(offsets, pa.array(values)) for values in nothing]
        columns = [*lists, pa.array(np.full(rows, np.nan, np.float32)), pa.array(np.full(rows, -1, np.int32))]
        out.table("negatives", pa.table(columns, schema=NEGATIVES_SCHEMA).to_batches(), NEGATIVES_SCHEMA)
        return {}


@dataclass(frozen=True)
class ClassesRef:
    """Payload of a task.

    Attributes:
        pool: labeled rows.
        family: of their source.
        rows: number of rows of each shard of the pool.
        classes_are_languages: whether the labels name the texts' languages. Then members of other classes are in other
            languages, so negatives may have any language, whatever `mining.language` says.

    """

    pool: PoolRef
    family: Family
    rows: tuple[int, ...]
    classes_are_languages: bool = False


class DrawClasses:
    """Operation: choose negatives for every row of a labeled pool: given ones, then members of other classes."""

    name: ClassVar[str] = "negatives"
    version: ClassVar[int] = 2

    def __init__(self, settings: MiningSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Draw the negatives of one pool; `task.payload` is a `ClassesRef`."""
        ref: ClassesRef = task.payload
        num_negatives = (
            self.settings.num_negatives if ref.family == "clustering" else self.settings.num_negatives_classification
        )
        stem = f"{Collect.name}/{ref.pool.name}"
        documents = store.read_table(f"{stem}.documents.arrow")
        query_table = store.read_table(f"{stem}.queries.arrow", ["exact", "wanted"])
        links = pa.concat_tables(store.read_table(f"{Collect.name}/{path}.links.arrow") for path in ref.pool.paths)
        rows = pa.concat_tables(store.read_table(f"rows/{p}.rows.arrow", ["row_id", "label"]) for p in ref.pool.paths)
        n = rows.num_rows
        queries = query_table.take(links["query"])
        (wanted_language, document_language), _ = language_codes(queries["wanted"], documents["language"])
        positive = links["positive"].to_numpy()
        masks = build_masks(
            unique_lists(n, np.arange(n), positive),
            documents["cluster"].to_numpy(),
            texts=(queries["exact"].to_numpy(), documents["exact"].to_numpy()),
            languages=(wanted_language, document_language),
            language="any" if ref.classes_are_languages else self.settings.language,
            contaminated=documents["contaminated"].to_numpy(),
        )
        row_of_given = np.repeat(np.arange(n), pc.list_value_length(links["given"]).to_numpy())
        given = unique_lists(n, row_of_given, pc.list_flatten(links["given"]).to_numpy())
        label = rows["label"].combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy().astype(np.int64)
        members = np.unique(np.stack([positive, label], 1)[label >= 0], axis=0)
        pool = Pool(masks, given, row_keys(rows))
        negatives = mine_classes(
            label, members[:, 0].astype(np.int32), members[:, 1], pool, num_negatives, self.settings.seed
        )
        table = negatives_table(negatives)
        start = 0
        for path, count in zip(ref.pool.paths, ref.rows, strict=True):
            out.table("negatives", table.slice(start, count).to_batches(), NEGATIVES_SCHEMA, at=path)
            start += count
        return tally(table, num_negatives, BOUNDED_WIDTH) | {"rejected": negatives.rejected}
