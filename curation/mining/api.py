"""Hard negatives for texts or vectors at hand: the code of the step, without shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from curation.dedup.settings import DedupSettings
from curation.mining.lexical import LexicalRetriever
from curation.mining.masks import Ragged, build_masks
from curation.mining.negatives import Negatives, gather
from curation.mining.rerank import Opinion
from curation.mining.retrievers import DenseRetriever, Retriever, decided
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
"""A sequence of str, an Arrow array of strings (which carries no type that could say so), or a matrix."""
AT_ONCE = 8192
EMBEDDED_AT_ONCE = 32_768


class PairScorer(Protocol):
    """A cross-encoder, or anything else that scores pairs of texts."""

    def score(self, queries: pa.Array, documents: pa.Array, query: I64, document: I64) -> F32:
        """Return float32[pairs] for places in `queries` and in `documents`, int64[pairs] each."""


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
    """Find hard negatives for n queries among m documents, and never a positive in disguise.

    Args:
        queries: n texts; or their vectors, float16 or float32[n, dim], where there are no texts.
        documents: m texts, or vectors float16 or float32[m, dim].
        positives: document numbers (0 … m - 1) of each query's positives; one number for each will do.
        settings: the rules, or the name of a preset: `f2llm`, `nv-retriever`, `bge`, `none`. `settings.teacher` scores
            where `embeddings` does not.
        embeddings: vectors of queries and documents, of length 1 for cosines. An array, memory-mapped or not, or
            anything with the methods of `curation.mining.vectors.Vectors`.
        clusters: int64[n] and int64[m], equal numbers for near-duplicates; null: found in the texts.
        languages: of the negatives that each query should get, n, and of the documents, m; null: of no concern.
        labels: int64[n] and int64[m]; equal labels from 0 up never meet.
        contaminated: bool[m], documents that must not be used.
        given: document numbers of negatives that each query has already; they come first.
        second_opinion: scores the teacher's candidates again.
        dedup: what a near-duplicate is, where `clusters` is null.
        device: `cpu`, or a torch device for matrix products.
        threads: 0: one per core.

    Raises:
        SettingsError: arguments that contradict each other, or name no such preset, model or device.
        StageError: a vector is not finite.

    >>> import numpy as np
    >>> vectors = np.eye(4, dtype=np.float32)
    >>> found = mine(vectors[:2] * 0.6 + 0.2, vectors, positives=[0, 1], settings="none")
    >>> found.of(0).tolist(), found.of(1).tolist()
    ([1, 2, 3], [0, 2, 3])

    """
    if isinstance(settings, str):
        settings = from_arguments(MiningSettings, "mine", {"preset": settings})
    asked, written = _texts(queries, "queries"), _texts(documents, "documents")
    n, m = len(queries), len(documents)
    vectors = embeddings
    if isinstance(queries, np.ndarray) and isinstance(documents, np.ndarray) and queries.ndim == documents.ndim == 2:
        vectors = vectors or (queries, documents)
    if (asked is None) != (written is None) or (asked is None and vectors is None):
        raise SettingsError("queries and documents are of different kinds", remedy="texts on both sides, or vectors")
    exact = None if asked is None or written is None else (_exact(asked), _exact(written))
    if clusters is None:
        clusters = (_clusters(asked, dedup), _clusters(written, dedup)) if exact else (np.arange(n), np.arange(m))
        give_back()  # what finding them took
    for name, pair in (("clusters", clusters), ("languages", languages), ("labels", labels), ("embeddings", vectors)):
        if pair is not None and (len(pair[0]), len(pair[1])) != (n, m):
            raise SettingsError(f"{name} are {len(pair[0])} and {len(pair[1])} for {n} queries and {m} documents")
    links = numbers_of(positives, n, m, "positives")
    offered = Ragged.empty(n) if given is None else numbers_of(given, n, m, "given")
    masks = build_masks(
        links,
        np.asarray(clusters[1]),
        query_cluster=np.asarray(clusters[0]),
        texts=exact,
        languages=_numbered(languages) if languages else None,
        language=settings.language,
        labels=labels,
        contaminated=contaminated,
    )
    pool = Pool(masks, offered, exact[0] if exact else mix_all(np.arange(n, dtype=np.uint64)))
    opinion: Opinion | None = None
    if second_opinion is not None:
        if asked is None or written is None:
            raise SettingsError("a second opinion reads texts, and there are none", remedy="give texts and embeddings")
        judge, left, right = second_opinion, asked, written

        def opinion_of(query: I64, document: I32) -> F32:
            return judge.score(left, right, query, document.astype(np.int64))

        opinion = opinion_of
    return mine_pool(_retriever(asked, written, vectors, settings, device, threads), pool, settings, opinion)


def mine_pool(retriever: Retriever, pool: Pool, settings: MiningSettings, opinion: Opinion | None = None) -> Negatives:
    """Find and choose negatives for every query of a pool, a block of queries at a time."""
    found = gather(decided(retriever, pool, settings, opinion))
    give_back()
    return replace(found, recall=retriever.recall)


def _retriever(
    asked: pa.Array | None,
    written: pa.Array | None,
    vectors: tuple[Vectors | Array, Vectors | Array] | None,
    settings: MiningSettings,
    device: str,
    threads: int,
) -> Retriever:
    if vectors is None and settings.teacher.dense:
        from curation.mining.teachers.loading import load_teacher

        teacher = load_teacher(settings.teacher)
        vectors = (_embed(teacher, asked, "query"), _embed(teacher, written, "document"))
    if vectors is not None:
        return DenseRetriever(as_vectors(vectors[0]), as_vectors(vectors[1]), device, threads=threads)
    tokens = (tokenize(texts, for_search=True) for texts in (asked, written))
    return LexicalRetriever(*tokens, k1=settings.k1, b=settings.b, threads=threads)


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
    """Return lists of document numbers, whatever they came as.

    Args:
        given: for each of n queries a number from 0 to m - 1, or a list of such numbers.
        n: queries.
        m: documents.
        name: of the argument, for errors.

    Raises:
        SettingsError: not one list a query, something that is no number, or a number that is no document's.

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
