"""MinHash signatures and band hashes over token shingles (Broder 1997; banding after Indyk and Motwani 1998).

A permutation maps a shingle's 32-bit key x to `(a·x + b) mod 2³²` with odd a. Such linear permutations (Bohman, Cooper
and Frieze 2000) are min-wise independent up to a vanishing bias for sets without structure. The keys have no structure:
they are the high 32 bits of a finalized 64-bit hash. A permutation therefore costs one 32-bit multiplication a SIMD
lane, where the usual `(a·x + b) mod (2⁶¹ - 1)` costs several wide multiplications and a reduction. The pairs (a, b) are
drawn independently, so the errors of a signature's values are independent. The low bits of a product depend little on
a: see `sketches`.
"""

from __future__ import annotations

from functools import cache

import numba as nb
import numpy as np

from curation.dedup.settings import DedupSettings
from open_ml_embed.core.array_types import F64, I64, U32, U64, Mask
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.text.tokens import Tokens, mix64

BLOCK = 1024
"""Shingles hashed at a time, so that a row of any length needs 8 kB."""


def signatures_of(tokens: Tokens, settings: DedupSettings) -> tuple[U32, Mask]:
    """Return the MinHash signatures of texts.

    Args:
        tokens: tokens of n texts.
        settings: `shingle` tokens in a shingle, `num_perm` values in a signature, and the `seed`.

    Returns:
        (uint32[n, num_perm], bool[n]): the signatures, and whether each text has one. A text with fewer tokens than a
        shingle has no signature: zeros and False.

    """
    multipliers, addends = _permutations(settings.num_perm, settings.seed)
    result = np.zeros((len(tokens), settings.num_perm), np.uint32)
    enough = np.diff(tokens.offsets) >= settings.shingle
    _signatures(tokens.hashes, tokens.offsets, settings.shingle, multipliers, addends, result)
    return result, enough


def bands(signature: U32, settings: DedupSettings) -> U32:
    """Return band hashes: two texts with an equal hash in one band are a candidate pair.

    Args:
        signature: uint32[n, num_perm].
        settings: `num_perm` and `bands`; a band hashes `num_perm // bands` values.

    Returns:
        uint32[bands, n], never 0, so that the caller can mark a text without a signature by 0.

    """
    rows = settings.num_perm // settings.bands
    result = np.empty((settings.bands, len(signature)), np.uint32)
    _bands(signature, rows, result)
    return result


