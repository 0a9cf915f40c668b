"""Hard negatives for texts or vectors in memory. The step `mine` uses the same code over shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from curation.dedup.settings import DedupSettings
from curation.mining.bm25 import take_tokens
from curation.mining.lexical import LexicalRetriever
from curation.mining.masks import Ragged, build_masks
from curation.mining.negatives import Negatives, gather
from curation.mining.rerank import PairScores
from curation.mining.retrievers import DenseRetriever, Retriever, mine_blocks
from curation.mining.rules import Pool
from curation.mining.settings import MiningSettings
from curation.mining.vectors import Vectors, as_vectors
from open_ml_embed.core.array_types import F32, I32, I64, U64, Array, Mask
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.memory import give_back
from open_ml_embed.core.text.arrays import one_array, same_length, text_array
from open_ml_embed.core.text.tokens import mix_all, tokenize
from open_ml_embed.core.validation_errors import from_arguments

if TYPE_CHECKING:
    from curation.mining.teachers.protocol import Side, Teacher

Texts: TypeAlias = Sequence[str] | pa.Array | pa.ChunkedArray | Array
"""A sequence of str, an Arrow array of strings (Arrow's Python types cannot state the element type), or a matrix."""
AT_ONCE = 8192
"""Texts tokenized at once."""
EMBEDDED_AT_ONCE = 32_768
"""Texts embedded at once."""


class PairScorer(Protocol):
    """A cross-encoder, or any other object that scores pairs of texts."""

    def score(self, queries: pa.Array, documents: pa.Array, query: I64, document: I64) -> F32:
        """Return the scores of pairs, float32[pairs].

        Args:
            queries: texts.
            documents: texts.
            query: int64[pairs], indices into `queries`.
            document: int64[pairs], indices into `documents`.

        """


def mine(
    queries: Texts,
    documents: Texts,
    positives: Sequence[int] | Sequence[Sequence[int]] | Array | Ragged,
    settings: MiningSettings | str = "f2llm",
    *,
    embeddings: tuple[Vectors | Array, Vectors | Array] | None = None,
    clusters: tuple[I64, I64] | None = None,
    languages: tuple[Sequence[str], Sequence[str]] | None = None,
    labels: tuple[I64, I64] | None = None,
    contaminated: Mask | None = None,
    given: Sequence[Sequence[int]] | Ragged | None = None,
    second_opinion: PairScorer | None = None,
    dedup: DedupSettings | None = None,
    device: str = "cpu",
    threads: int = 0,
) -> Negatives:
    """Find hard negatives for n queries among m documents.

    Documents that may be positives (near-duplicates of a positive, answers to a near-duplicate query) are masked.

    Args:
        queries: n texts, or their vectors, float16 or float32[n, dim].
        documents: m texts, or their vectors, float16 or float32[m, dim].
        positives: document numbers (0 … m - 1) of each query's positives: one list or one number for each query.
        settings: the rules, or the name of a preset: `f2llm`, `nv-retriever`, `bge`, `none`. If `embeddings` is null,
            `settings.teacher` scores the documents.
        embeddings: vectors of queries and documents, normalized to length 1 for cosine scores. An array (memory-mapped
            or not), or an object with the methods of `curation.mining.vectors.Vectors`.
        clusters: int64[n] and int64[m], equal numbers for near-duplicates; null: they are computed from the texts.
        languages: the language that the negatives of each query should have (n), and that of each document (m);
            null: languages are ignored.
        labels: int64[n] and int64[m]. A document is masked for queries with the same label; negative numbers are no
            label.
        contaminated: bool[m], documents that must not be used.
        given: document numbers of negatives that each query already has; they come first in the result.
        second_opinion: reranks the teacher's candidates.
        dedup: settings that define a near-duplicate; used if `clusters` is null.
        device: `cpu`, or a torch device for matrix products.
        threads: 0: one per core.

    Returns:
        The negatives of every query, with scores, origins and counts of rejected candidates.

    Raises:
        SettingsError: arguments contradict each other, or a preset, model or device does not exist.
        StageError: a vector is not finite.

    >>> import numpy as np
    >>> vectors = np.eye(4, dtype=np.float32)
    >>> negatives = mine(vectors[:2] * 0.6 + 0.2, vectors, positives=[0, 1], settings="none")
    >>> negatives.of(0).tolist(), negatives.of(1).tolist()
    ([1, 2, 3], [0, 2, 3])

    """
    if isinstance(settings, str):
        settings = from_arguments(MiningSettings, "mine", {"preset": settings})
    query_texts, document_texts = _texts(queries, "queries"), _texts(documents, "documents")
    n, m = len(queries), len(documents)
    vectors = embeddings
    if isinstance(queries, np.ndarray) and isinstance(documents, np.ndarray) and queries.ndim == documents.ndim == 2:
        vectors = vectors or (queries, documents)
    if (query_texts is None) != (document_texts is None) or (query_texts is None and vectors is None):
        raise SettingsError("queries and documents are of different kinds", remedy="texts on both sides, or vectors")
    text_hashes = (
        None if query_texts is None or document_texts is None else (_exact(query_texts), _exact(document_texts))
    )
    if clusters is None:
        clusters = (
            (_clusters(query_texts, dedup), _clusters(document_texts, dedup))
            if text_hashes
            else (np.arange(n), np.arange(m))
        )
        give_back()  # the memory that dedup used
    for name, pair in (("clusters", clusters), ("languages", languages), ("labels", labels), ("embeddings", vectors)):
        if pair is not None and (len(pair[0]), len(pair[1])) != (n, m):
            raise SettingsError(f"{name} are {len(pair[0])} and {len(pair[1])} for {n} queries and {m} documents")
    positive_lists = numbers_of(positives, n, m, "positives")
    given_lists = Ragged.empty(n) if given is None else numbers_of(given, n, m, "given")
    masks = build_masks(
        positive_lists,
        np.asarray(clusters[1]),
        query_cluster=np.asarray(clusters[0]),
        texts=text_hashes,
        languages=_numbered(languages) if languages else None,
        language=settings.language,
        labels=labels,
        contaminated=contaminated,
    )
    pool = Pool(masks, given_lists, text_hashes[0] if text_hashes else mix_all(np.arange(n, dtype=np.uint64)))
    pair_scores: PairScores | None = None
    if second_opinion is not None:
        if query_texts is None or document_texts is None:
            raise SettingsError("a second opinion reads texts, and there are none", remedy="give texts and embeddings")
        judge, left, right = second_opinion, query_texts, document_texts

        def score(query: I64, document: I32) -> F32:
            return judge.score(left, right, query, document.astype(np.int64))

        pair_scores = score
    return mine_pool(
        _retriever(query_texts, document_texts, vectors, settings, device, threads), pool, settings, pair_scores
    )


def mine_pool(
    retriever: Retriever, pool: Pool, settings: MiningSettings, pair_scores: PairScores | None = None
) -> Negatives:
    """Retrieve and choose negatives for every query of a pool, one block of queries at a time.

    Args:
        retriever: finds and scores candidates.
        pool: masks, given negatives and keys of all queries.
        settings: the rules.
        pair_scores: reranks the candidates; null: the retriever's scores count.

    """
    negatives = gather(mine_blocks(retriever, pool, settings, pair_scores))
    give_back()
    return replace(negatives, recall=retriever.recall)


def _retriever(
    query_texts: pa.Array | None,
    document_texts: pa.Array | None,
    vectors: tuple[Vectors | Array, Vectors | Array] | None,
    settings: MiningSettings,
    device: str,
    threads: int,
) -> Retriever:
    if vectors is None and settings.teacher.dense:
        from curation.mining.teachers.loading import load_teacher

        teacher = load_teacher(settings.teacher)
        vectors = (_embed(teacher, query_texts, "query"), _embed(teacher, document_texts, "document"))
    if vectors is not None:
        return DenseRetriever(as_vectors(vectors[0]), as_vectors(vectors[1]), device, threads=threads)
    sides = (partial(take_tokens, tokenize(texts, for_search=True)) for texts in (query_texts, document_texts))
    return LexicalRetriever(*sides, k1=settings.k1, b=settings.b, threads=threads)


def _embed(teacher: Teacher, texts: pa.Array, side: Side) -> Array:
    starts = range(0, max(len(texts), 1), EMBEDDED_AT_ONCE)
    slices = (texts.slice(start, EMBEDDED_AT_ONCE).to_pylist() for start in starts)
    parts = [teacher.encode(part, side).astype(np.float16) for part in slices]
    return np.concatenate(parts)


def _texts(given: Texts, name: str) -> pa.Array | None:
    """Return texts as one array; null for a matrix of vectors.

    Raises:
        SettingsError: they are neither.

    """
    if isinstance(given, np.ndarray) and given.ndim == 2:
        return None
    rows_of_numbers = isinstance(given, list | tuple) and given and isinstance(given[0], list | tuple | np.ndarray)
    if rows_of_numbers or getattr(given, "ndim", 1) == 2:
        raise SettingsError(
            f"vectors have to be a NumPy array, not a {type(given).__name__}",
            where=name,
            remedy="pass numpy.asarray(vectors, numpy.float32), of a tensor on the CPU",
        )
    return one_array(text_array(given, name))


def _exact(texts: pa.Array) -> U64:
    parts = [tokenize(texts.slice(start, AT_ONCE)).exact for start in range(0, len(texts), AT_ONCE)]
    return np.concatenate([np.zeros(0, np.uint64), *parts])


def _clusters(texts: pa.Array, dedup: DedupSettings | None) -> I64:
    from curation.dedup import cluster

    component: I64 = cluster(texts, dedup)["component"].to_numpy()
    return component


def numbers_of(given: Any, n: int, m: int, name: str) -> Ragged:
    """Convert any accepted form of `positives` or `given` to lists of document numbers.

    Args:
        given: for each of n queries a number from 0 to m - 1, or a list of such numbers.
        n: queries.
        m: documents.
        name: of the argument, for errors.

    Raises:
        SettingsError: there is not exactly one list for each query, or an element is not the number of a document.

    """
    lists = given if isinstance(given, Ragged) else _ragged(given, name)
    same_length(len(lists.offsets) - 1, name, n, "queries")
    wrong = lists.values[(lists.values < 0) | (lists.values >= m)]
    if len(wrong):
        what = f"{wrong[0]} is not between 0 and {m - 1}: there are {m:,} documents"
        raise SettingsError(what, where=name, remedy="they are places in `documents`, counted from 0")
    return Ragged(lists.offsets, lists.values.astype(np.int32))


def _ragged(given: Any, name: str) -> Ragged:
    remedy = "pass for each query the number of its document, or a list of such numbers"
    if isinstance(given, np.ndarray) and given.dtype.kind in "iu" and given.ndim in (1, 2):
        width = 1 if given.ndim == 1 else given.shape[1]
        return Ragged(np.arange(len(given) + 1, dtype=np.int64) * width, given.reshape(-1).astype(np.int64))
    if isinstance(given, str | bytes) or not hasattr(given, "__len__") or getattr(given, "dtype", None) == np.bool_:
        raise SettingsError(f"{given!r:.60} are no lists of document numbers", where=name, remedy=remedy)
    entries = given.to_pylist() if hasattr(given, "to_pylist") else list(given)
    lists: list[list[int]] = []
    for row, entry in enumerate(entries):
        many = hasattr(entry, "__len__") and not isinstance(entry, str | bytes)
        numbers = list(entry) if many else [entry]
        wrong = [one for one in numbers if not isinstance(one, int | np.integer) or isinstance(one, bool)]
        if wrong:
            what = f"entry {row} has {wrong[0]!r:.60}, which is no document number"
            raise SettingsError(what, where=name, remedy=remedy)
        lists.append([int(one) for one in numbers])
    return Ragged.of(lists)


def _numbered(languages: tuple[Sequence[str], Sequence[str]]) -> tuple[I32, I32]:
    codes = np.unique(np.concatenate([np.asarray(side, str) for side in languages]), return_inverse=True)[1]
    return codes[: len(languages[0])].astype(np.int32), codes[len(languages[0]) :].astype(np.int32)
