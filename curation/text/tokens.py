"""Tokens of all scripts by one rule, as 64-bit hashes, straight from Arrow's buffers: no Python string is made.

A token is a run of letters, marks and digits where a script writes spaces, and a single character where it does not
(Han, kana, Thai, Lao, Khmer, Burmese …). Case is folded by Unicode's simple lower-case mapping. Everything else
separates. Near-duplicate detection shingles these tokens, BM25 counts them.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

SEPARATOR, WORD, SINGLE, UPPER = 0, 1, 2, 3
_TABLE = 0x20000
_NO_SPACES = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF), (0x1B00, 0x1B7F),
    (0x3040, 0x312F), (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA000, 0xA48F),
    (0xA980, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF), (0xFF66, 0xFF9F),
)  # fmt: skip
"""Thai and Lao, Burmese, Khmer, Tai scripts, Balinese, kana, Bopomofo, Han, Yi, Javanese; Han beyond is by plane."""


@dataclass(frozen=True)
class Tokens:
    """Tokens of n texts.

    Attributes:
        hashes: uint64, all tokens one after the other.
        offsets: int64, n + 1; text i has `hashes[offsets[i]:offsets[i + 1]]`.
        exact: uint64, n; hash of the text with case folded and white space collapsed, punctuation included.

    """

    hashes: U64
    offsets: I64
    exact: U64

    def __len__(self) -> int:
        return len(self.exact)


def tokenise(texts: pa.Array | pa.ChunkedArray, *, for_search: bool = False) -> Tokens:
    """Hash the tokens of every text.

    Args:
        texts: string or large_string array; null reads as empty.
        for_search: emit overlapping bigrams in scripts without spaces and split `camelCase`, as a search
            index wants it; otherwise single characters and whole words, as shingles want it.

    """
    offsets, data = string_buffers(texts)
    classes, lower = character_tables()
    hashes = np.empty(len(data) // 2 + len(offsets) + 1, np.uint64)
    starts = np.zeros(len(offsets), np.int64)
    exact = np.empty(len(offsets) - 1, np.uint64)
    used = _tokenise(offsets, data, classes, lower, hashes, starts, exact, for_search)
    return Tokens(hashes[:used].copy(), starts, exact)


def string_buffers(texts: pa.Array | pa.ChunkedArray) -> tuple[I64, npt.NDArray[np.uint8]]:
    """Return (offsets int64[n + 1], bytes uint8) of a string array; null reads as empty."""
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], pa.string())
    if array.null_count:
        array = array.fill_null("")
    kind = np.int64 if pa.types.is_large_string(array.type) else np.int32
    _, offset_buffer, data_buffer = array.buffers()
    if len(array) == 0 or offset_buffer is None:
        return np.zeros(1, np.int64), np.zeros(0, np.uint8)
    offsets = np.frombuffer(offset_buffer, kind)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.zeros(0, np.uint8)
    return offsets - offsets[0], data[offsets[0] : offsets[-1]]


@cache
def character_tables() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint32]]:
    """Return (class uint8, lower-case code point uint32) of the first two Unicode planes."""
    classes = np.zeros(_TABLE, np.uint8)
    lower = np.arange(_TABLE, dtype=np.uint32)
    for point in range(_TABLE):
        char = chr(point)
        category = unicodedata.category(char)
        if category[0] in "LMN":
            classes[point] = UPPER if category in ("Lu", "Lt") else WORD
            folded = char.lower()
            if len(folded) == 1:
                lower[point] = ord(folded)
    for first, last in _NO_SPACES:
        block = classes[first : last + 1]
        block[block != SEPARATOR] = SINGLE
    return classes, lower


@nb.njit(nb.uint64(nb.uint64), cache=True, inline="always")
def mix64(x: np.uint64) -> np.uint64:
    """Finalise a 64-bit hash (the splitmix64 finaliser, Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@nb.njit(cache=True)
def mix_all(values: U64) -> U64:
    """Finalise every hash of an array (`mix64`)."""
    result = np.empty_like(values)
    for i in range(len(values)):
        result[i] = mix64(values[i])
    return result


@nb.njit(cache=True)
def decode(data: npt.NDArray[np.uint8], i: int, end: int) -> tuple[int, int]:
    """Return (code point, bytes) at i; a byte that is no valid start stands for itself."""
    first = nb.int64(data[i])
    if first < 0x80:
        return first, 1
    if first >= 0xF0 and i + 3 < end:
        point = ((first & 7) << 18) | ((nb.int64(data[i + 1]) & 63) << 12)
        return point | ((nb.int64(data[i + 2]) & 63) << 6) | (nb.int64(data[i + 3]) & 63), 4
    if first >= 0xE0 and i + 2 < end:
        return ((first & 15) << 12) | ((nb.int64(data[i + 1]) & 63) << 6) | (nb.int64(data[i + 2]) & 63), 3
    if first >= 0xC0 and i + 1 < end:
        return ((first & 31) << 6) | (nb.int64(data[i + 1]) & 63), 2
    return first, 1


@nb.njit(cache=True)
def _tokenise(offsets, data, classes, lower, hashes, starts, exact, for_search):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0912, PLR0915
    golden = np.uint64(0x9E3779B97F4A7C15)
    used = 0
    for row in range(len(offsets) - 1):
        i, end = offsets[row], offsets[row + 1]
        whole = np.uint64(1)
        gap = False
        token = np.uint64(0)
        open_token = False
        previous_class = 0
        previous_single = np.uint64(0)
        single_run = 0
        while i <= end:
            point, width = decode(data, i, end) if i < end else (32, 1)
            i += width
            kind = SEPARATOR
            folded = np.uint64(point)
            if point < len(classes):
                kind = classes[point]
                folded = np.uint64(lower[point])
            elif point < 0x40000:
                kind = SINGLE
            # the text as a whole, with white space collapsed
            if point == 32 or (9 <= point <= 13) or point in (0xA0, 0x3000):
                gap = True
            else:
                if gap and whole != np.uint64(1):
                    whole = (whole ^ np.uint64(32)) * golden
                    whole ^= whole >> np.uint64(29)
                gap = False
                whole = (whole ^ folded) * golden
                whole ^= whole >> np.uint64(29)
            # its tokens
            word = kind in (WORD, UPPER)
            if open_token and (not word or (for_search and kind == UPPER and previous_class == WORD)):
                hashes[used] = mix64(token)
                used += 1
                open_token = False
            if single_run and kind != SINGLE:
                if for_search and single_run == 1:
                    hashes[used] = mix64(previous_single)
                    used += 1
                single_run = 0
            if word:
                if not open_token:
                    token = np.uint64(0x51ED270B)
                    open_token = True
                token = (token ^ folded) * golden
                token ^= token >> np.uint64(29)
            elif kind == SINGLE:
                single = (folded + np.uint64(0x2545F491)) * golden
                if not for_search:
                    hashes[used] = mix64(single)
                    used += 1
                elif single_run:
                    hashes[used] = mix64(previous_single * np.uint64(31) + single)
                    used += 1
                previous_single = single
                single_run += 1
            previous_class = kind
        starts[row + 1] = used
        exact[row] = mix64(whole)
    return used