def sketches(signature: U32) -> U64:
    """Return sketches: one bit of each permutation's minimum (b-bit minwise hashing with b = 1).

    Of two texts with Jaccard index J, a share (1 + J) / 2 of the bits agree (Li and König 2010, for texts that hold few
    of all possible shingles). A sketch is weaker evidence than a signature, at a thirty-second of its size. The bit is
    taken from a hash of the minimum, because the lowest bit of the minimum itself equals that of the shingle's key or
    its opposite, whatever the multiplier is.

    Args:
        signature: uint32[n, num_perm].

    Returns:
        uint64[n, num_perm // 64].

    """
    result = np.empty((len(signature), signature.shape[1] // 64), np.uint64)
    _sketches(signature, result)
    return result


def shingle_sets(tokens: Tokens, shingle: int) -> tuple[U64, I64]:
    """Return the set of shingles of every text.

    Args:
        tokens: tokens of n texts.
        shingle: tokens in a shingle.

    Returns:
        (uint64 hashes, sorted and unique within a text; int64[n + 1] offsets into them). A text with fewer tokens
        than a shingle has an empty set.

    """
    hashes, offsets = _shingle_sets(tokens.hashes, tokens.offsets, shingle)
    return hashes, offsets


def jaccard_of_sets(hashes: U64, offsets: I64, left: I64, right: I64) -> F64:
    """Return the Jaccard index of each pair of sets (left[i], right[i]), float64; two empty sets have index 1.

    Args:
        hashes: uint64, from `shingle_sets`.
        offsets: int64[n + 1], from `shingle_sets`.
        left: int64[pairs], numbers of texts.
        right: int64[pairs], numbers of texts.

    """
    return np.asarray(_jaccard(hashes, offsets, left, right))


def jaccard(tokens: Tokens, left: I64, right: I64, shingle: int) -> F64:
    """Return the Jaccard index of the shingle sets of each pair of texts (left[i], right[i]), float64[pairs]."""
    hashes, offsets = shingle_sets(tokens, shingle)
    return jaccard_of_sets(hashes, offsets, left, right)


@cache
def _permutations(number: int, seed: int) -> tuple[U32, U32]:
    random = np.random.Generator(np.random.Philox(key=seed))
    draw = random.integers(0, 2**32, (2, number), np.uint32)
    return draw[0] | np.uint32(1), draw[1]


@njit
def _shingle_hashes(hashes: U64, first: int, count: int, shingle: int, result: U64) -> None:
    """Hash the shingles that start at tokens `first` to `first + count - 1`: a rolling polynomial hash, then mixed."""
    base = np.uint64(0x9FB21C651E98DF25)
    key, leaving, power = np.uint64(0), np.uint64(0), np.uint64(1)
    for j in range(first, first + shingle - 1):
        key = key * base + hashes[j]
        power *= base
    for i in range(count):
        key = (key - leaving) * base + hashes[first + i + shingle - 1]
        leaving = hashes[first + i] * power
        result[i] = mix64(key)


@njit
def _signatures(hashes: U64, offsets: I64, shingle: int, multipliers: U32, addends: U32, result: U32) -> None:
    block = np.empty(BLOCK, np.uint64)
    for row in range(len(offsets) - 1):
        first, left = offsets[row], offsets[row + 1] - offsets[row] - shingle + 1
        if left > 0:
            result[row] = np.uint32(0xFFFFFFFF)
        while left > 0:
            count = min(left, BLOCK)
            _shingle_hashes(hashes, first, count, shingle, block)
            block[count : (count + 7) // 8 * 8] = block[0]
            _lower(block, count, multipliers, addends, result[row])
            first, left = first + count, left - count


@njit
def _lower(block: U64, count: int, multipliers: U32, addends: U32, low: U32) -> None:
    """Update the minima, eight shingles in each pass; the caller pads `block` to a multiple of eight."""
    half = np.uint64(32)
    for i in range(0, count, 8):
        a, b = np.uint32(block[i] >> half), np.uint32(block[i + 1] >> half)
        c, d = np.uint32(block[i + 2] >> half), np.uint32(block[i + 3] >> half)
        e, f = np.uint32(block[i + 4] >> half), np.uint32(block[i + 5] >> half)
        g, h = np.uint32(block[i + 6] >> half), np.uint32(block[i + 7] >> half)
        for p in range(len(low)):
            m, t = multipliers[p], addends[p]
            four = min(_lane(m, a, t), _lane(m, b, t), _lane(m, c, t), _lane(m, d, t))
            low[p] = min(four, _lane(m, e, t), _lane(m, f, t), _lane(m, g, t), _lane(m, h, t), low[p])


@njit(signature=nb.uint32(nb.uint32, nb.uint32, nb.uint32), inline="always")
def _lane(multiplier: np.uint32, key: np.uint32, addend: np.uint32) -> np.uint32:
    return np.uint32(multiplier * key + addend)


@njit
def _bands(signature: U32, rows: int, result: U32) -> None:
    base = np.uint64(0xD6E8FEB86659FD93)
    for i in range(len(signature)):
        for band in range(result.shape[0]):
            key = np.uint64(band)
            for j in range(band * rows, (band + 1) * rows):
                key = (key ^ np.uint64(signature[i, j])) * base
            result[band, i] = max(np.uint32(mix64(key) >> np.uint64(32)), np.uint32(1))


@njit
def _sketches(signature: U32, result: U64) -> None:
    for i in range(result.shape[0]):
        for word in range(result.shape[1]):
            bits = np.uint64(0)
            for p in range(64):
                low = signature[i, 64 * word + p]
                mixed = np.uint32((low ^ (low >> np.uint32(15))) * np.uint32(0x2C1B3C6D))
                bits |= np.uint64(mixed >> np.uint32(31)) << np.uint64(p)
            result[i, word] = bits


@njit
def _shingle_sets(hashes: U64, offsets: I64, shingle: int) -> tuple[U64, I64]:
    n = len(offsets) - 1
    starts = np.zeros(n + 1, np.int64)
    result = np.empty(len(hashes), np.uint64)
    used = 0
    for row in range(n):
        count = max(offsets[row + 1] - offsets[row] - shingle + 1, 0)
        row_hashes = result[used : used + count]
        if count:
            _shingle_hashes(hashes, offsets[row], count, shingle, row_hashes)
            row_hashes.sort()
        for i in range(count):
            if i == 0 or row_hashes[i] != result[used - 1]:
                result[used] = row_hashes[i]
                used += 1
        starts[row + 1] = used
    return result[:used].copy(), starts


@njit
def _jaccard(shingles: U64, offsets: I64, left: I64, right: I64) -> F64:
    result = np.empty(len(left), np.float64)
    for pair in range(len(left)):
        i, i_end = offsets[left[pair]], offsets[left[pair] + 1]
        j, j_end = offsets[right[pair]], offsets[right[pair] + 1]
        union = (i_end - i) + (j_end - j)
        both = 0
        while i < i_end and j < j_end:
            if shingles[i] == shingles[j]:
                both += 1
                i += 1
                j += 1
            elif shingles[i] < shingles[j]:
                i += 1
            else:
                j += 1
        result[pair] = both / (union - both) if union > both else 1.0
    return result
