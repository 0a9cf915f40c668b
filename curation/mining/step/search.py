"""Operation `mined`: negatives of a block of a pool's queries, as document numbers of the pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.mining.bm25 import take_tokens
from curation.mining.lexical import LexicalRetriever, TokensOf
from curation.mining.masks import Ragged, build_masks
from curation.mining.negatives import ORIGINS, Negatives, gather
from curation.mining.rerank import PairScores
from curation.mining.retrievers import DenseRetriever, Retriever, mine_blocks
from curation.mining.rules import Pool
from curation.mining.settings import MiningSettings
from curation.mining.step.embeddings import StoredVectors
from curation.mining.step.pools import Collect
from curation.mining.vectors import Vectors
from curation.tables.pools import PoolRef, read_texts
from open_ml_embed.core.array_types import F32, I32, I64, Array, Integers, Mask
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Outputs, Task
from open_ml_embed.core.text.tokens import Tokens, tokenize

BLOCK_QUERIES = 32_768
"""Queries of a task, so the most work that is lost if a run is killed."""

NEGATIVES_SCHEMA = pa.schema(
    [
        pa.field("negatives", pa.list_(pa.int32()), nullable=False),
        pa.field("scores", pa.list_(pa.float32()), nullable=False),
        pa.field("origins", pa.list_(pa.int8()), nullable=False),
        pa.field("positive_score", pa.float32(), nullable=False),
        pa.field("positive_rank", pa.int32(), nullable=False),
    ]
)
"""One line for each query, or for each row. `negatives` are document numbers of the pool, `scores` those of the teacher
(NaN where there is none), and `origins` indices into `curation.mining.negatives.ORIGINS`. For the other columns see
`curation.mining.negatives.Negatives`."""


@dataclass(frozen=True)
class BlockRef:
    """Payload of a task: a block of a pool's queries.

    Attributes:
        pool: the pool.
        start, stop: the numbers of its queries.
        vectors: of the pool's distinct queries and documents; null for BM25.
        threads: of this task; 0: one per core.

    """

    pool: PoolRef
    start: int
    stop: int
    vectors: tuple[StoredVectors, StoredVectors] | None
    threads: int


class Search:
    """Operation: find the negatives of a block of queries."""

    name: ClassVar[str] = "mined"
    version: ClassVar[int] = 6

    def __init__(self, settings: MiningSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Mine one block; `task.payload` is a `BlockRef`, and `task.inputs[0]` identifies pool and vectors."""
        ref: BlockRef = task.payload
        prepared = _prepared(task.inputs[0], store, ref, self.settings)
        parts = []
        recall = 1.0
        for rows, retriever in prepared.retrievers:
            first, end = np.searchsorted(rows, (ref.start, ref.stop))
            results = mine_blocks(retriever, prepared.pool, self.settings, prepared.pair_scores, rows[first:end])
            parts += [(queries - ref.start, chosen) for queries, chosen in results]
            recall = min(recall, retriever.recall)
        negatives = replace(gather(parts), recall=recall)
        out.table("negatives", negatives_table(negatives).to_batches(), NEGATIVES_SCHEMA)
        examples = [
            [
                e.query,
                e.document,
                e.score,
                None if np.isnan(e.positive_score) else e.positive_score,
                e.reason,
            ]
            for e in negatives.examples
        ]
        mined = int((negatives.origins == ORIGINS.index("mined")).sum())
        return {"rejected": negatives.rejected, "chosen": mined, "examples": examples, "recall": recall}


def negatives_table(negatives: Negatives) -> pa.Table:
    """Return negatives as a table with the schema `NEGATIVES_SCHEMA`."""
    offsets = pa.array(negatives.offsets.astype(np.int32))
    lists = [
        pa.ListArray.from_arrays(offsets, pa.array(v)) for v in (negatives.ids, negatives.scores, negatives.origins)
    ]
    return pa.table(
        [*lists, pa.array(negatives.positive_score), pa.array(negatives.positive_rank)], schema=NEGATIVES_SCHEMA
    )


class _Prepared(NamedTuple):
    """A pool that can be searched.

    Attributes:
        pool: masks, given negatives and keys of all queries.
        retrievers: (int64 query numbers, ascending; the retriever for them).
        pair_scores: the reranker; null: none.

    """

    pool: Pool
    retrievers: list[tuple[I64, Retriever]]
    pair_scores: PairScores | None


_cache: dict[tuple[str, str], _Prepared] = {}
"""The last pool that this process searched: blocks of one pool follow each other, and building its index is slow."""


