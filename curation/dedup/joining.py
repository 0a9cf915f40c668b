"""Clusters from candidate pairs: verification by true Jaccard index, connected components, and choice of kept rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curation.dedup.exact import unpack_pairs
from open_ml_embed.core.array_types import F64, I64, U32, U64, Integer, Mask
from open_ml_embed.core.compiled import njit

MOST_COMPARED = 16
"""A row is compared with the kept rows of at most this many neighboring clusters, so that a hub costs linear time."""


@dataclass(frozen=True)
class ShingleSets:
    """Shingle sets of m rows.

    Attributes:
        ranks: uint32[m], ascending.
        hashes: uint32, the sets of all rows one after the other, sorted and unique within a row. Two sets of a and b
            shingles share a·b / 2³² hashes by chance: 0.02 for ten thousand shingles each.
        starts, lengths: int64[m], the position and the size of each row's set in `hashes`; sets may be in any order.

    """

    ranks: U32
    hashes: U32
    starts: I64
    lengths: I64


@dataclass(frozen=True)
class Joined:
    """Clusters of the m rows that occur in candidate pairs.

    Attributes:
        ranks: uint32[m], ascending.
        keeper: uint32[m], rank of the row that is kept in place of this one: either the row itself, or a row whose
            true Jaccard index with it is at least the threshold.
        component: uint32[m], lowest rank in the row's connected component of verified pairs.
        verified: number of pairs at or above the threshold.

    """

    ranks: U32
    keeper: U32
    component: U32
    verified: int


def join(pairs: U64, sets: ShingleSets, threshold: float) -> Joined:
    """Verify candidate pairs and choose the kept rows.

    Rows are processed in order of rank. A row joins the kept row of lowest rank that either is a verified neighbor of
    it, or keeps the cluster of a verified neighbor and has a Jaccard index with the row at the threshold or above. If
    there is no such kept row, the row itself is kept. So a row is never dropped for a row that it does not resemble,
    even if a chain of near-duplicates connects the two.

    Args:
        pairs: uint64, sorted, from `exact.run_pairs`; all their ranks are in `sets`.
        sets: shingle sets of those rows.
        threshold: Jaccard index from which two rows are near-duplicates.

    """
    left, right = _verified(pairs, sets, threshold)
    order = np.lexsort((left, right))
    starts = np.searchsorted(right[order], np.arange(len(sets.ranks) + 1))
    keeper = _keepers(sets.hashes, sets.starts, sets.lengths, starts, left[order], threshold)
    return Joined(sets.ranks, sets.ranks[keeper], _components(left, right, sets.ranks), len(left))


def components(pairs: U64, sets: ShingleSets, threshold: float) -> tuple[U32, int]:
    """Verify candidate pairs and return their connected components.

    Args:
        pairs: uint64, sorted, from `exact.run_pairs`; all their ranks are in `sets`.
        sets: shingle sets of those rows.
        threshold: Jaccard index from which two rows are near-duplicates.

    Returns:
        (uint32[m], int): for each of `sets.ranks` the lowest rank in its component, and the number of verified pairs.

    """
    left, right = _verified(pairs, sets, threshold)
    return _components(left, right, sets.ranks), len(left)


def similarities(sets: ShingleSets, left: U32, right: U32) -> npt.NDArray[np.float64]:
    """Return the Jaccard index of each pair of ranks, all of which are in `sets`: float64."""
    places = (np.searchsorted(sets.ranks, ranks) for ranks in (left, right))
    return np.asarray(_similarities(sets.hashes, sets.starts, sets.lengths, *places))


def _verified(pairs: U64, sets: ShingleSets, threshold: float) -> tuple[I64, I64]:
    """Return the pairs at or above the threshold, as indices into `sets.ranks`."""
    left, right = (np.searchsorted(sets.ranks, side.astype(np.uint32)) for side in unpack_pairs(pairs))
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
    """Return the ranks that occur in pairs, uint32, ascending and unique."""
    left, right = unpack_pairs(pairs)
    return np.unique(np.concatenate([left, right])).astype(np.uint32)


@njit
def similarity(hashes: U32, starts: I64, lengths: I64, left: Integer, right: Integer) -> float:
    """Return the Jaccard index of the sets with indices `left` and `right` in a `ShingleSets`."""
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
        # The ratio of the sizes, smaller to larger, is an upper bound of the Jaccard index.
        possible = min(size, other) >= threshold * max(size, other)
        near[pair] = possible and similarity(hashes, starts, lengths, left[pair], right[pair]) >= threshold
    return near


@njit
def _keepers(hashes: U32, starts: I64, lengths: I64, bounds: I64, lower: I64, threshold: float) -> I64:
    """Return the kept row for each row; `lower[bounds[i]:bounds[i + 1]]` are the verified neighbors before row i."""
    keeper = np.arange(len(lengths))
    others = np.empty(MOST_COMPARED, np.int64)
    for row in range(len(lengths)):
        neighbors = lower[bounds[row] : bounds[row + 1]]
        for neighbor in neighbors:
            if keeper[neighbor] == neighbor:
                keeper[row] = neighbor
                break
        count = 0
        for neighbor in neighbors:
            candidate = keeper[neighbor]
            if count < MOST_COMPARED and candidate < keeper[row] and not (others[:count] == candidate).any():
                others[count] = candidate
                count += 1
        for candidate in np.sort(others[:count]):
            if similarity(hashes, starts, lengths, candidate, row) >= threshold:
                keeper[row] = candidate
                break
    return keeper
