"""From candidate pairs to clusters: true Jaccard, connected components, and chains cut at the row that stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curation.dedup.exact import halves
from open_ml_embed.core.array_types import F64, I64, U32, U64, Integer, Mask
from open_ml_embed.core.compiled import njit

MOST_COMPARED = 16
"""A row is compared with the kept rows of at most so many neighbors' clusters: a hub stays linear in its pairs."""


@dataclass(frozen=True)
class ShingleSets:
    """Shingle sets of some rows.

    Attributes:
        ranks: uint32[m], ascending.
        hashes: uint32, sorted and unique within a row. Two sets of a and b shingles share a·b / 2³² by chance:
            at ten thousand each, 0.02 of one shingle.
        starts, lengths: int64[m], where each row's hashes are; the rows may lie in any order.

    """

    ranks: U32
    hashes: U32
    starts: I64
    lengths: I64


@dataclass(frozen=True)
class Joined:
    """Clusters of the rows named in pairs.

    Attributes:
        ranks: uint32[m], ascending.
        keeper: uint32[m], rank of the row that stays for this one: their true Jaccard index is at least the
            threshold, or they are one row.
        component: uint32[m], lowest rank that is reached over verified pairs.
        verified: how many pairs are at or above the threshold.

    """

    ranks: U32
    keeper: U32
    component: U32
    verified: int


def join(pairs: U64, sets: ShingleSets, threshold: float) -> Joined:
    """Verify candidate pairs and decide who stays.

    Rows are taken in order of rank. One joins the lowest-ranked kept row that it is a verified neighbor of, or whose
    cluster a verified neighbor is in and that it is itself near enough to; where there is none, it stays. So no row
    goes for the sake of one it does not resemble, however long the chain between them.

    Args:
        pairs: uint64, sorted (`folding.run_pairs`); all their ranks are in `sets`.
        sets: shingles of those rows.
        threshold: of the Jaccard index.

    """
    left, right = _verified(pairs, sets, threshold)
    order = np.lexsort((left, right))
    starts = np.searchsorted(right[order], np.arange(len(sets.ranks) + 1))
    keeper = _keepers(sets.hashes, sets.starts, sets.lengths, starts, left[order], threshold)
    return Joined(sets.ranks, sets.ranks[keeper], _components(left, right, sets.ranks), len(left))


def components(pairs: U64, sets: ShingleSets, threshold: float) -> tuple[U32, int]:
    """Verify candidate pairs and return what they connect.

    Args:
        pairs: uint64, sorted (`folding.run_pairs`); all their ranks are in `sets`.
        sets: shingles of those rows.
        threshold: of the Jaccard index.

    Returns:
        For each of `sets.ranks` the lowest rank that is reached over verified pairs, and how many pairs are.

    """
    left, right = _verified(pairs, sets, threshold)
    return _components(left, right, sets.ranks), len(left)


def similarities(sets: ShingleSets, left: U32, right: U32) -> npt.NDArray[np.float64]:
    """Return the Jaccard index of each pair of ranks, all of which are in `sets`: float64."""
    places = (np.searchsorted(sets.ranks, ranks) for ranks in (left, right))
    return np.asarray(_similarities(sets.hashes, sets.starts, sets.lengths, *places))


def _verified(pairs: U64, sets: ShingleSets, threshold: float) -> tuple[I64, I64]:
    """Return the pairs at or above the threshold, as places in `sets.ranks`."""
    left, right = (np.searchsorted(sets.ranks, half.astype(np.uint32)) for half in halves(pairs))
    near = _verify(sets.hashes, sets.starts, sets.lengths, left, right, threshold)
    return left[near], right[near]


def _components(left: I64, right: I64, ranks: U32) -> U32:
    m = len(ranks)
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), (m, m))
    _, label = connected_components(graph, directed=False)
    first = np.full(m, m, np.int64)
    np.minimum.at(first, label, np.arange(m))
    return np.asarray(ranks[first[label]])


def named_by(pairs: U64) -> U32:
    """Return the ranks that pairs name, ascending, each once."""
    left, right = halves(pairs)
    return np.unique(np.concatenate([left, right])).astype(np.uint32)


@njit
def similarity(hashes: U32, starts: I64, lengths: I64, left: Integer, right: Integer) -> float:
    """Return the Jaccard index of two sets of `ShingleSets`, by their places."""
    i, j = starts[left], starts[right]
    i_end, j_end = i + lengths[left], j + lengths[right]
    total = lengths[left] + lengths[right]
    both = 0
    while i < i_end and j < j_end:
        a, b = hashes[i], hashes[j]
        both += a == b
        i += a <= b
        j += b <= a
    return both / (total - both) if total > both else 1.0


@njit
def _similarities(hashes: U32, starts: I64, lengths: I64, left: I64, right: I64) -> F64:
    found = np.empty(len(left), np.float64)
    for pair in range(len(left)):
        found[pair] = similarity(hashes, starts, lengths, left[pair], right[pair])
    return found


@njit
def _verify(hashes: U32, starts: I64, lengths: I64, left: I64, right: I64, threshold: float) -> Mask:
    near = np.empty(len(left), np.bool_)
    for pair in range(len(left)):
        size, other = lengths[left[pair]], lengths[right[pair]]
        # The smaller set over the larger bounds the index from above.
        possible = min(size, other) >= threshold * max(size, other)
        near[pair] = possible and similarity(hashes, starts, lengths, left[pair], right[pair]) >= threshold
    return near


@njit
def _keepers(hashes: U32, starts: I64, lengths: I64, bounds: I64, lower: I64, threshold: float) -> I64:
    """Return who stays for each row; `lower[bounds[i]:bounds[i + 1]]` are the verified neighbors before row i."""
    keeper = np.arange(len(lengths))
    others = np.empty(MOST_COMPARED, np.int64)
    for row in range(len(lengths)):
        neighbors = lower[bounds[row] : bounds[row + 1]]
        for neighbor in neighbors:
            if keeper[neighbor] == neighbor:
                keeper[row] = neighbor
                break
        held = 0
        for neighbor in neighbors:
            candidate = keeper[neighbor]
            if held < MOST_COMPARED and candidate < keeper[row] and not (others[:held] == candidate).any():
                others[held] = candidate
                held += 1
        for candidate in np.sort(others[:held]):
            if similarity(hashes, starts, lengths, candidate, row) >= threshold:
                keeper[row] = candidate
                break
    return keeper
