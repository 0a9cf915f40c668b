"""Operation `pools`: the distinct queries and documents of a candidate pool, and links from rows to them.

The documents of a pool are the distinct texts of positives and given negatives. Texts that differ only in case or white
space are the same document. Numbers follow the order of first occurrence. The tables hold no text: they hold the
location of its first occurrence (rows shard, row, and index among the given negatives).
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from curation.tables.cross_pool import ANSWER_SCHEMA, answers_of
from curation.tables.pools import DOCUMENT_SCHEMA, PLACE_FIELDS, POOLS, POSITIVE, PoolRef
from open_ml_embed.core.engine import Outputs, Task
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.store import Store
from open_ml_embed.core.text.arrays import list_starts

CHUNK_TEXTS = 8192
"""Most texts of a chunk, the unit of embedding. A chunk holds texts of one rows shard."""
ASKED_SCHEMA = pa.schema(PLACE_FIELDS)
"""Table `asked`: one row for each distinct text among the queries, in order of number."""

QUERY_SCHEMA = pa.schema(
    [
        pa.field("text", pa.int32(), nullable=False),
        pa.field("exact", pa.uint64(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("wanted", pa.string(), nullable=False),
    ]
)
"""Table `queries`: one row for each query, a combination of a text (row of the table `asked`), its language, and the
language `wanted` of its positive."""

LINK_SCHEMA = pa.schema(
    [
        pa.field("query", pa.int32(), nullable=False),
        pa.field("positive", pa.int32(), nullable=False),
        pa.field("given", pa.list_(pa.int32()), nullable=False),
    ]
)
"""Table `links`, aligned with a rows shard: the numbers of the row's query, positive and given negatives."""


class Chunk(NamedTuple):
    """Texts `start` … `stop - 1` of a table, all of one rows shard; the digest identifies the texts."""

    start: int
    stop: int
    digest: str


class CollectSettings(BaseModel):
    """The operation has no settings; it reads hashes and clusters from step `dedup`."""


