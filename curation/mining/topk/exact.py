"""Exact top-k search by inner product, with the same bits for every block size, thread count and machine.

A score is the sum that `curation.mining.topk.score_kernel` defines, rounded to float32. Ties go to the lower id.

A float32 matrix product only selects the documents that can be in the top k. For any order of additions its error is at
most γ·‖q‖·‖d‖ with γ = nu / (1 - nu), u = 2⁻²⁴ (Higham 2002, Accuracy and Stability of Numerical Algorithms,
section 3.1). A document whose product is below the current k-th best score by more than that cannot enter; only the
others are scored. They are few, so the search costs little more than the product. The product may also be less precise
(`curation.mining.topk.bf16`), as long as its error is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Protocol, Self

import numpy as np

from curation.mining.masks import Masks, no_masks
from curation.mining.topk.cpu import cpu_multiplier
from curation.mining.topk.heap import Heaps, empty_heaps, sort_heaps
from curation.mining.topk.tile_scan import Tile
from curation.mining.vectors import Vectors, as_vectors, padded
from open_ml_embed.core.array_types import F32, F64, I32, I64, Array
from open_ml_embed.core.errors import SettingsError

UNDERFLOW = 1e-30
"""Bound on the error from products below the smallest normal float32."""


@dataclass(frozen=True)
class TopK:
    """The best candidates of n queries, best first.

    Attributes:
        scores: float32[n, k]; -inf in slots without a candidate.
        ids: int32[n, k]; -1 in slots without a candidate.
        masked_scores, masked_ids: float32[n, h], int32[n, h], the best masked documents that score at least as high as
            the last candidate.

    """

    scores: F32
    ids: I32
    masked_scores: F32
    masked_ids: I32


def exact_topk(
    queries: Vectors | Array,
    documents: Vectors | Array,
    k: int,
    *,
    device: str = "cpu",
    query_block: int | None = None,
    document_block: int | None = None,
    admit: Masks | None = None,
    threads: int = 0,
) -> TopK:
    """Return the k best documents of every query.

    Args:
        queries: float16 or float32[n, dim], or an object with the methods of `Vectors`.
        documents: float16 or float32[m, dim], or an object with the methods of `Vectors`; read once for every
            `query_block` queries.
        k: number of documents for each query.
        device: `cpu`, or a torch device for the matrix products.
        query_block: queries whose heaps are in memory at once, 4·(dim + 2k) bytes each; null: the device's default.
        document_block: documents in memory at once, as float32; null: the device's default.
        admit: masks of n queries over m documents; masked documents are not among the k.
        threads: 0: one per core.

    Raises:
        SettingsError: k or a block is below 1, the dimensions differ, or the device does not exist.
        StageError: a vector is not finite.

    """
    parts = search(
        queries,
        documents,
        k,
        masks=admit,
        device=device,
        query_block=query_block,
        document_block=document_block,
        threads=threads,
    )
    results = [part for _, part in parts]
    return TopK(*(np.concatenate([getattr(part, field.name) for part in results]) for field in fields(TopK)))


def search(
    queries: Vectors | Array,
    documents: Vectors | Array,
    k: int,
    *,
    masks: Masks | None = None,
    masked: int = 0,
    rows: I64 | None = None,
    among: I32 | None = None,
    device: str = "cpu",
    query_block: int | None = None,
    document_block: int | None = None,
    threads: int = 0,
) -> Iterator[tuple[I64, TopK]]:
    """Yield (int64 query numbers, their candidates), one block of queries at a time, at least one block.

    Args:
        queries: n vectors.
        documents: m vectors.
        k: number of candidates for each query.
        masks: of all queries over all documents.
        masked: number of masked documents to report for each query.
        rows: int64, the queries to search for; null: all.
        among: int32, ascending, the documents to search; null: all.
        device: see `exact_topk`.
        query_block: see `exact_topk`.
        document_block: see `exact_topk`.
        threads: see `exact_topk`.

    Raises:
        SettingsError: see `exact_topk`.
        StageError: a vector is not finite.

    """
    queries, documents = as_vectors(queries), as_vectors(documents)
    multiplier = _multiplier(device, threads)
    query_block = multiplier.query_block if query_block is None else query_block
    document_block = multiplier.document_block if document_block is None else document_block
    if min(k, query_block, document_block) < 1:
        raise SettingsError(f"k {k}, query_block {query_block}, document_block {document_block}", remedy="at least 1")
    if queries.dim != documents.dim:
        message = f"queries have {queries.dim} dimensions, documents {documents.dim}"
        raise SettingsError(message, remedy="embed both with one model")
    rows = np.arange(len(queries)) if rows is None else rows
    among = np.arange(len(documents), dtype=np.int32) if among is None else among
    masks = no_masks(len(queries)) if masks is None else masks
    with multiplier, ThreadPoolExecutor(1) as reader:
        for start in range(0, max(len(rows), 1), query_block):
            block = rows[start : start + query_block]
            blocks = _ahead(reader, documents, among, document_block)
            block_queries = padded(read_rows(queries, block), start, "queries")
            heaps = empty_heaps(len(block), k), empty_heaps(len(block), masked)
            _scan(multiplier, blocks, block, *block_queries, masks, *heaps)
            del block_queries  # free it, and below the heaps, before the next block is read
            yield block, to_topk(*heaps)
            del heaps


def _scan(
    multiplier: Multiplier,
    blocks: Iterator[tuple[I32, F32, F64]],
    rows: I64,
    queries: F32,
    query_norms: F64,
    masks: Masks,
    best: Heaps,
    kept_out: Heaps,
) -> None:
    """Offer all documents to the heaps of a block of queries."""
    for ids, vectors, norms in blocks:
        slack = _error_bound(queries.shape[1]) * query_norms * norms.max() + UNDERFLOW
        multiplier.scan(Tile(queries, vectors, slack, rows, ids, masks, best, kept_out))


def _ahead(reader: Executor, documents: Vectors, among: I32, size: int) -> Iterator[tuple[I32, F32, F64]]:
    """Yield (ids, vectors, norms) of one block of documents at a time; a thread reads the next block ahead."""

    def read(first: int) -> tuple[I32, F32, F64]:
        ids = among[first : first + size]
        return ids, *padded(read_rows(documents, ids), first, "documents")

    next_block: Future[tuple[I32, F32, F64]] | None = None
    for first in range(0, len(among), size):
        block = next_block.result() if next_block else read(first)
        next_block = reader.submit(read, first + size) if first + size < len(among) else None
        yield block


def to_topk(best: Heaps, kept_out: Heaps) -> TopK:
    """Sort the heaps; drop masked documents that score below the last candidate."""
    sort_heaps(*best)
    sort_heaps(*kept_out)
    too_low = kept_out.scores < best.scores[:, -1:]
    kept_out.scores[too_low], kept_out.ids[too_low] = -np.inf, -1
    return TopK(best.scores, best.ids, kept_out.scores, kept_out.ids)


def read_rows(vectors: Vectors, ids: Array) -> Array:
    """Read vectors by number: consecutive numbers as one block, others one by one."""
    if len(ids) and int(ids[-1]) - int(ids[0]) + 1 == len(ids):
        return vectors.block(int(ids[0]), int(ids[-1]) + 1)
    return vectors.take(ids)


def _error_bound(dim: int) -> float:
    """Return γ for the product and the rounding of the two scores that are compared, doubled as a safety margin."""
    terms = 2 * (dim + 3) * 2.0**-24
    return terms / (1 - terms)


class Multiplier(Protocol):
    """Computes the matrix product of a tile and offers documents to the heaps of its queries.

    Attributes:
        query_block: default number of queries in memory at once.
        document_block: default number of documents in memory at once.

    """

    query_block: int
    document_block: int

    def __enter__(self) -> Self:
        """Acquire threads or a device."""

    def __exit__(self, *_: object) -> None:
        """Release them."""

    def scan(self, tile: Tile) -> None:
        """Multiply a tile of any height and offer its documents to the heaps."""


def _multiplier(device: str, threads: int) -> Multiplier:
    if device == "cpu":
        return cpu_multiplier(threads)
    from curation.mining.topk.torch_backend import TorchMultiplier

    return TorchMultiplier(device, threads)
