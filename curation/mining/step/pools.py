"""Operation `pools`: the distinct queries and documents of a candidate pool, and links from rows to them.

The documents of a pool are the distinct texts of positives and given negatives. Texts that differ only in case or white
space are the same document. Numbers follow the order of first occurrence. The tables hold no text: they hold the
location of its first occurrence (rows shard, row, and index among the given negatives).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from curation.tables.cross_pool import ANSWER_SCHEMA, answers_of
from curation.tables.pools import DOCUMENT_SCHEMA, PLACE_FIELDS, POOLS, POSITIVE, QUERY, PoolRef
from open_ml_embed.core.array_types import I16, I32, I64, U64, Array, Mask
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import NoSettings, Outputs, Task
from open_ml_embed.core.text.arrays import list_starts, numbers_of
from open_ml_embed.core.text.tokens import mix_all

CHUNK_TEXTS = 8192
"""Most texts of a chunk, the unit of embedding. A chunk holds texts of one rows shard."""
_OF_QUERIES = 0x510E_527F_ADE6_82D1
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


class Collect:
    """Operation: number the distinct texts of a pool, and link the rows to them."""

    name: ClassVar[str] = POOLS
    version: ClassVar[int] = 5
    settings: ClassVar[BaseModel] = NoSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Number the texts of one pool; `task.payload` is a `PoolRef`."""
        pool: PoolRef = task.payload
        languages: dict[str, int] = {}
        parts = [_read_shard(store, pool, number, languages) for number in range(len(pool.paths))]
        asking = parts[: len(pool.asking)]
        rows = [(len(part.query_exact), len(part.documents.exact)) for part in asking]
        given_offsets = [part.given_offsets for part in asking]
        wanted = np.concatenate([np.zeros(0, np.int32), *(part.wanted for part in asking)])
        language = np.concatenate([np.zeros(0, np.int32), *(part.language for part in asking)])
        query_exact = np.concatenate([np.zeros(0, np.uint64), *(part.query_exact for part in asking)])
        query_cluster = np.concatenate([np.zeros(0, np.int64), *(part.query_cluster for part in asking)])
        # texts that are both get the place and the cluster of the document, so documents come first
        documents = _concatenated([*(part.documents for part in parts), *(part.asked for part in asking)])
        del parts, asking
        names = pa.array(list(languages), pa.string())
        answers = answers_of(store, pool.name) if pool.answered else ANSWER_SCHEMA.empty_table()
        out.table("elsewhere", answers.to_batches(), ANSWER_SCHEMA)

        first, document_of = _numbered(documents.exact)
        contaminated = np.zeros(len(first), bool)
        contaminated[document_of[documents.contaminated]] = True
        is_positive = documents.given == POSITIVE
        place = (documents.shard[first], documents.row[first], documents.given[first])
        columns = (documents.exact[first], documents.cluster[first], names.take(pa.array(documents.language[first])))
        out.table("documents", _table((*place, *columns, contaminated), DOCUMENT_SCHEMA), DOCUMENT_SCHEMA)
        count, chunks = len(first), _chunks(place, pool)
        del documents, contaminated, columns

        first_text, text_of = _numbered(query_exact)
        shard_of_row = np.repeat(np.arange(len(rows), dtype=np.int32), [n for n, _ in rows])
        row_in_shard = np.concatenate([np.zeros(0, np.int32), *(np.arange(n, dtype=np.int32) for n, _ in rows)])
        asked = (shard_of_row[first_text], row_in_shard[first_text], np.full(len(first_text), POSITIVE, np.int16))
        out.table("asked", _table(asked, ASKED_SCHEMA), ASKED_SCHEMA)
        key = (text_of.astype(np.int64) * len(languages) + language) * len(languages) + wanted
        first_query, query_of = _numbered(key)
        queries = (
            text_of[first_query], query_exact[first_query], query_cluster[first_query],
            names.take(pa.array(language[first_query])), names.take(pa.array(wanted[first_query])),
        )  # fmt: skip
        out.table("queries", _table(queries, QUERY_SCHEMA), QUERY_SCHEMA)

        row = document_row = 0
        for path, (n, m), offsets in zip(pool.asking, rows, given_offsets, strict=True):
            of_shard, positive = (values[document_row : document_row + m] for values in (document_of, is_positive))
            given = pa.ListArray.from_arrays(offsets, pa.array(of_shard[~positive]))
            links = (query_of[row : row + n], of_shard[positive], given)
            out.table("links", _table(links, LINK_SCHEMA), LINK_SCHEMA, at=path)
            row, document_row = row + n, document_row + m
        return {
            "documents": count,
            "queries": len(first_query),
            "chunks": {"document": chunks, "query": _chunks(asked, pool)},
        }


class _Documents(NamedTuple):
    """Occurrences of documents, in the order of `shard`, `row` and `given`; one array for each column.

    Attributes:
        shard, row, given: int32, int32 and int16, see `curation.tables.pools.PLACE_FIELDS`.
        exact: uint64, hash of the text.
        cluster: int64, its cluster.
        language: int32, index of the language of the row's positive.
        contaminated: bool.

    """

    shard: I32
    row: I32
    given: I16
    exact: U64
    cluster: I64
    language: I32
    contaminated: Mask


class _Shard(NamedTuple):
    """Texts of one rows shard with n rows.

    Attributes:
        query_exact: uint64[n], hash of each query.
        query_cluster: int64[n].
        language, wanted: int32[n], indices of the languages of query and positive.
        documents: one for each positive, followed by one for each given negative of the row, row by row.
        asked: one for each query that is a document too.
        given_offsets: int32[n + 1], offsets of each row's given negatives among all given negatives.

    """

    query_exact: U64
    query_cluster: I64
    language: I32
    wanted: I32
    documents: _Documents
    asked: _Documents
    given_offsets: pa.Array


