"""Exact duplicates and candidate pairs, by sorting 64-bit words that pack a hash's high bits and the rank of its row.

A rank is a row's position in the order of preference: of each cluster, the row of lowest rank is kept. Because hash and
rank share 64 bits, one in-place sort of integers (eight bytes a row) groups equal hashes and orders each group by rank.
The low bits of the hash are cut off; rows that agree by chance are compared by full hash here, or by text later.
"""

from __future__ import annotations

import numpy as np

from open_ml_embed.core.array_types import I64, U32, U64, Integer
from open_ml_embed.core.compiled import njit

ALL_PAIRS = 8
"""In a run of at most this many rows, every pair is a candidate."""
NEIGHBORS = 4
"""In a longer run, a row is paired with the run's first row and this many rows before it: linear, not quadratic."""


def fold(exact: U64, ranks: U32) -> U32:
    """Find the kept row of each group of equal hashes.

    Args:
        exact: uint64[n], the hash of each row; all 64 bits are compared.
        ranks: uint32[n], the rank of each row, a permutation; the lowest rank of a group is kept.

    Returns:
        uint32[n], indexed by rank: the rank of the group's kept row, which for a kept row is its own rank.

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
    """Return the candidate pairs of one band, sorted and unique.

    Args:
        band: uint32[n], the band hash of each row. Rows with equal hashes may be similar; 0 means that a row has no
            hash, and matches no row.
        ranks: uint32[n], the rank of each row.
        leaders: uint32[n], by rank, from `fold`; only kept rows are compared.
        sketched: uint64[n, w], by rank, from `minhash.sketches`.
        least: the number of the 64·w sketch bits that must agree; see `least_agreement`.

    Returns:
        uint64[pairs]: the lower rank in the high 32 bits, the higher rank in the low 32 bits.

    """
    packed = np.empty(len(band), np.uint64)
    packed = packed[: _pack(band, ranks, leaders, packed)]
    packed.sort()
    pairs = np.empty(_bound(packed), np.uint64)
    pairs = pairs[: _pairs(packed, sketched, np.int64(least), pairs)].copy()
    pairs.sort()
    return pairs


def merge(pairs: U64, more: U64) -> U64:
    """Return the union of two sorted arrays, uint64, sorted and unique."""
    joined = np.concatenate([pairs, more])
    joined.sort()
    return joined[: _unique(joined)].copy()


def rank_bits(rows: int) -> int:
    """Return the number of bits that the ranks of this many rows need."""
    return max(1, (rows - 1).bit_length())


def least_agreement(permutations: int, threshold: float) -> int:
    """Return the number of sketch bits in which two texts must agree to be a candidate pair.

    Of two texts with Jaccard index J, each bit agrees with probability (1 + J) / 2, independently (Li and König 2010).
    The result is the expected number at the threshold minus four standard deviations, which misses three such pairs
    in a hundred thousand, far fewer than banding misses.

    Args:
        permutations: the number of bits in a sketch.
        threshold: the Jaccard index from which two texts are near-duplicates.

    """
    share = (1 + threshold) / 2
    return int(permutations * share - 4 * (permutations * share * (1 - share)) ** 0.5)


def unpack_pairs(pairs: U64) -> tuple[I64, I64]:
    """Unpack pairs into (lower ranks, higher ranks), both int64[pairs]."""
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)


@njit
def _fold(packed: U64, mask: np.uint64, by_rank: U64, leaders: U32) -> None:
    start = 0
    for i in range(len(packed)):
        if packed[i] & ~mask != packed[start] & ~mask:
            start = i
        rank = packed[i] & mask
        leaders[rank] = rank
        # A run nearly always holds one text; another text in it has the same high bits by chance.
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
        total += size * (size - 1) // 2 if size <= ALL_PAIRS else size * (NEIGHBORS + 1)
        start = end
    return total


@njit
def agreeing_bits(sketched: U64, left: Integer, right: Integer) -> np.int64:
    """Count the bits that agree in rows `left` and `right` of a sketch table, uint64[n, words]."""
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
        near = ALL_PAIRS if end - start <= ALL_PAIRS else NEIGHBORS
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
