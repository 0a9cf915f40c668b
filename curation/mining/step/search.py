"""Operation `mined`: some queries of a pool to their negatives, by the pool's document numbers."""

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
from curation.mining.rerank import Opinion
from curation.mining.retrievers import DenseRetriever, Retriever, decided
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
"""Queries a task: what is lost when it is killed. Documents are read once for each quarter of it."""
TEXTS_AT_ONCE = 65_536

NEGATIVES_SCHEMA = pa.schema(
    [
        pa.field("negatives", pa.list_(pa.int32()), nullable=False),
        pa.field("scores", pa.list_(pa.float32()), nullable=False),
        pa.field("origins", pa.list_(pa.int8()), nullable=False),
        pa.field("positive_score", pa.float32(), nullable=False),
        pa.field("positive_rank", pa.int32(), nullable=False),
    ]
)
"""One line a query, or a row. A negative is the number of a document of the pool; a score is the teacher's, NaN where
nobody scored; `origins` are places in `curation.mining.negatives.ORIGINS`; the rest as `Negatives` has it."""


@dataclass(frozen=True)
class BlockRef:
    """What one task mines, and for whom.

    Attributes:
        pool: whose queries.
        start, stop: which of them.
        vectors: of the pool's distinct queries and documents; null for BM25.
        opinion: null, or the cross-encoder's name.
        threads: of this task; 0: one per core.

    """

    pool: PoolRef
    start: int
    stop: int
    vectors: tuple[StoredVectors, StoredVectors] | None
    threads: int