def _read_shard(store: Store, pool: PoolRef, number: int, languages: dict[str, int]) -> _Shard:
    """Read hashes, clusters, languages and contamination of the texts of a shard; new languages get the next index."""
    path = pool.paths[number]
    rows = store.read_table(f"rows/{path}.rows.arrow", ["query_lang", "positive_lang"])
    language, wanted = (numbers_of(rows[name], languages) for name in ("query_lang", "positive_lang"))
    clusters = store.read_table(
        f"clusters/{path}.clusters.arrow", ["query_cluster", "document_cluster", "negative_clusters"]
    )
    signatures = store.read_table(f"signatures/{path}.signatures.arrow", ["query_exact", "document_exact"])
    given_exact = store.read_table(f"signatures/{path}.negatives.arrow", ["document_exact"])["document_exact"]
    n = len(wanted)
    row = np.arange(n, dtype=np.int32)
    offsets = list_starts(clusters["negative_clusters"])
    row_of_given = np.repeat(row, np.diff(offsets))
    contaminated = asked_for = np.zeros(n, bool)
    if pool.decontaminated:
        names = ["document_overlap", "query_overlap"]
        contamination = store.read_table(f"contamination/{path}.contamination.arrow", names)
        contaminated, asked_for = (contamination[name].is_valid().to_numpy() for name in names)
    rows_of_all = np.concatenate([row, row_of_given])
    order = np.argsort(rows_of_all, kind="stable")  # a row's positive, then its given negatives
    given = np.concatenate([np.full(n, POSITIVE), np.arange(len(row_of_given)) - offsets[row_of_given]])
    cluster = [clusters["document_cluster"].to_numpy(), pc.list_flatten(clusters["negative_clusters"]).to_numpy()]
    documents = _Documents(
        np.full(len(order), number, np.int32),
        rows_of_all[order],
        given.astype(np.int16)[order],
        np.concatenate([signatures["document_exact"].to_numpy(), given_exact.to_numpy()])[order],
        np.concatenate(cluster)[order],
        wanted[rows_of_all[order]],
        np.concatenate([contaminated, np.zeros(len(row_of_given), bool)])[order],
    )
    query_exact = signatures["query_exact"].to_numpy().copy()
    query_cluster = clusters["query_cluster"].to_numpy().copy()
    bitext = np.zeros(0, np.int64)
    if pool.both_sides:
        is_code = [pc.ends_with(rows[name], "-Code").to_numpy() for name in ("query_lang", "positive_lang")]
        bitext = np.flatnonzero((language != wanted) & ~is_code[0] & ~is_code[1])
    asked = _Documents(
        np.full(len(bitext), number, np.int32),
        row[bitext],
        np.full(len(bitext), QUERY, np.int16),
        query_exact[bitext],
        _clusters_of_queries(query_cluster[bitext]),
        language[bitext],
        asked_for[bitext],
    )
    return _Shard(query_exact, query_cluster, language, wanted, documents, asked, pa.array(offsets, pa.int32()))


def _clusters_of_queries(clusters: I64) -> I64:
    """Return the clusters, among those of documents, of queries that are documents: int64[n], never negative.

    Clusters of queries and of documents are numbered apart, so these numbers are moved to where no document's are.
    """
    moved = mix_all(clusters.astype(np.uint64) ^ np.uint64(_OF_QUERIES)) >> np.uint64(1)
    return np.asarray(moved.astype(np.int64))


def _concatenated(parts: list[_Documents]) -> _Documents:
    none = _Documents(*(np.zeros(0, dtype) for dtype in ("i4", "i4", "i2", "u8", "i8", "i4", "?")))
    return _Documents(*(np.concatenate(columns) for columns in zip(none, *parts, strict=True)))


def _numbered(keys: U64 | I64) -> tuple[I64, I32]:
    """Number n keys by first occurrence.

    Returns:
        int64, the index of the first occurrence of each distinct key, ascending; int32[n], the number of each key.

    """
    order = np.argsort(keys, kind="stable")
    is_new = np.ones(len(keys), bool)
    is_new[1:] = keys[order[1:]] != keys[order[:-1]]
    first_of_group = order[is_new]  # a stable order: the first of equal keys
    group = np.cumsum(is_new, dtype=np.int32) - np.int32(1)
    by_first = np.argsort(first_of_group)
    number_of_group = np.empty(len(by_first), np.int32)
    number_of_group[by_first] = np.arange(len(by_first), dtype=np.int32)
    numbers = np.empty(len(keys), np.int32)
    numbers[order] = number_of_group[group]
    return first_of_group[by_first], numbers


def _table(columns: Sequence[Array | pa.Array], schema: pa.Schema) -> list[pa.RecordBatch]:
    """Return a table as one batch, or none if it has no rows."""
    batches: list[pa.RecordBatch] = pa.table([pa.array(column) for column in columns], schema=schema).to_batches()
    return batches


def _chunks(place: tuple[I32, I32, I16], pool: PoolRef) -> list[Chunk]:
    shard, row, given = place
    chunks = []
    edges = [0, *(np.flatnonzero(np.diff(shard)) + 1).tolist(), len(shard)]
    for first, last in pairwise(edges if len(shard) else [0]):
        number = int(shard[first])
        for start in range(first, last, CHUNK_TEXTS):
            stop = min(start + CHUNK_TEXTS, last)
            locations = np.stack([row[start:stop], given[start:stop]], 1).tolist()
            chunks.append(Chunk(start, stop, digest([pool.hashes[number], locations])))
    return chunks
