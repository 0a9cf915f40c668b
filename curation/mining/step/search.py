"""Operation `mined`: negatives of a block of a pool's queries, as document numbers of the pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation.mining.bm25 import take_tokens
from curation.mining.lexical import LexicalRetriever
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
from open_ml_embed.core.array_types import F32, I32, I64, Array
from open_ml_embed.core.engine import Outputs, Task
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.store import Store
from open_ml_embed.core.text.tokens import Tokens, tokenize

BLOCK_QUERIES = 32_768
"""Queries of a task, so the most work that is lost if a run is killed."""
TEXTS_AT_ONCE = 65_536
"""Texts tokenized at once."""

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
    version: ClassVar[int] = 5

    def __init__(self, settings: MiningSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Mine one block; `task.payload` is a `BlockRef`, and `task.inputs[0]` identifies pool and vectors."""
        ref: BlockRef = task.payload
        prepared = _prepared(task.inputs[0], store, ref, self.settings)
        block = np.arange(ref.start, ref.stop)
        parts = []
        recall = 1.0
        for rows, retriever in prepared.retrievers:
            results = mine_blocks(
                retriever, prepared.pool, self.settings, prepared.pair_scores, np.intersect1d(rows, block)
            )
            parts += [(queries - ref.start, chosen) for queries, chosen in results]
            recall = min(recall, retriever.recall)
        negatives = replace(gather(parts), recall=recall)
        out.table("negatives", negatives_table(negatives).to_batches(), NEGATIVES_SCHEMA)
        examples = [
            [
                e.query + ref.start,
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
        retrievers: (int64 query numbers, the retriever for them).
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
    queries = store.read_table(f"{stem}.queries.arrow")
    documents = store.read_table(f"{stem}.documents.arrow")
    elsewhere = store.read_table(f"{stem}.elsewhere.arrow")
    links = pa.concat_tables(store.read_table(f"{Collect.name}/{path}.links.arrow") for path in ref.pool.paths)
    n = queries.num_rows
    query_of_row = links["query"].to_numpy()
    query_of_given = np.repeat(query_of_row, pc.list_value_length(links["given"]).to_numpy())
    masks = build_masks(
        unique_lists(n, query_of_row, links["positive"].to_numpy()),
        documents["cluster"].to_numpy(),
        query_cluster=queries["cluster"].to_numpy(),
        elsewhere=(elsewhere["query_cluster"].to_numpy(), elsewhere["document_cluster"].to_numpy()),
        texts=(queries["exact"].to_numpy(), documents["exact"].to_numpy()),
        languages=language_codes(queries["wanted"], documents["language"]),
        language=settings.language,
        contaminated=documents["contaminated"].to_numpy(),
    )
    pool = Pool(
        masks, unique_lists(n, query_of_given, pc.list_flatten(links["given"]).to_numpy()), queries["exact"].to_numpy()
    )
    pair_scores = _pair_scores(store, ref.pool, queries, documents, settings)
    if ref.vectors is not None:
        from open_ml_embed.core import devices

        vectors = Renumbered(ref.vectors[0], queries["text"].to_numpy())
        retriever = DenseRetriever(vectors, ref.vectors[1], devices.chosen(), threads=ref.threads)
        return _Prepared(pool, [(np.arange(n), retriever)], pair_scores)
    return _Prepared(pool, list(_lexical(store, ref, queries, documents, pool, settings)), pair_scores)


def language_codes(left: pa.ChunkedArray, right: pa.ChunkedArray) -> tuple[I32, I32]:
    """Encode the strings of two columns as int32 codes, equal for equal strings."""
    codes = pa.chunked_array([*left.chunks, *right.chunks], pa.string()).combine_chunks().dictionary_encode()
    numbers = codes.indices.to_numpy()
    return numbers[: len(left)], numbers[len(left) :]


def unique_lists(size: int, owner: Array, value: Array) -> Ragged:
    """Return the distinct values of each owner 0 … size - 1, in order of first occurrence.

    Args:
        size: number of lists.
        owner: integers[pairs], the list of each value.
        value: integers[pairs].

    """
    pairs = (
        pl.DataFrame({"owner": owner, "value": value}).unique(maintain_order=True).sort("owner", maintain_order=True)
    )
    counts = np.bincount(pairs["owner"].to_numpy(), minlength=size)
    return Ragged(offsets_of(counts), pairs["value"].to_numpy().astype(np.int32))


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
    store: Store, ref: BlockRef, queries: pa.Table, documents: pa.Table, pool: Pool, settings: MiningSettings
) -> Iterator[tuple[I64, Retriever]]:
    """Yield (int64 query numbers, the BM25 retriever for them).

    Documents are indexed by their own words. In bitext, query and document share no words, so there a document is
    indexed by the words of the queries that it answers: the positive of a similar query is a hard negative.
    """
    locations = store.read_table(f"{Collect.name}/{ref.pool.name}.asked.arrow")
    query_tokens = take_tokens(_tokens(store, ref.pool, locations, "query"), queries["text"].to_numpy())
    is_code = pc.or_(pc.ends_with(queries["language"], "-Code"), pc.ends_with(queries["wanted"], "-Code"))
    crosslingual = pc.and_(pc.not_equal(queries["language"], queries["wanted"]), pc.invert(is_code)).to_numpy()
    if not crosslingual.all():
        document_tokens = _tokens(store, ref.pool, documents, "positive")
        yield (
            np.flatnonzero(~crosslingual),
            LexicalRetriever(query_tokens, document_tokens, k1=settings.k1, b=settings.b, threads=ref.threads),
        )
    if crosslingual.any():
        positives = pool.masks.positives.take(np.flatnonzero(crosslingual))
        query_of_positive = np.repeat(np.flatnonzero(crosslingual), np.diff(positives.offsets))
        document_tokens = joined_tokens(
            query_tokens, unique_lists(documents.num_rows, positives.values, query_of_positive)
        )
        yield (
            np.flatnonzero(crosslingual),
            LexicalRetriever(query_tokens, document_tokens, k1=settings.k1, b=settings.b, threads=ref.threads),
        )


def _tokens(store: Store, pool: PoolRef, locations: pa.Table, column: str) -> Tokens:
    parts = [
        tokenize(
            read_texts(store, pool, locations, np.arange(start, min(start + TEXTS_AT_ONCE, len(locations))), column),
            for_search=True,
        )
        for start in range(0, max(len(locations), 1), TEXTS_AT_ONCE)
    ]
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    hashes, exact = (np.concatenate([getattr(part, name) for part in parts]) for name in ("hashes", "exact"))
    return Tokens(hashes, offsets_of(lengths), exact)


def joined_tokens(tokens: Tokens, lists: Ragged) -> Tokens:
    """Return, for each list of text numbers, the concatenated tokens of its texts; `exact` is 0."""
    selected = take_tokens(tokens, lists.values)
    return Tokens(selected.hashes, selected.offsets[lists.offsets], np.zeros(len(lists.offsets) - 1, np.uint64))


def _pair_scores(
    store: Store, pool: PoolRef, queries: pa.Table, documents: pa.Table, settings: MiningSettings
) -> PairScores | None:
    if settings.second_opinion is None:
        return None
    from curation.mining.teachers.cross_encoder import load_second_opinion

    judge = load_second_opinion(settings.second_opinion)
    locations = store.read_table(f"{Collect.name}/{pool.name}.asked.arrow")
    text_of = queries["text"].to_numpy()

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
