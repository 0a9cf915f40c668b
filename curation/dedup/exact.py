"""Exact duplicates and candidate pairs by sorting packed words: a hash's high bits, and the rank of its row.

A rank is a row's place in the order of who stays of a cluster; whatever works in ranks meets the row to keep first.
Hash and rank share 64 bits, so one sort of plain integers both groups equal hashes and orders each group, in place
and eight bytes a row. What the cut bits let through by chance is compared in full, or by its texts later.
"""

from __future__ import annotations

import numpy as np

from open_ml_embed.core.array_types import I64, U32, U64, Integer
from open_ml_embed.core.compiled import njit

ALL_PAIRS = 8
"""In a run of so many rows or fewer every pair is a candidate."""
NEIGHBOURS = 4
"""In a longer run a row meets its first row and so many before it: linear in the run, where all pairs are not."""


def fold(exact: U64, ranks: U32) -> U32:
    """Find the row that stays of each group of equal hashes.

    Args:
        exact: uint64[n], one hash a row; all 64 bits count.
        ranks: uint32[n], a permutation; the lowest of a group stays.

    Returns:
        uint32[n], indexed by rank: the rank of the group's first row (its own where the row stays).

    """
    bits = rank_bits(len(exact))
    packed = (exact >> np.uint64(bits) << np.uint64(bits)) | ranks
    packed.sort()
    by_rank = np.empty_like(exact)
    by_rank[ranks] = exact
    leaders = np.empty(len(exact), np.uint32)
    _fold(packed, np.uint64((1 << bits) - 1), by_rank, leaders)
    return leaders


def run_pairs(band: U32, ranks: U32, leaders: U32, sketched: U64, least: int) -> U64:
    """Return the candidate pairs of one band, sorted and without repetition.

    Args:
        band: uint32[n], by row; rows equal here may be similar, 0 is never equal to anything.
        ranks: uint32[n], by row.
        leaders: uint32[n], by rank, from `fold`: only rows that stay are compared.
        sketched: uint64[n, w], by rank (`minhash.sketches`).
        least: how many of the 64·w bits of two rows must agree; see `least_agreement`.

    Returns:
        uint64[pairs], the lower rank in the high half and the higher rank in the low half.

    """
    packed = np.empty(len(band), np.uint64)
    packed = packed[: _pack(band, ranks, leaders, packed)]
    packed.sort()
    pairs = np.empty(_bound(packed), np.uint64)
    pairs = pairs[: _pairs(packed, sketched, np.int64(least), pairs)].copy()
    pairs.sort()
    return pairs


def merge(pairs: U64, more: U64) -> U64:
    """Return the sorted union of two sorted arrays without repetition."""
    joined = np.concatenate([pairs, more])
    joined.sort()
    return joined[: _unique(joined)].copy()


def rank_bits(rows: int) -> int:
    """Return how many bits a rank among so many rows takes."""
    return max(1, (rows - 1).bit_length())


def least_agreement(permutations: int, threshold: float) -> int:
    """Return how many sketch bits two texts of a Jaccard index at the threshold share, short of four deviations.

    Of two texts with Jaccard index J a share (1 + J) / 2 of the bits agree (Li and König 2010), each on its own;
    four standard deviations below it three such pairs in a hundred thousand are missed, far fewer than by banding.
    """
    share = (1 + threshold) / 2
    return int(permutations * share - 4 * (permutations * share * (1 - share)) ** 0.5)


def halves(pairs: U64) -> tuple[I64, I64]:
    """Split packed pairs into lower and higher rank, int64."""
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)


@njit
def _fold(packed: U64, mask: np.uint64, by_rank: U64, leaders: U32) -> None:
    start = 0
    for i in range(len(packed)):
        if packed[i] & ~mask != packed[start] & ~mask:
            start = i
        rank = packed[i] & mask
        leaders[rank] = rank
        # Nearly always the run is one text; a second text in it has equal high bits by chance.
        for j in range(start, i):
            first = packed[j] & mask
            if leaders[first] == first and by_rank[first] == by_rank[rank]:
                leaders[rank] = first
                break


@njit
def _pack(band: U32, ranks: U32, leaders: U32, packed: U64) -> int:
    used = 0
    for row in range(len(band)):
        rank = ranks[row]
        if band[row] != 0 and leaders[rank] == rank:
            packed[used] = (np.uint64(band[row]) << np.uint64(32)) | np.uint64(rank)
            used += 1
    return used


@njit
def _run_end(packed: U64, start: int) -> int:
    end = start + 1
    while end < len(packed) and packed[end] >> np.uint64(32) == packed[start] >> np.uint64(32):
        end += 1
    return end


@njit
def _bound(packed: U64) -> int:
    start = total = 0
    while start < len(packed):
        end = _run_end(packed, start)
        size = end - start
        total += size * (size - 1) // 2 if size <= ALL_PAIRS else size * (NEIGHBOURS + 1)
        start = end
    return total


@njit
def agreeing_bits(sketched: U64, left: Integer, right: Integer) -> np.int64:
    """Count the bits that agree in two rows of a sketch table."""
    same = np.int64(0)
    for word in range(sketched.shape[1]):
        bits = ~(sketched[left, word] ^ sketched[right, word])
        bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
        bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
        bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        same += np.int64((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))
    return same


@njit
def _pairs(packed: U64, sketched: U64, least: Integer, pairs: U64) -> int:
    low = np.uint64(0xFFFFFFFF)
    used = start = 0
    while start < len(packed):
        end = _run_end(packed, start)
        near = ALL_PAIRS if end - start <= ALL_PAIRS else NEIGHBOURS
        for i in range(start + 1, end):
            right = packed[i] & low
            for j in range(max(start, i - near), i):
                left = packed[j] & low
                if agreeing_bits(sketched, left, right) >= least:
                    pairs[used] = (left << np.uint64(32)) | right
                    used += 1
            left = packed[start] & low
            if i - start > near and agreeing_bits(sketched, left, right) >= least:
                pairs[used] = (left << np.uint64(32)) | right
                used += 1
        start = end
    return used


@njit
def _unique(values: U64) -> int:
    used = 0
    for i in range(len(values)):
        if i == 0 or values[i] != values[i - 1]:
            values[used] = values[i]
            used += 1
    return used