class Collect:
    """Operation: number the distinct texts of a pool, and link the rows to them."""

    name: ClassVar[str] = POOLS
    version: ClassVar[int] = 4
    settings: ClassVar[BaseModel] = CollectSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Number the texts of one pool; `task.payload` is a `PoolRef`."""
        pool: PoolRef = task.payload
        parts = [_read_shard(store, pool, number) for number, path in enumerate(pool.paths)]
        location = pl.first("shard", "row", "given")
        documents_of_rows = pl.concat([part.documents for part in parts])
        documents = documents_of_rows.group_by("exact", maintain_order=True).agg(
            location, pl.first("cluster", "language"), pl.col("contaminated").any()
        )
        queries_of_rows = pl.concat([part.queries for part in parts])
        query_texts = queries_of_rows.group_by("exact", maintain_order=True).agg(location)
        queries_of_rows = queries_of_rows.with_columns(text=_numbers(queries_of_rows, query_texts, ["exact"]))
        query_keys = ["text", "language", "wanted"]
        queries = queries_of_rows.group_by(query_keys, maintain_order=True).agg(pl.first("exact", "cluster"))
        answers = answers_of(store, pool.name) if pool.answered else ANSWER_SCHEMA.empty_table()
        out.table("elsewhere", answers.to_batches(), ANSWER_SCHEMA)
        for name, frame, schema in (
            ("documents", documents, DOCUMENT_SCHEMA),
            ("asked", query_texts, ASKED_SCHEMA),
            ("queries", queries, QUERY_SCHEMA),
        ):
            # the chunks of a polars frame depend on its threads, so they must not become record batches
            table = frame.select(schema.names).to_arrow().cast(schema).combine_chunks()
            out.table(name, table.to_batches(), schema)
        query_of = _numbers(queries_of_rows, queries, query_keys).to_arrow()
        document_of = _numbers(documents_of_rows, documents, ["exact"]).to_arrow()
        row = document_row = 0
        for path, part in zip(pool.paths, parts, strict=True):
            n, m = len(part.queries), len(part.documents)
            numbers_of_shard, positive = (
                document_of.slice(document_row, m),
                (part.documents["given"] == POSITIVE).to_arrow(),
            )
            given = pa.ListArray.from_arrays(part.given_offsets, numbers_of_shard.filter(pc.invert(positive)))
            links = pa.table([query_of.slice(row, n), numbers_of_shard.filter(positive), given], schema=LINK_SCHEMA)
            out.table("links", links.to_batches(), LINK_SCHEMA, at=path)
            row, document_row = row + n, document_row + m
        return {
            "documents": len(documents),
            "queries": len(queries),
            "chunks": {"document": _chunks(documents, pool), "query": _chunks(query_texts, pool)},
        }


class _Shard(NamedTuple):
    """Texts of one rows shard.

    Attributes:
        queries: one line for each row.
        documents: one line for each positive, followed by one for each given negative of the row, row by row.
        given_offsets: int32[rows + 1], offsets of each row's given negatives among all given negatives.

    """

    queries: pl.DataFrame
    documents: pl.DataFrame
    given_offsets: pa.Array


def _read_shard(store: Store, pool: PoolRef, number: int) -> _Shard:
    """Read hashes, clusters, languages and contamination of the texts of a shard."""
    path = pool.paths[number]
    languages = cast(
        "pl.DataFrame", pl.from_arrow(store.read_table(f"rows/{path}.rows.arrow", ["query_lang", "positive_lang"]))
    )
    clusters = store.read_table(
        f"clusters/{path}.clusters.arrow", ["query_cluster", "document_cluster", "negative_clusters"]
    )
    signatures = store.read_table(f"signatures/{path}.signatures.arrow", ["query_exact", "document_exact"])
    given = store.read_table(f"signatures/{path}.negatives.arrow", ["document_exact"])["document_exact"]
    n = len(languages)
    row = np.arange(n, dtype=np.int32)
    queries = pl.DataFrame(
        {
            "shard": np.full(n, number, np.int32), "row": row, "given": np.full(n, POSITIVE, np.int16),
            "exact": signatures["query_exact"].to_numpy(), "cluster": clusters["query_cluster"].to_numpy(),
            "language": languages["query_lang"], "wanted": languages["positive_lang"],
        }
    )  # fmt: skip
    offsets = list_starts(clusters["negative_clusters"])
    row_of_given = np.repeat(row, np.diff(offsets))
    contaminated = np.zeros(n, bool)
    if pool.decontaminated:
        contamination = store.read_table(f"contamination/{path}.contamination.arrow", ["document_overlap"])
        contaminated = contamination["document_overlap"].is_valid().to_numpy()
    negative_clusters = pc.list_flatten(clusters["negative_clusters"]).to_numpy()
    documents = pl.DataFrame(
        {
            "shard": np.full(n + len(row_of_given), number, np.int32),
            "row": np.concatenate([row, row_of_given]),
            "given": np.concatenate(
                [np.full(n, POSITIVE), np.arange(len(row_of_given)) - offsets[row_of_given]]
            ).astype(np.int16),
            "exact": np.concatenate([signatures["document_exact"].to_numpy(), given.to_numpy()]),
            "cluster": np.concatenate([clusters["document_cluster"].to_numpy(), negative_clusters]),
            "language": languages["positive_lang"].append(languages["positive_lang"].gather(row_of_given)),
            "contaminated": np.concatenate([contaminated, np.zeros(len(row_of_given), bool)]),
        }
    )
    return _Shard(queries, documents.sort("row", "given"), pa.array(offsets, pa.int32()))


def _numbers(frame: pl.DataFrame, distinct: pl.DataFrame, keys: list[str]) -> pl.Series:
    """Return, for every line of `frame`, the number of the line of `distinct` with the same keys, int32[len(frame)]."""
    numbered = distinct.select(keys).with_row_index("number")
    joined = frame.select(keys).join(numbered, on=keys, how="left", maintain_order="left")
    return joined["number"].cast(pl.Int32)


def _chunks(texts: pl.DataFrame, pool: PoolRef) -> list[Chunk]:
    shard = texts["shard"].to_numpy()
    locations = texts.select("row", "given").to_numpy()
    chunks = []
    for number in np.unique(shard).tolist():
        first, last = np.searchsorted(shard, [number, number + 1]).tolist()
        for start in range(first, last, CHUNK_TEXTS):
            stop = min(start + CHUNK_TEXTS, last)
            chunks.append(Chunk(start, stop, digest([pool.hashes[number], locations[start:stop].tolist()])))
    return chunks