class Search:
    """Operation: a block of queries to its negatives."""

    name: ClassVar[str] = "mined"
    version: ClassVar[int] = 5

    def __init__(self, settings: MiningSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Mine one block; `task.payload` is a `BlockRef`, the first of `task.inputs` names pool and vectors."""
        ref: BlockRef = task.payload
        ready = _prepared(task.inputs[0], store, ref, self.settings)
        block = np.arange(ref.start, ref.stop)
        parts = []
        recall = 1.0
        for rows, retriever in ready.retrievers:
            found = decided(retriever, ready.pool, self.settings, ready.opinion, np.intersect1d(rows, block))
            parts += [(queries - ref.start, chosen) for queries, chosen in found]
            recall = min(recall, retriever.recall)
        made = replace(gather(parts), recall=recall)
        out.table("negatives", negatives_table(made).to_batches(), NEGATIVES_SCHEMA)
        examples = [
            [
                e.query + ref.start,
                e.document,
                e.score,
                None if np.isnan(e.positive_score) else e.positive_score,
                e.reason,
            ]
            for e in made.examples
        ]
        taken = int((made.origins == ORIGINS.index("mined")).sum())
        return {"rejected": made.rejected, "chosen": taken, "examples": examples, "recall": recall}


def negatives_table(found: Negatives) -> pa.Table:
    """Return negatives as `NEGATIVES_SCHEMA` has them."""
    offsets = pa.array(found.offsets.astype(np.int32))
    lists = [pa.ListArray.from_arrays(offsets, pa.array(v)) for v in (found.ids, found.scores, found.origins)]
    return pa.table([*lists, pa.array(found.positive_score), pa.array(found.positive_rank)], schema=NEGATIVES_SCHEMA)


class _Ready(NamedTuple):
    """A pool that can be searched: which queries each retriever is for."""

    pool: Pool
    retrievers: list[tuple[I64, Retriever]]
    opinion: Opinion | None


_held: dict[tuple[str, str], _Ready] = {}
"""The last pool this process has searched: blocks of one pool follow each other, and its index is the dear part."""


def _prepared(identity: str, store: Store, ref: BlockRef, settings: MiningSettings) -> _Ready:
    key = identity, settings.model_dump_json()
    if key not in _held:
        _held.clear()
        _held[key] = _prepare(store, ref, settings)
    return _held[key]


def _prepare(store: Store, ref: BlockRef, settings: MiningSettings) -> _Ready:
    stem = f"{Collect.name}/{ref.pool.name}"
    queries = store.read_table(f"{stem}.queries.arrow")
    documents = store.read_table(f"{stem}.documents.arrow")
    elsewhere = store.read_table(f"{stem}.elsewhere.arrow")
    links = pa.concat_tables(store.read_table(f"{Collect.name}/{path}.links.arrow") for path in ref.pool.paths)
    n = queries.num_rows
    asked = links["query"].to_numpy()
    given = np.repeat(asked, pc.list_value_length(links["given"]).to_numpy())
    masks = build_masks(
        lists_of(n, asked, links["positive"].to_numpy()),
        documents["cluster"].to_numpy(),
        query_cluster=queries["cluster"].to_numpy(),
        elsewhere=(elsewhere["query_cluster"].to_numpy(), elsewhere["document_cluster"].to_numpy()),
        texts=(queries["exact"].to_numpy(), documents["exact"].to_numpy()),
        languages=numbered(queries["wanted"], documents["language"]),
        language=settings.language,
        contaminated=documents["contaminated"].to_numpy(),
    )
    pool = Pool(masks, lists_of(n, given, pc.list_flatten(links["given"]).to_numpy()), queries["exact"].to_numpy())
    opinion = _opinion(store, ref.pool, queries, documents, settings)
    if ref.vectors is not None:
        from open_ml_embed.core import devices

        vectors = Renumbered(ref.vectors[0], queries["text"].to_numpy())
        retriever = DenseRetriever(vectors, ref.vectors[1], devices.chosen(), threads=ref.threads)
        return _Ready(pool, [(np.arange(n), retriever)], opinion)
    return _Ready(pool, list(_lexical(store, ref, queries, documents, pool, settings)), opinion)


def numbered(left: pa.ChunkedArray, right: pa.ChunkedArray) -> tuple[I32, I32]:
    """Return equal numbers for equal strings of two columns."""
    codes = pa.chunked_array([*left.chunks, *right.chunks], pa.string()).combine_chunks().dictionary_encode()
    numbers = codes.indices.to_numpy()
    return numbers[: len(left)], numbers[len(left) :]


def lists_of(size: int, owner: Array, value: Array) -> Ragged:
    """Return the values of each owner 0 … size - 1, in order of appearance, each once."""
    pairs = (
        pl.DataFrame({"owner": owner, "value": value}).unique(maintain_order=True).sort("owner", maintain_order=True)
    )
    counts = np.bincount(pairs["owner"].to_numpy(), minlength=size)
    return Ragged(offsets_of(counts), pairs["value"].to_numpy().astype(np.int32))


@dataclass(frozen=True)
class Renumbered:
    """Vectors under other numbers: queries of one text and several languages share its vector."""

    vectors: Vectors
    numbers: I32

    def __len__(self) -> int:
        """Return how many numbers there are."""
        return len(self.numbers)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.vectors.dim

    def block(self, start: int, stop: int) -> Array:
        """Return vectors start … stop - 1."""
        return self.take(np.arange(start, min(stop, len(self))))

    def take(self, ids: Array) -> Array:
        """Return some vectors."""
        return self.vectors.take(self.numbers[ids])


def _lexical(
    store: Store, ref: BlockRef, queries: pa.Table, documents: pa.Table, pool: Pool, settings: MiningSettings
) -> Iterator[tuple[I64, Retriever]]:
    """Yield (queries, BM25 for them): over the documents, and in bitext over the queries that they answer.

    In bitext no word is shared: what is similar to a query's words is another query, and its answer the negative.
    """
    places = store.read_table(f"{Collect.name}/{ref.pool.name}.asked.arrow")
    asked = take_tokens(_tokens(store, ref.pool, places, "query"), queries["text"].to_numpy())
    code = pc.or_(pc.ends_with(queries["language"], "-Code"), pc.ends_with(queries["wanted"], "-Code"))
    crossing = pc.and_(pc.not_equal(queries["language"], queries["wanted"]), pc.invert(code)).to_numpy()
    if not crossing.all():
        searched = _tokens(store, ref.pool, documents, "positive")
        yield (
            np.flatnonzero(~crossing),
            LexicalRetriever(asked, searched, k1=settings.k1, b=settings.b, threads=ref.threads),
        )
    if crossing.any():
        positives = pool.masks.positives.take(np.flatnonzero(crossing))
        asker = np.repeat(np.flatnonzero(crossing), np.diff(positives.offsets))
        searched = joined_tokens(asked, lists_of(documents.num_rows, positives.values, asker))
        yield (
            np.flatnonzero(crossing),
            LexicalRetriever(asked, searched, k1=settings.k1, b=settings.b, threads=ref.threads),
        )


def _tokens(store: Store, pool: PoolRef, places: pa.Table, column: str) -> Tokens:
    parts = [
        tokenize(
            read_texts(store, pool, places, np.arange(start, min(start + TEXTS_AT_ONCE, len(places))), column),
            for_search=True,
        )
        for start in range(0, max(len(places), 1), TEXTS_AT_ONCE)
    ]
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    hashes, exact = (np.concatenate([getattr(part, name) for part in parts]) for name in ("hashes", "exact"))
    return Tokens(hashes, offsets_of(lengths), exact)


def joined_tokens(tokens: Tokens, lists: Ragged) -> Tokens:
    """Return for each list the tokens of all its texts, one after the other; `exact` is 0."""
    taken = take_tokens(tokens, lists.values)
    return Tokens(taken.hashes, taken.offsets[lists.offsets], np.zeros(len(lists.offsets) - 1, np.uint64))


def _opinion(
    store: Store, pool: PoolRef, queries: pa.Table, documents: pa.Table, settings: MiningSettings
) -> Opinion | None:
    if settings.second_opinion is None:
        return None
    from curation.mining.teachers.cross_encoder import load_second_opinion

    judge = load_second_opinion(settings.second_opinion)
    places = store.read_table(f"{Collect.name}/{pool.name}.asked.arrow")
    text_of = queries["text"].to_numpy()

    def score(query: I64, document: I32) -> F32:
        asked, ask = np.unique(text_of[query], return_inverse=True)
        written, answer = np.unique(document, return_inverse=True)
        return judge.score(
            read_texts(store, pool, places, asked, "query"), read_texts(store, pool, documents, written), ask, answer
        )

    return score
