"""MinHash signatures and band hashes over token shingles (Broder 1997; banding after Indyk and Motwani 1998).

The permutations are Dietzfelbinger's multiply-add-shift on 32-bit keys, `(a·x + b) >> 32` with 64-bit a and b:
exactly two-independent and two multiplications a lane, where the usual `(a·x + b) mod (2⁶¹ - 1)` needs a division.
"""

from __future__ import annotations

from functools import cache

import numba as nb
import numpy as np
import numpy.typing as npt

from curation.settings import DedupSettings
from curation.text.tokens import I64, U64, Tokens, mix64

U32 = npt.NDArray[np.uint32]


def signatures_of(tokens: Tokens, settings: DedupSettings) -> tuple[U32, npt.NDArray[np.bool_]]:
    """Return MinHash signatures and which texts are long enough to have one.

    Args:
        tokens: of n texts.
        settings: `shingle` tokens a shingle, `permutations` values a signature, `seed`.

    Returns:
        (uint32[n, permutations], bool[n]); a text with fewer tokens than a shingle has no signature (zeros, False).

    """
    multipliers, addends = _permutations(settings.permutations, settings.seed)
    result = np.zeros((len(tokens), settings.permutations), np.uint32)
    enough = np.diff(tokens.offsets) >= settings.shingle
    _signatures(tokens.hashes, tokens.offsets, settings.shingle, multipliers, addends, result)
    return result, enough


def bands(signature: U32, settings: DedupSettings) -> U32:
    """Return band hashes, uint32[bands, n]: texts equal in one are candidates. No hash is 0: that is the caller's."""
    rows = settings.permutations // settings.bands
    result = np.empty((settings.bands, len(signature)), np.uint32)
    _bands(signature, rows, result)
    return result


def sketches(signature: U32) -> U64:
    """Return one bit of each permutation's minimum, uint64[n, permutations // 64] (b-bit minwise hashing with b = 1).

    Of two texts of similarity J a share (1 + J) / 2 of the bits agree (Li and König 2010, with few of all possible
    shingles in a text). That is weaker evidence than a signature's J, at a thirty-second of its size.
    """
    result = np.empty((len(signature), signature.shape[1] // 64), np.uint64)
    _sketches(signature, result)
    return result


def agreement(sketched: U64, left: I64, right: I64) -> npt.NDArray[np.int64]:
    """Return how many bits agree in the sketches of each pair (left[i], right[i]), int64[pairs]."""
    return np.asarray(_agreement(sketched, left, right))


def shingle_sets(tokens: Tokens, shingle: int) -> tuple[U64, I64]:
    """Return the set of shingles of every text.

    Returns:
        (uint64 hashes, sorted and unique within a text; int64[n + 1] offsets into them). A text with fewer tokens
        than a shingle has none.

    """
    hashes, offsets = _shingle_sets(tokens.hashes, tokens.offsets, shingle)
    return hashes, offsets


def jaccard_of_sets(hashes: U64, offsets: I64, left: I64, right: I64) -> npt.NDArray[np.float64]:
    """Return the Jaccard index of each pair (left[i], right[i]) of `shingle_sets`; two empty sets are equal, 1."""
    return np.asarray(_jaccard(hashes, offsets, left, right))


def jaccard(tokens: Tokens, left: I64, right: I64, shingle: int) -> npt.NDArray[np.float64]:
    """Return the true Jaccard index of the shingle sets of each pair (left[i], right[i]) of texts."""
    hashes, offsets = shingle_sets(tokens, shingle)
    return jaccard_of_sets(hashes, offsets, left, right)


@cache
def _permutations(number: int, seed: int) -> tuple[U64, U64]:
    random = np.random.Generator(np.random.Philox(key=seed))
    draw = random.integers(0, 2**64, (2, number), np.uint64)
    return draw[0] | np.uint64(1), draw[1]


@nb.njit(cache=True)
def _signatures(hashes, offsets, shingle, multipliers, addends, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    number = len(multipliers)
    low = np.empty(number, np.uint32)
    base = np.uint64(0x9FB21C651E98DF25)
    for row in range(len(offsets) - 1):
        first, last = offsets[row], offsets[row + 1] - shingle
        if last < first:
            continue
        low[:] = np.uint32(0xFFFFFFFF)
        for i in range(first, last + 1):
            key = np.uint64(0)
            for j in range(shingle):
                key = key * base + hashes[i + j]
            key = mix64(key) >> np.uint64(32)
            for p in range(number):
                value = np.uint32((multipliers[p] * key + addends[p]) >> np.uint64(32))
                low[p] = min(low[p], value)
        result[row] = low


@nb.njit(cache=True)
def _bands(signature, rows, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    base = np.uint64(0xD6E8FEB86659FD93)
    for band in range(result.shape[0]):
        for i in range(len(signature)):
            key = np.uint64(band)
            for j in range(band * rows, (band + 1) * rows):
                key = (key + np.uint64(signature[i, j])) * base
                key ^= key >> np.uint64(32)
            result[band, i] = max(np.uint32(mix64(key) >> np.uint64(32)), np.uint32(1))


@nb.njit(cache=True)
def _sketches(signature, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(result.shape[0]):
        for word in range(result.shape[1]):
            bits = np.uint64(0)
            for p in range(64):
                bits |= np.uint64(signature[i, 64 * word + p] & np.uint32(1)) << np.uint64(p)
            result[i, word] = bits


@nb.njit(cache=True)
def _agreement(sketched, left, right):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    result = np.empty(len(left), np.int64)
    for pair in range(len(left)):
        same = np.int64(0)
        for word in range(sketched.shape[1]):
            same += np.int64(_ones(~(sketched[left[pair], word] ^ sketched[right[pair], word])))
        result[pair] = same
    return result


@nb.njit(nb.uint64(nb.uint64), cache=True, inline="always")
def _ones(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the ones of a word; LLVM knows the idiom as `popcnt`."""
    x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


@nb.njit(cache=True)
def _shingle_sets(hashes, offsets, shingle):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    n = len(offsets) - 1
    starts = np.zeros(n + 1, np.int64)
    result = np.empty(len(hashes), np.uint64)
    base = np.uint64(0x9FB21C651E98DF25)
    used = 0
    for row in range(n):
        begin = used
        for i in range(offsets[row], offsets[row + 1] - shingle + 1):
            key = np.uint64(0)
            for j in range(shingle):
                key = key * base + hashes[i + j]
            result[used] = mix64(key)
            used += 1
        part = np.sort(result[begin:used])
        used = begin
        for i in range(len(part)):
            if i == 0 or part[i] != part[i - 1]:
                result[used] = part[i]
                used += 1
        starts[row + 1] = used
    return result[:used].copy(), starts


@nb.njit(cache=True)
def _jaccard(shingles, offsets, left, right):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
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