def _prepared(identity: str, store: Store, ref: BlockRef, settings: MiningSettings) -> _Prepared:
    key = identity, settings.model_dump_json()
    if key not in _cache:
        _cache.clear()
        _cache[key] = _prepare(store, ref, settings)
    return _cache[key]


def _prepare(store: Store, ref: BlockRef, settings: MiningSettings) -> _Prepared:
    stem = f"{Collect.name}/{ref.pool.name}"
    codes, names = language_codes(
        *(store.read_table(f"{stem}.queries.arrow", [name])[name] for name in ("language", "wanted")),
        store.read_table(f"{stem}.documents.arrow", ["language"])["language"],
    )
    queries = store.read_table(f"{stem}.queries.arrow", ["text", "exact", "cluster"])
    numeric = ["shard", "row", "given", "exact", "cluster", "contaminated"]
    documents = store.read_table(f"{stem}.documents.arrow", numeric)
    elsewhere = store.read_table(f"{stem}.elsewhere.arrow")
    links = pa.concat_tables(store.read_table(f"{Collect.name}/{path}.links.arrow") for path in ref.pool.asking)
    n = queries.num_rows
    query_of_row = links["query"].to_numpy()
    query_of_given = np.repeat(query_of_row, pc.list_value_length(links["given"]).to_numpy())
    own_document = _own_documents(queries, documents, codes, names, settings)
    bitext = np.flatnonzero(own_document >= 0)
    own_clusters = documents["cluster"].to_numpy()[own_document[bitext]]
    answered = (
        np.concatenate([elsewhere["query_cluster"].to_numpy(), queries["cluster"].to_numpy()[bitext]]),
        np.concatenate([elsewhere["document_cluster"].to_numpy(), own_clusters]),
    )
    masks = build_masks(
        unique_lists(n, query_of_row, links["positive"].to_numpy()),
        documents["cluster"].to_numpy(),
        query_cluster=queries["cluster"].to_numpy(),
        elsewhere=answered,
        texts=(queries["exact"].to_numpy(), documents["exact"].to_numpy()),
        languages=(codes[1], codes[2]),
        language=settings.language,
        own_language=codes[0],
        contaminated=documents["contaminated"].to_numpy(),
    )
    pool = Pool(
        masks, unique_lists(n, query_of_given, pc.list_flatten(links["given"]).to_numpy()), queries["exact"].to_numpy()
    )
    places, text_of = documents.select(["shard", "row", "given"]), queries["text"].to_numpy()
    pair_scores = _pair_scores(store, ref.pool, text_of, places, settings)
    if ref.vectors is not None:
        from open_ml_embed.core import devices

        vectors = Renumbered(ref.vectors[0], text_of)
        retriever = DenseRetriever(vectors, ref.vectors[1], devices.chosen(), threads=ref.threads)
        return _Prepared(pool, [(np.arange(n), retriever)], pair_scores)
    is_code = np.array([name.endswith("-Code") for name in names], bool)
    crosslingual = (codes[0] != codes[1]) & ~is_code[codes[0]] & ~is_code[codes[1]]
    return _Prepared(
        pool, list(_lexical(store, ref, text_of, places, crosslingual, own_document, pool, settings)), pair_scores
    )


def _own_documents(
    queries: pa.Table, documents: pa.Table, codes: list[I32], names: list[str], settings: MiningSettings
) -> I64:
    """Return the document that has the text of each query of bitext, int64[n]; -1 for other queries.

    Whatever shares its cluster says the same as the query, so it is masked for it and for queries that resemble it.
    """
    own = np.full(queries.num_rows, -1, np.int64)
    if settings.language != "both":
        return own
    is_code = np.array([name.endswith("-Code") for name in names], bool)
    bitext = np.flatnonzero((codes[0] != codes[1]) & ~is_code[codes[0]] & ~is_code[codes[1]])
    exact = documents["exact"].to_numpy()
    order = np.argsort(exact, kind="stable")
    own[bitext] = order[np.searchsorted(exact[order], queries["exact"].to_numpy()[bitext])]
    return own


def language_codes(*columns: pa.ChunkedArray) -> tuple[list[I32], list[str]]:
    """Encode the strings of several columns as int32 codes, equal for equal strings; return them and the strings."""
    codes = pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string()).dictionary_encode()
    codes = codes.unify_dictionaries()
    names = codes.chunk(0).dictionary.to_pylist() if codes.num_chunks else []
    numbers = np.concatenate([np.zeros(0, np.int32), *(chunk.indices.to_numpy() for chunk in codes.chunks)])
    return np.split(numbers, np.cumsum([len(column) for column in columns])[:-1]), names


