"""Exact search: the k documents with the highest inner product, the same bits whatever the block size or the machine.

The score of a query and a document is defined, not measured: the sum of `curation.mining.topk.score_kernel`, rounded to
float32. Ties go to the lower id.

A matrix product in float32 finds who can be among the best, and nothing else. Whatever the order of its additions, it
errs by at most γ·‖q‖·‖d‖ with γ = nu / (1 - nu), u = 2⁻²⁴ (Higham 2002, Accuracy and Stability of Numerical
Algorithms, section 3.1): a document whose product falls short of the worst of the current k best by more than that
cannot enter, and only the others are scored. There are few of them, so the search costs little more than the product;
and the product may be a coarse one (`curation.mining.topk.bf16`) as long as its error is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Protocol, Self

import numpy as np

from curation.mining.masks import Masks, no_masks
from curation.mining.topk.cpu import fastest
from curation.mining.topk.heap import Heaps, empty_heaps, sort_heaps
from curation.mining.topk.tile_scan import Tile
from curation.mining.vectors import Vectors, as_vectors, padded
from open_ml_embed.core.array_types import F32, F64, I32, I64, Array
from open_ml_embed.core.errors import SettingsError

UNDERFLOW = 1e-30
"""More than the products of a sum can lose below float32's smallest normal number."""


@dataclass(frozen=True)
class Found:
    """The best candidates of n queries, best first.

    Attributes:
        scores: float32[n, k]; -inf where there are fewer than k.
        ids: int32[n, k]; -1 likewise.
        masked_scores, masked_ids: float32[n, h], int32[n, h], the best of those that score above the last candidate
            and that a mask kept out.

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
) -> Found:
    """Return the k best documents of every query.

    Args:
        queries: float16 or float32[n, dim], or anything with `Vectors`' methods.
        documents: float16 or float32[m, dim], likewise; read once for every `query_block` queries.
        k: how many.
        device: `cpu`, or a torch device for the matrix products.
        query_block: queries whose heaps are held at once, 4·(dim + 2k) bytes each; null: what suits the device.
        document_block: documents held at once, as float32; null: likewise.
        admit: masks of n queries over m documents; what they keep out takes no place.
        threads: 0: one per core.

    Raises:
        SettingsError: k, the blocks, the dimensions or the device make no sense.
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
    found = [part for _, part in parts]
    return Found(*(np.concatenate([getattr(part, field.name) for part in found]) for field in fields(Found)))


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
) -> Iterator[tuple[I64, Found]]:
    """Yield (query numbers, what was found for them), one block of queries after the other, at least one.

    Args:
        queries: n vectors.
        documents: m vectors.
        k: how many candidates each.
        masks: of all queries over all documents.
        masked: how many of the masked candidates to report for each query.
        rows: int64, the queries to search for; null: all.
        among: int32, ascending, the documents to search; null: all.
        device: see `exact_topk`.
        query_block: likewise.
        document_block: likewise.
        threads: likewise.

    """
    queries, documents = as_vectors(queries), as_vectors(documents)
    multiplier = _multiplier(device, threads)
    query_block = multiplier.query_block if query_block is None else query_block
    document_block = multiplier.document_block if document_block is None else document_block
    if min(k, query_block, document_block) < 1:
        raise SettingsError(f"k {k}, query_block {query_block}, document_block {document_block}", remedy="at least 1")
    if queries.dim != documents.dim:
        what = f"queries have {queries.dim} dimensions, documents {documents.dim}"
        raise SettingsError(what, remedy="embed both with one model")
    rows = np.arange(len(queries)) if rows is None else rows
    among = np.arange(len(documents), dtype=np.int32) if among is None else among
    masks = no_masks(len(queries)) if masks is None else masks
    with multiplier, ThreadPoolExecutor(1) as reader:
        for start in range(0, max(len(rows), 1), query_block):
            here = rows[start : start + query_block]
            blocks = _ahead(reader, documents, among, document_block)
            asked = padded(read_rows(queries, here), start, "queries")
            heaps = empty_heaps(len(here), k), empty_heaps(len(here), masked)
            _scan(multiplier, blocks, here, *asked, masks, *heaps)
            del asked  # neither this nor what was found is held while the next block is read
            yield here, finished(*heaps)
            del heaps


def _scan(
    multiplier: Multiplier,
    blocks: Iterator[tuple[I32, F32, F64]],
    rows: I64,
    asked: F32,
    lengths: F64,
    masks: Masks,
    best: Heaps,
    kept_out: Heaps,
) -> None:
    """Offer all documents to a block of queries."""
    for ids, block, norms in blocks:
        slack = _error_bound(asked.shape[1]) * lengths * norms.max() + UNDERFLOW
        multiplier.scan(Tile(asked, block, slack, rows, ids, masks, best, kept_out))


def _ahead(reader: Executor, documents: Vectors, among: I32, size: int) -> Iterator[tuple[I32, F32, F64]]:
    """Yield (ids, vectors, norms) of one block of documents, while the next one is read."""

    def read(first: int) -> tuple[I32, F32, F64]:
        ids = among[first : first + size]
        return ids, *padded(read_rows(documents, ids), first, "documents")

    following: Future[tuple[I32, F32, F64]] | None = None
    for first in range(0, len(among), size):
        block = following.result() if following else read(first)
        following = reader.submit(read, first + size) if first + size < len(among) else None
        yield block


def finished(best: Heaps, kept_out: Heaps) -> Found:
    """Order heaps, and leave out of the masked candidates those that would not have been among the best anyway."""
    sort_heaps(*best)
    sort_heaps(*kept_out)
    beaten = kept_out.scores < best.scores[:, -1:]
    kept_out.scores[beaten], kept_out.ids[beaten] = -np.inf, -1
    return Found(best.scores, best.ids, kept_out.scores, kept_out.ids)


def read_rows(vectors: Vectors, ids: Array) -> Array:
    """Read a run of vectors as a block, and others one by one."""
    if len(ids) and int(ids[-1]) - int(ids[0]) + 1 == len(ids):
        return vectors.block(int(ids[0]), int(ids[-1]) + 1)
    return vectors.take(ids)


def _error_bound(dim: int) -> float:
    """Return γ for the product and the rounding of both scores compared, doubled for good measure."""
    terms = 2 * (dim + 3) * 2.0**-24
    return terms / (1 - terms)


class Multiplier(Protocol):
    """Multiplies a tile and offers its documents to its queries' heaps.

    Attributes:
        query_block: queries that suit it.
        document_block: documents, likewise.

    """

    query_block: int
    document_block: int

    def __enter__(self) -> Self:
        """Take hold of cores or a device."""

    def __exit__(self, *_: object) -> None:
        """Let go of them."""

    def scan(self, tile: Tile) -> None:
        """Do a tile of any height."""


def _multiplier(device: str, threads: int) -> Multiplier:
    if device == "cpu":
        return fastest(threads)
    from curation.mining.topk.torch_backend import TorchMultiplier

    return TorchMultiplier(device, threads)
