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
from numba.extending import intrinsic

from curation.text.arrays import one_array

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

SEPARATOR, WORD, SINGLE, UPPER, SPACE = 0, 1, 2, 3, 4
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
    hashes = np.empty(len(data) // 2 + len(offsets), np.uint64)  # pages that no token reaches are never touched
    starts = np.zeros(len(offsets), np.int64)
    exact = np.empty(len(offsets) - 1, np.uint64)
    padded = np.append(data, np.zeros(8, np.uint8))  # words are read eight bytes at a time
    used = _tokenise(offsets, padded, _folding_table(), hashes, starts, exact)
    if for_search:
        used = _search_tokens(offsets, data, *character_tables(), hashes, starts)
    return Tokens(hashes[:used], starts, exact)


def string_buffers(texts: pa.Array | pa.ChunkedArray) -> tuple[I64, npt.NDArray[np.uint8]]:
    """Return (offsets int64[n + 1], bytes uint8) of a string array; null reads as empty."""
    array = one_array(texts)
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


@cache
def _folding_table() -> npt.NDArray[np.uint32]:
    """Return `class << 24 | lower-case code point` of the first two Unicode planes, all words alike, white space apart.

    KELVIN SIGN, alone among letters beyond ASCII to have a lower case within it, stays itself (NFC has no such sign).
    """
    classes, lower = character_tables()
    points = np.arange(_TABLE, dtype=np.uint32)
    lower = np.where((points >= 0x80) & (lower < 0x80), points, lower)
    kinds = np.where(classes == UPPER, WORD, classes).astype(np.uint32)
    kinds[[point for point in range(_TABLE) if chr(point).isspace()]] = SPACE
    return np.asarray(kinds << np.uint32(24) | lower)


@nb.njit(nb.uint64(nb.uint64), cache=True, inline="always")
def mix64(x: np.uint64) -> np.uint64:
    """Finalise a 64-bit hash (the splitmix64 finaliser, Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@intrinsic
def count_ones(typing_context, x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Count the ones of a uint64: LLVM's `ctpop`, one instruction where the processor has it."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return builder.ctpop(arguments[0])

    return nb.uint64(nb.uint64), generate


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
def _tokenise(offsets, data, table, hashes, starts, exact):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Hash words and single characters; `data` has eight bytes more than `offsets` say.

    A word is hashed by units: letters beyond ASCII one by one, a run of ASCII letters and digits by eights from its
    start. The text as a whole is a chain of its words, its other characters, and whether white space lies before each.
    """
    used = 0
    for row in range(len(offsets) - 1):
        i, end = np.uint64(offsets[row]), np.uint64(offsets[row + 1])
        whole, gap = np.uint64(1), np.uint64(0)
        while i < end:
            begun, token = i, np.uint64(0x51ED270B)
            entry, width = np.uint64(table[data[i]]), np.uint64(1)
            while i < end and (data[i] >= 0x80 or table[data[i]] >> np.uint32(24) == WORD):
                if data[i] < 0x80:
                    folded, length = _ascii_run(_eight_bytes(data, i), end - i)
                    token = _stir(token, folded)
                    i += length
                    continue
                point, read = decode(data, np.int64(i), np.int64(end))
                entry, width = np.uint64(point), np.uint64(read)
                if point < len(table):
                    entry = np.uint64(table[point])
                elif point < 0x40000:
                    entry |= np.uint64(SINGLE << 24)
                if entry >> np.uint64(24) != WORD:
                    break
                token = _stir(token, ~entry)
                i += width
            piece = entry
            if i > begun:
                piece = mix64(token)
                hashes[used] = piece
                used += 1
            else:
                i += width
                if entry >> np.uint64(24) == SPACE:
                    gap = np.uint64(whole != 1) << np.uint64(63)
                    continue
                if entry >> np.uint64(24) == SINGLE:
                    piece = mix64(entry)
                    hashes[used] = piece
                    used += 1
            whole, gap = _stir(whole, piece ^ gap), np.uint64(0)
        starts[row + 1] = used
        exact[row] = mix64(whole)
    return used


@nb.njit(nb.uint64(nb.uint64, nb.uint64), cache=True)
def _stir(state, value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    state = (state ^ value) * np.uint64(0x9E3779B97F4A7C15)
    return state ^ (state >> np.uint64(32))


@nb.njit(cache=True)
def _eight_bytes(data, i):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return `data[i : i + 8]` as a little-endian word; written so that LLVM makes it one load."""
    low = np.uint64(data[i]) | np.uint64(data[i + np.uint64(1)]) << np.uint64(8)
    low |= np.uint64(data[i + np.uint64(2)]) << np.uint64(16) | np.uint64(data[i + np.uint64(3)]) << np.uint64(24)
    low |= np.uint64(data[i + np.uint64(4)]) << np.uint64(32) | np.uint64(data[i + np.uint64(5)]) << np.uint64(40)
    return low | np.uint64(data[i + np.uint64(6)]) << np.uint64(48) | np.uint64(data[i + np.uint64(7)]) << np.uint64(56)


@nb.njit(nb.types.UniTuple(nb.uint64, 2)(nb.uint64, nb.uint64), cache=True)
def _ascii_run(eight, left):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the ASCII letters and digits that the eight bytes begin with, in lower case, and how many they are.

    All eight at once: with its top bit set a byte is compared by subtraction without borrowing from the next. Bytes
    from `left` on are not the text's.
    """
    tops, ones = np.uint64(0x8080808080808080), np.uint64(0x0101010101010101)
    folded = eight | ones * np.uint64(0x20)  # capitals become small letters, digits stay, the rest is not looked at
    cased, point = folded | tops, eight | tops
    letter = (cased - ones * np.uint64(ord("a"))) & ~(cased - ones * np.uint64(ord("z") + 1))
    digit = (point - ones * np.uint64(ord("0"))) & ~(point - ones * np.uint64(ord("9") + 1))
    stop = ~((letter | digit) & ~eight) & tops
    if left < 8:
        stop |= tops << (left * np.uint64(8))
    first = stop & (~stop + np.uint64(1))
    return folded & ((first >> np.uint64(7)) - np.uint64(1)), count_ones(~stop & (stop - np.uint64(1))) >> np.uint64(3)


@nb.njit(cache=True)
def _search_tokens(offsets, data, classes, lower, hashes, starts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    golden = np.uint64(0x9E3779B97F4A7C15)
    used = 0
    for row in range(len(offsets) - 1):
        i, end = offsets[row], offsets[row + 1]
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
            word = kind in (WORD, UPPER)
            if open_token and (not word or (kind == UPPER and previous_class == WORD)):
                hashes[used] = mix64(token)
                used += 1
                open_token = False
            if single_run and kind != SINGLE:
                if single_run == 1:
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
                if single_run:
                    hashes[used] = mix64(previous_single * np.uint64(31) + single)
                    used += 1
                previous_single = single
                single_run += 1
            previous_class = kind
        starts[row + 1] = used
    return used
