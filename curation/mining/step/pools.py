"""Operation `pools`: the distinct queries and documents of a candidate pool, and which of them each row names.

A document is a text that stands as a positive or as a given negative, once a pool however often it stands there;
texts that differ in case or white space only are one. Numbers follow the order of first appearance. No text is
written: one is known by the rows shard, the row, and the place in the row where it stands first.
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
"""Texts a chunk, at most; a chunk also ends where a rows shard does. One is embedded at once."""
ASKED_SCHEMA = pa.schema(PLACE_FIELDS)
"""One line a distinct text among the queries, in order of number."""

QUERY_SCHEMA = pa.schema(
    [
        pa.field("text", pa.int32(), nullable=False),
        pa.field("exact", pa.uint64(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("wanted", pa.string(), nullable=False),
    ]
)
"""One line a query: a text (a line of the `asked` table), its language, and the language `wanted` of an answer."""

LINK_SCHEMA = pa.schema(
    [
        pa.field("query", pa.int32(), nullable=False),
        pa.field("positive", pa.int32(), nullable=False),
        pa.field("given", pa.list_(pa.int32()), nullable=False),
    ]
)
"""Row-aligned with a rows shard: the numbers of its query, its positive, and its given negatives."""


class Chunk(NamedTuple):
    """Texts `start` … `stop - 1` of a table, all of one rows shard; the digest tells which they are."""

    start: int
    stop: int
    digest: str


class CollectSettings(BaseModel):
    """None: hashes and clusters are those that dedup wrote."""


class Collect:
    """Operation: a pool's rows to its distinct texts, and links to them."""

    name: ClassVar[str] = POOLS
    version: ClassVar[int] = 4
    settings: ClassVar[BaseModel] = CollectSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Number the texts of one pool; `task.payload` is a `PoolRef`."""
        pool: PoolRef = task.payload
        seen = [_read_shard(store, pool, number) for number, path in enumerate(pool.paths)]
        place = pl.first("shard", "row", "given")
        stands = pl.concat([part.written for part in seen])
        documents = stands.group_by("exact", maintain_order=True).agg(
            place, pl.first("cluster", "language"), pl.col("contaminated").any()
        )
        asks = pl.concat([part.asked for part in seen])
        asked = asks.group_by("exact", maintain_order=True).agg(place)
        asks = asks.with_columns(text=_numbers(asks, asked, ["exact"]))
        each = ["text", "language", "wanted"]
        queries = asks.group_by(each, maintain_order=True).agg(pl.first("exact", "cluster"))
        answers = answers_of(store, pool.name) if pool.answered else ANSWER_SCHEMA.empty_table()
        out.table("elsewhere", answers.to_batches(), ANSWER_SCHEMA)
        for name, frame, schema in (
            ("documents", documents, DOCUMENT_SCHEMA),
            ("asked", asked, ASKED_SCHEMA),
            ("queries", queries, QUERY_SCHEMA),
        ):
            # polars cuts a frame into chunks as its threads went along: they must not become record batches
            table = frame.select(schema.names).to_arrow().cast(schema).combine_chunks()
            out.table(name, table.to_batches(), schema)
        query_of = _numbers(asks, queries, each).to_arrow()
        document_of = _numbers(stands, documents, ["exact"]).to_arrow()
        row = stand = 0
        for path, part in zip(pool.paths, seen, strict=True):
            n, m = len(part.asked), len(part.written)
            here, positive = document_of.slice(stand, m), (part.written["given"] == POSITIVE).to_arrow()
            given = pa.ListArray.from_arrays(part.given_offsets, here.filter(pc.invert(positive)))
            links = pa.table([query_of.slice(row, n), here.filter(positive), given], schema=LINK_SCHEMA)
            out.table("links", links.to_batches(), LINK_SCHEMA, at=path)
            row, stand = row + n, stand + m
        return {
            "documents": len(documents),
            "queries": len(queries),
            "chunks": {"document": _chunks(documents, pool), "query": _chunks(asked, pool)},
        }


class _Shard(NamedTuple):
    """What one rows shard holds: a line a row; a line a positive and each given negative after it, row by row; and
    where each row's given negatives begin among all of them.
    """

    asked: pl.DataFrame
    written: pl.DataFrame
    given_offsets: pa.Array


def _read_shard(store: Store, pool: PoolRef, number: int) -> _Shard:
    """Read what dedup found out about the texts of a shard, and their languages."""
    path = pool.paths[number]
    languages = cast(
        "pl.DataFrame", pl.from_arrow(store.read_table(f"rows/{path}.rows.arrow", ["query_lang", "positive_lang"]))
    )
    clusters = store.read_table(
        f"clusters/{path}.clusters.arrow", ["query_cluster", "document_cluster", "negative_clusters"]
    )
    signed = store.read_table(f"signatures/{path}.signatures.arrow", ["query_exact", "document_exact"])
    given = store.read_table(f"signatures/{path}.negatives.arrow", ["document_exact"])["document_exact"]
    n = len(languages)
    row = np.arange(n, dtype=np.int32)
    asked = pl.DataFrame(
        {
            "shard": np.full(n, number, np.int32), "row": row, "given": np.full(n, POSITIVE, np.int16),
            "exact": signed["query_exact"].to_numpy(), "cluster": clusters["query_cluster"].to_numpy(),
            "language": languages["query_lang"], "wanted": languages["positive_lang"],
        }
    )  # fmt: skip
    offsets = list_starts(clusters["negative_clusters"])
    of_row = np.repeat(row, np.diff(offsets))
    contaminated = np.zeros(n, bool)
    if pool.decontaminated:
        found = store.read_table(f"contamination/{path}.contamination.arrow", ["document_overlap"])
        contaminated = found["document_overlap"].is_valid().to_numpy()
    negative_clusters = pc.list_flatten(clusters["negative_clusters"]).to_numpy()
    written = pl.DataFrame(
        {
            "shard": np.full(n + len(of_row), number, np.int32),
            "row": np.concatenate([row, of_row]),
            "given": np.concatenate([np.full(n, POSITIVE), np.arange(len(of_row)) - offsets[of_row]]).astype(np.int16),
            "exact": np.concatenate([signed["document_exact"].to_numpy(), given.to_numpy()]),
            "cluster": np.concatenate([clusters["document_cluster"].to_numpy(), negative_clusters]),
            "language": languages["positive_lang"].append(languages["positive_lang"].gather(of_row)),
            "contaminated": np.concatenate([contaminated, np.zeros(len(of_row), bool)]),
        }
    )
    return _Shard(asked, written.sort("row", "given"), pa.array(offsets, pa.int32()))


def _numbers(frame: pl.DataFrame, distinct: pl.DataFrame, keys: list[str]) -> pl.Series:
    """Return for every line of `frame` the number of the line of `distinct` with the same keys, int32."""
    numbered = distinct.select(keys).with_row_index("number")
    found = frame.select(keys).join(numbered, on=keys, how="left", maintain_order="left")
    return found["number"].cast(pl.Int32)


def _chunks(texts: pl.DataFrame, pool: PoolRef) -> list[Chunk]:
    shard = texts["shard"].to_numpy()
    named = texts.select("row", "given").to_numpy()
    found = []
    for number in np.unique(shard).tolist():
        first, last = np.searchsorted(shard, [number, number + 1]).tolist()
        for start in range(first, last, CHUNK_TEXTS):
            stop = min(start + CHUNK_TEXTS, last)
            found.append(Chunk(start, stop, digest([pool.hashes[number], named[start:stop].tolist()])))
    return found