def unique_lists(size: int, owner: Array, value: Array) -> Ragged:
    """Return the distinct values of each owner 0 … size - 1, in order of first occurrence.

    Args:
        size: number of lists.
        owner: integers[pairs], the list of each value.
        value: integers[pairs].

    """
    width = int(value.max()) + 1 if len(value) else 1
    first = np.sort(np.unique(owner.astype(np.int64) * width + value, return_index=True)[1])
    owner_of_first = owner[first]
    first = first[np.argsort(owner_of_first, kind="stable")]
    return Ragged(offsets_of(np.bincount(owner_of_first, minlength=size)), value[first].astype(np.int32))


@dataclass(frozen=True)
class Renumbered:
    """Vectors under other numbers: queries with the same text and different languages share one vector.

    Attributes:
        vectors: of the distinct texts.
        numbers: int32[n], the text of each query.

    """

    vectors: Vectors
    numbers: I32

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self.numbers)

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return self.vectors.dim

    def block(self, start: int, stop: int) -> Array:
        """Return vectors start … stop - 1."""
        return self.take(np.arange(start, min(stop, len(self))))

    def take(self, ids: Array) -> Array:
        """Return the vectors with these numbers."""
        return self.vectors.take(self.numbers[ids])


def _lexical(
    store: Store,
    ref: BlockRef,
    text_of: I32,
    documents: pa.Table,
    crosslingual: Mask,
    own_document: I64,
    pool: Pool,
    settings: MiningSettings,
) -> Iterator[tuple[I64, Retriever]]:
    """Yield (int64 query numbers, the BM25 retriever for them).

    Documents are indexed by their own words. In bitext, query and document share no words, so there a document is
    indexed by the words of the queries that it answers: the positive of a similar query is a hard negative. A document
    that is a query itself is indexed by its own words.

    Args:
        store: of the rows.
        ref: the pool.
        text_of: int32[n], the text of each query in the table `asked`.
        documents: the locations of the documents' texts.
        crosslingual: bool[n], queries of bitext.
        own_document: int64[n], the document that is the query itself; -1: none is.
        pool: links.
        settings: of BM25.

    """
    asked = store.read_table(f"{Collect.name}/{ref.pool.name}.asked.arrow")

    def query_tokens(queries: Integers) -> Tokens:
        return tokenize(read_texts(store, ref.pool, asked, text_of[queries], "query"), for_search=True)

    def document_tokens(numbers: Integers) -> Tokens:
        return tokenize(read_texts(store, ref.pool, documents, numbers), for_search=True)

    if not crosslingual.all():
        yield (
            np.flatnonzero(~crosslingual),
            LexicalRetriever(query_tokens, document_tokens, k1=settings.k1, b=settings.b, threads=ref.threads),
        )
    if crosslingual.any():
        queries = np.flatnonzero(crosslingual)
        positives = pool.masks.positives.take(queries)
        owned = queries[own_document[queries] >= 0]
        owner = np.concatenate([positives.values.astype(np.int64), own_document[owned]])
        asked_by = np.concatenate([np.repeat(queries, np.diff(positives.offsets)), owned])
        lists = unique_lists(documents.num_rows, owner, asked_by)
        tokens_of = partial(joined_tokens, query_tokens, lists)
        yield queries, LexicalRetriever(query_tokens, tokens_of, k1=settings.k1, b=settings.b, threads=ref.threads)


def joined_tokens(tokens_of: TokensOf, lists: Ragged, numbers: Integers) -> Tokens:
    """Return, for each of some lists of text numbers, the concatenated tokens of its texts; `exact` is 0."""
    part = lists.take(np.asarray(numbers, np.int64))
    texts, place = np.unique(part.values, return_inverse=True)
    selected = take_tokens(tokens_of(texts), place)
    return Tokens(selected.hashes, selected.offsets[part.offsets], np.zeros(len(numbers), np.uint64))


def _pair_scores(
    store: Store, pool: PoolRef, text_of: I32, documents: pa.Table, settings: MiningSettings
) -> PairScores | None:
    if settings.second_opinion is None:
        return None
    from curation.mining.teachers.cross_encoder import load_second_opinion

    judge = load_second_opinion(settings.second_opinion)
    locations = store.read_table(f"{Collect.name}/{pool.name}.asked.arrow")

    def score(query: I64, document: I32) -> F32:
        distinct_queries, query_index = np.unique(text_of[query], return_inverse=True)
        distinct_documents, document_index = np.unique(document, return_inverse=True)
        return judge.score(
            read_texts(store, pool, locations, distinct_queries, "query"),
            read_texts(store, pool, documents, distinct_documents),
            query_index,
            document_index,
        )

    return score
