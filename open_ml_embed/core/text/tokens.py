"""Tokenizer for all scripts: reads Arrow buffers and returns 64-bit token hashes, without Python strings.

Texts are folded first (`open_ml_embed.core.text.folding`): case, width, compatibility forms, invisible characters. In
scripts with spaces, a token is a run of letters, marks and digits. In scripts without spaces (Han, kana, Thai, Lao,
Khmer, Burmese …), it is a single character; a kana and its voicing mark are one. All other characters separate tokens,
and so does a combining mark without a letter before it. Near-duplicate detection shingles these tokens,
decontamination compares them, and BM25 counts them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numba as nb
import numpy as np
import pyarrow as pa
from numba.extending import intrinsic

from open_ml_embed.core.array_types import I64, U8, U32, U64, Array, Flag, Integer, Offsets
from open_ml_embed.core.compiled import int64, njit
from open_ml_embed.core.splitmix import GOLDEN, mixed
from open_ml_embed.core.text.arrays import one_array
from open_ml_embed.core.text.folding import (
    ALPHABETIC,
    CODE_BIT,
    CODED,
    FIRST_VOICE,
    IOTA,
    JOINED_BIT,
    LATIN,
    LEAD,
    LETTER,
    MARK,
    MARK_BYTE,
    NIKHAHIT,
    NOTHING,
    POINT,
    SARA_AM,
    SEVERAL,
    SIGN,
    SINGLE,
    SPACE,
    SYLLABLE,
    TAIL,
    TO_SARA_AA,
    VOICE,
    VOWEL,
    WORD,
    FoldingTables,
    capitals,
    folding_tables,
    left_out,
)

SPACED, DENSE, LETTERS = 1, 2, 3
"""Kinds of tokens: a word between spaces; a single character that is a syllable or a word; a letter of an alphabet."""
_FOLLOWS = 4
"""Flag in the kind of a single character (only in search tokens): another one comes directly before it."""
_SEED = 0x51ED270B
_JAMO = 9
"""Value of `filled` (else 0 to 7 bytes) if the unit is a Hangul syllable or jamo that may compose with the next one."""


@dataclass(frozen=True)
class Tokens:
    """Tokens of n texts.

    Attributes:
        hashes: uint64, the tokens of all texts, concatenated.
        offsets: int64[n + 1]; text i has `hashes[offsets[i]:offsets[i + 1]]`.
        exact: uint64[n]; hash of the folded text with white space collapsed, punctuation included. 0 for search.
        kinds: uint8, for each token `SPACED`, `DENSE` or `LETTERS`; None if not requested.

    """

    hashes: U64
    offsets: I64
    exact: U64
    kinds: U8 | None = None

    def __len__(self) -> int:
        return len(self.exact)


def tokenize(texts: pa.Array | pa.ChunkedArray, *, for_search: bool = False, with_kinds: bool = False) -> Tokens:
    """Fold every text and hash its tokens.

    Args:
        texts: string or large_string array of n texts; null is treated as empty.
        for_search: for a search index: overlapping bigrams in scripts without spaces, and `camelCase` split into
            words. Otherwise (for shingles): single characters and whole words.
        with_kinds: return the kind of every token; not with `for_search`, since bigrams have no kind.

    """
    assert not (for_search and with_kinds), "tokens for search have no kinds"
    offsets, data = string_buffers(texts)
    padded = np.append(data, np.zeros(8, np.uint8))  # words are read eight bytes at a time
    if not for_search:
        tokens = _hashed(offsets, padded, with_kinds=with_kinds, cased=None)
        return tokens if tokens.kinds is None else replace(tokens, kinds=tokens.kinds & ~np.uint8(_FOLLOWS))
    split = _hashed(offsets, padded, with_kinds=True, cased=capitals())
    assert split.kinds is not None, "with_kinds is set"
    starts = np.zeros_like(split.offsets)
    used = _bigrams(split.hashes, split.kinds, split.offsets, starts)
    return Tokens(split.hashes[:used], starts, np.zeros_like(split.exact))


def _hashed(offsets: I64, padded: U8, *, with_kinds: bool, cased: U8 | None) -> Tokens:
    """Run the kernel over all texts; `cased` is the table `capitals()` if words are split at capitals, else None.

    The kernel stops at a text that may have more tokens than the buffer has room for (some characters fold to several
    words), and at a text whose marks are not in canonical order. This function then grows the buffer, or normalizes the
    text, and continues.
    """
    count = len(offsets) - 1
    hashes = np.empty(len(padded) // 2 + count, np.uint64)  # unused pages at the end are never touched
    kinds = np.empty(len(hashes), np.uint8) if with_kinds else None
    starts, exact = np.zeros(count + 1, np.int64), np.empty(count, np.uint64)
    tables = folding_tables()
    row = 0
    while (row := _tokenize(offsets, padded, tables, hashes, kinds, cased, starts, exact, row)) < count:
        used, text = starts[row], padded[offsets[row] : offsets[row + 1]]
        most = used + _most(len(text))
        if most > len(hashes):
            hashes = _grown(hashes, used, max(2 * len(hashes), most))
            kinds = None if kinds is None else _grown(kinds, used, len(hashes))
            continue
        again = _in_order(text)
        end = np.uint64(len(again) - 8)
        starts[row + 1], whole, good = _row(again, np.uint64(0), end, tables, hashes, used, kinds, cased)
        assert good, "marks are not in canonical order after normalization"
        exact[row] = mix64(whole)
        row += 1
    used = starts[count]
    return Tokens(hashes[:used], starts, exact, None if kinds is None else kinds[:used])


def _in_order(text: U8) -> U8:
    """Return a text decomposed, with its marks in canonical order, padded by eight bytes."""
    shown = unicodedata.normalize("NFKD", "".join(map(chr, _points(text)))).translate(left_out())
    ordered = unicodedata.normalize("NFKD", shown).encode("utf-8", "surrogatepass")
    return np.frombuffer(ordered + bytes(8), np.uint8)


def _grown(array: Array, used: int, size: int) -> Array:
    larger = np.empty(size, array.dtype)
    larger[:used] = array[:used]
    return larger


def string_buffers(texts: pa.Array | pa.ChunkedArray) -> tuple[I64, U8]:
    """Return (offsets int64[n + 1], bytes uint8) of an array of n strings; null is treated as empty."""
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


mix64: Callable[[np.uint64], np.uint64] = njit(signature=nb.uint64(nb.uint64))(mixed)
"""`splitmix.mixed` of one number, compiled."""


@intrinsic
def count_ones(typing_context: Any, x: Any) -> Any:
    """Count the one bits of a uint64: LLVM's `ctpop`, one instruction on processors that have it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return nb.uint64(nb.uint64), generate


@njit
def mix_all(values: U64) -> U64:
    """Apply `mix64` to every element of a uint64 array."""
    result = np.empty_like(values)
    for i in range(len(values)):
        result[i] = mix64(values[i])
    return result


@njit
def decode(data: U8, i: Integer, end: Integer) -> tuple[int, int]:
    """Return (code point, width in bytes) at `data[i]`; an invalid first byte is returned as its own value, width 1."""
    first = int64(data[i])
    if first < 0x80:
        return first, 1
    if first >= 0xF0 and i + 3 < end:
        point = ((first & 7) << 18) | ((int64(data[i + 1]) & 63) << 12)
        return point | ((int64(data[i + 2]) & 63) << 6) | (int64(data[i + 3]) & 63), 4
    if first >= 0xE0 and i + 2 < end:
        return ((first & 15) << 12) | ((int64(data[i + 1]) & 63) << 6) | (int64(data[i + 2]) & 63), 3
    if first >= 0xC0 and i + 1 < end:
        return ((first & 31) << 6) | (int64(data[i + 1]) & 63), 2
    return first, 1


@njit(signature=nb.uint64(nb.uint64, nb.uint64))
def _stir(state: np.uint64, value: np.uint64) -> np.uint64:
    state = (state ^ value) * np.uint64(GOLDEN)
    return state ^ (state >> np.uint64(32))


@njit(signature=nb.uint64(nb.uint64, nb.uint64))
def _amended(state: np.uint64, change: np.uint64) -> np.uint64:
    """Return the state that `_stir` would have returned if its last value had been XORed with `change`."""
    before = (state ^ (state >> np.uint64(32))) * np.uint64(0xF1DE83E19937733D)  # the inverse of GOLDEN modulo 2⁶⁴
    return _stir(before, change)


@njit
def _eight_bytes(data: U8, i: np.uint64) -> np.uint64:
    """Return `data[i : i + 8]` as a little-endian word; written so that LLVM compiles it to one load."""
    low = np.uint64(data[i]) | np.uint64(data[i + np.uint64(1)]) << np.uint64(8)
    low |= np.uint64(data[i + np.uint64(2)]) << np.uint64(16) | np.uint64(data[i + np.uint64(3)]) << np.uint64(24)
    low |= np.uint64(data[i + np.uint64(4)]) << np.uint64(32) | np.uint64(data[i + np.uint64(5)]) << np.uint64(40)
    return low | np.uint64(data[i + np.uint64(6)]) << np.uint64(48) | np.uint64(data[i + np.uint64(7)]) << np.uint64(56)


@njit(signature=nb.types.UniTuple(nb.uint64, 2)(nb.uint64, nb.uint64))
def _ascii_run(eight: np.uint64, left: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the leading run of ASCII letters and digits of eight bytes, in lower case, and its length.

    All eight bytes are compared at once: with the top bit of each byte set, a subtraction does not borrow from the next
    byte. Bytes from index `left` on do not belong to the text.
    """
    tops, ones = np.uint64(0x8080808080808080), np.uint64(0x0101010101010101)
    folded = eight | ones * np.uint64(0x20)  # capitals become lower case, digits stay, other bytes are not used
    cased, point = folded | tops, eight | tops
    letter = (cased - ones * np.uint64(ord("a"))) & ~(cased - ones * np.uint64(ord("z") + 1))
    digit = (point - ones * np.uint64(ord("0"))) & ~(point - ones * np.uint64(ord("9") + 1))
    stop = ~((letter | digit) & ~eight) & tops
    if left < 8:
        stop |= tops << (left * np.uint64(8))
    first = stop & (~stop + np.uint64(1))
    return folded & ((first >> np.uint64(7)) - np.uint64(1)), count_ones(~stop & (stop - np.uint64(1))) >> np.uint64(3)


@njit(signature=nb.uint64(nb.uint64, nb.uint64, nb.uint64))
def _finished(token: np.uint64, unit: np.uint64, filled: np.uint64) -> np.uint64:
    """Return the hash of a word; its last unit may be partly filled or empty."""
    return mix64(_stir(token, unit) if filled else token)


@njit
def _appended(
    token: np.uint64, unit: np.uint64, filled: np.uint64, run: np.uint64, length: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Append a run of ASCII letters, digits and marks (`length` bytes, 1 to 8) to a word; return the new state."""
    if filled == _JAMO:
        token, unit, filled = _stir(token, unit), np.uint64(0), np.uint64(0)
    bits, total = filled * np.uint64(8), filled + length
    unit |= run << bits
    stirred, rest = _stir(token, unit), run >> (np.uint64(56) - bits) >> np.uint64(8)
    full = total >= 8  # both results are computed, since a branch here would be unpredictable
    return stirred if full else token, rest if full else unit, total & np.uint64(7)


@njit
def _letter_and_class(entry: np.uint64, marks: U32) -> tuple[np.uint64, np.uint64]:
    """Return the last letter of an entry (0 for a single character), and the combining class of the mark after it."""
    kind, point = entry >> np.uint64(24), entry & np.uint64(POINT)
    if kind == SINGLE:
        joined = entry >> np.uint64(JOINED_BIT) & np.uint64(3)
        return np.uint64(0), np.uint64(marks[FIRST_VOICE]) if 0 < joined < SARA_AM else np.uint64(0)
    if kind == NIKHAHIT:
        return np.uint64(0), np.uint64(0)
    if kind == WORD:
        return entry & np.uint64(LETTER), _class_of(entry >> np.uint64(CODE_BIT) & np.uint64(0x7F), marks)
    if kind != LATIN:
        return point, np.uint64(0)
    run, letter, order = entry & np.uint64(0xFFFFFF), np.uint64(0), np.uint64(0)
    while run:
        byte, run = run & np.uint64(0xFF), run >> np.uint64(8)
        if byte < 0x80:
            letter, order = byte, np.uint64(0)
        else:
            order = _class_of(byte - np.uint64(MARK_BYTE), marks)
    return letter, order


@njit
def _class_of(code: np.uint64, marks: U32) -> np.uint64:
    """Return the combining class of the mark with this code; 0 for code 0."""
    return np.uint64(marks[CODED[code - np.uint64(1)]]) & np.uint64(0xFF) if code else np.uint64(0)


@njit(signature=nb.uint64(nb.uint64, nb.uint64))
def _composed(first: np.uint64, second: np.uint64) -> np.uint64:
    """Return the entry of the Hangul syllable that two entries compose (The Unicode Standard, section 3.12), or 0."""
    kind, next_kind = first >> np.uint64(24), second >> np.uint64(24)
    point, following = first & np.uint64(POINT), second & np.uint64(POINT)
    if kind == LEAD and next_kind == VOWEL:
        at = ((point - np.uint64(0x1100)) * np.uint64(21) + following - np.uint64(0x1161)) * np.uint64(28)
        return np.uint64(SYLLABLE << 24 | 0xAC00) + at
    if kind == SYLLABLE and next_kind == TAIL and (point - np.uint64(0xAC00)) % np.uint64(28) == 0:
        return first + following - np.uint64(0x11A7)
    return np.uint64(0)


@njit
def _most(size: int) -> int:
    """Return the most tokens that a text of `size` bytes can have; U+FDFA, for one, has 3 bytes and folds to 4."""
    return 2 * size + 1


@njit
def _points(data: U8) -> I64:
    """Return the code points of a text in UTF-8."""
    points = np.empty(len(data), np.int64)
    used = i = 0
    while i < len(data):
        points[used], width = decode(data, i, len(data))
        used, i = used + 1, i + width
    return points[:used]


@njit
def _tokenize(
    offsets: Offsets,
    data: U8,
    tables: FoldingTables,
    hashes: U64,
    kinds: U8 | None,
    cased: U8 | None,
    starts: I64,
    exact: U64,
    row: int,
) -> int:
    """Hash the tokens of the texts from `row` on; return the row where the kernel has to stop, or n (see `_hashed`).

    `data` has eight more bytes than the texts.
    """
    used = starts[row]
    while row < len(exact):
        first, end = offsets[row], offsets[row + 1]
        if used + 2 * (end - first) + 1 > len(hashes):
            break
        reached, whole, good = _row(data, np.uint64(first), np.uint64(end), tables, hashes, used, kinds, cased)
        if not good:
            break
        used = reached
        exact[row] = mix64(whole)
        row += 1
        starts[row] = used
    return row


@njit
def _row(  # noqa: PLR0912, PLR0915 (a function call per character would cost more than its work)
    data: U8,
    i: np.uint64,
    end: np.uint64,
    tables: FoldingTables,
    hashes: U64,
    used: int,
    kinds: U8 | None,
    cased: U8 | None,
) -> tuple[int, np.uint64, bool]:
    """Hash the tokens of the text `data[i:end]` into `hashes[used:]`.

    A word is hashed in units of its folded form: ASCII letters, digits and common marks (one byte each) in groups of
    eight from the start of the run, Hangul as composed syllables, other characters one by one. The hash of the whole
    text chains its words and its other characters, each with a bit for white space before it.

    Args:
        data: uint8, with eight more bytes than the text.
        i: start of the text in `data`.
        end: end of the text in `data`.
        tables: from `folding_tables()`.
        hashes: uint64; receives the tokens.
        used: number of elements of `hashes` already in use.
        kinds: uint8; receives the kinds of the tokens; or None.
        cased: `capitals()`, to split words at capitals; or None.

    Returns:
        (elements of `hashes` in use; hash of the whole text, not finalized; whether the marks are in canonical order).
        If they are not, the other two values are undefined.

    """
    entries, items, marks = tables.entries, tables.items, tables.marks
    none, one, by_kind = np.uint64(0), np.uint64(1), np.uint64(24)
    letter, to_sara_aa = np.uint64(WORD << 24 >> CODE_BIT), np.uint64(TO_SARA_AA)
    whole, gap = one, none
    while i < end:
        word, token, unit, filled = False, np.uint64(_SEED), none, none
        recent, capital = none, True
        if data[i] < 0x80:
            entry = np.uint64(entries[data[i]])
            if entry >> by_kind != LATIN:
                i += one
                if entry >> by_kind == SPACE:
                    gap = np.uint64(whole != 1) << np.uint64(63)
                else:
                    whole, gap = _stir(whole, entry ^ gap), none
                continue
            while True:
                unit, filled = _ascii_run(_eight_bytes(data, i), end - i)
                if cased is not None:
                    unit, filled, capital = _up_to_capital(_eight_bytes(data, i), unit, filled, capital)
                i += filled
                if filled < 8:
                    break
                token = _stir(token, unit)
            if i == end or data[i] < 0x80:
                piece = _finished(token, unit, filled)
                hashes[used] = piece
                if kinds is not None:
                    kinds[used] = SPACED
                used += 1
                whole, gap = _stir(whole, piece ^ gap), none
                continue
            word, recent = True, np.uint64(LATIN << 24 | 0x20) | np.uint64(data[i - one])
        else:
            # Fast path: most words consist of one kind of letters and are hashed completely here.
            while i < end and 0xEA <= data[i] <= 0xED:
                point, read = decode(data, np.int64(i), np.int64(end))
                if point >= len(entries) or entries[point] >> np.uint32(24) != SYLLABLE:
                    break
                if filled:
                    token = _stir(token, unit)
                word, recent, capital = True, np.uint64(entries[point]), False
                unit, filled = ~recent, np.uint64(_JAMO)
                i += np.uint64(read)
            while i < end and data[i] >= 0x80 and not filled:
                point, read = decode(data, np.int64(i), np.int64(end))
                if point >= len(entries):
                    break
                entry = np.uint64(entries[point])
                if cased is not None and word and point < len(cased) and cased[point] & 1 and not capital:
                    break
                if entry >> by_kind == WORD:
                    recent = entry
                    token = _stir(token, ~entry)
                elif entry >> by_kind == MARK and recent >> np.uint64(CODE_BIT) == letter:
                    mark = np.uint64(marks[entry & np.uint64(POINT)])
                    code = mark >> np.uint64(16)
                    if code == 0 or mark & np.uint64(marks[recent & np.uint64(LETTER)]) & np.uint64(0xFF00):
                        break
                    recent |= code << np.uint64(CODE_BIT)
                    token = _amended(token, code << np.uint64(CODE_BIT))
                else:
                    break
                if cased is not None and entry >> by_kind == WORD:
                    capital = cased[point] & 2 != 0
                word = True
                i += np.uint64(read)
            if word and (i == end or (data[i] < 0x80 and entries[data[i]] >> np.uint32(24) <= SPACE)):
                piece = _finished(token, unit, filled)
                hashes[used] = piece
                if kinds is not None:
                    kinds[used] = SPACED
                used += 1
                whole, gap = _stir(whole, piece ^ gap), none
                continue
        # The next character is not ASCII. Each iteration handles one folded character, until an ASCII word may begin.
        at, stop = np.int64(0), np.int64(0)  # range of `items` that is being expanded
        before, last = none, none  # if `recent` is 0: the last letter and the combining class of the mark after it
        follows = False  # the previous token is a single character
        while True:
            if at < stop:
                entry = np.uint64(items[at])
                at += 1
            elif i == end:
                break
            elif data[i] < 0x80:
                if not word or entries[data[i]] >> np.uint32(24) != LATIN:
                    break
                run, length = _ascii_run(_eight_bytes(data, i), end - i)
                if cased is not None:
                    run, length, capital = _up_to_capital(_eight_bytes(data, i), run, length, capital)
                    if length == 0:
                        break
                i += length
                recent = np.uint64(LATIN << 24 | 0x20) | np.uint64(data[i - one])
                token, unit, filled = _appended(token, unit, filled, run, length)
                continue
            else:
                point, read = decode(data, np.int64(i), np.int64(end))
                i += np.uint64(read)
                if point < len(entries):
                    entry = np.uint64(entries[point])
                elif point < 0x40000:
                    entry = np.uint64(SINGLE << 24 | point)
                elif 0xE0000 <= point < 0xE1000:
                    continue
                else:
                    entry = np.uint64(point)
                if entry >> by_kind == NOTHING:
                    continue
                if cased is not None and entry >> by_kind != MARK and entry >> by_kind != IOTA:
                    case = np.int64(cased[point]) if point < len(cased) else 0
                    if word and case & 1 and not capital:
                        piece = _finished(token, unit, filled)
                        hashes[used] = piece
                        if kinds is not None:
                            kinds[used] = SPACED
                        used += 1
                        whole, gap, word = _stir(whole, piece ^ gap), none, False
                    capital = case & 2 != 0
                if entry >> by_kind == SEVERAL:
                    at = np.int64((entry & np.uint64(0xFFFFFF)) >> np.uint64(5))
                    stop = at + np.int64(entry & np.uint64(31))
                    continue
            kind = entry >> by_kind
            if kind == SINGLE:
                if (
                    recent >> by_kind == NIKHAHIT
                    and recent & np.uint64(POINT) == (entry & np.uint64(POINT)) + to_sara_aa
                ):
                    vowel = np.uint64(SARA_AM << JOINED_BIT)
                    recent = np.uint64(SINGLE << 24) | recent & np.uint64(0xFFFFFF) | vowel
                    hashes[used - 1] = mix64(recent)
                    whole = _amended(whole, vowel)
                    continue
                if word:
                    piece = _finished(token, unit, filled)
                    hashes[used] = piece
                    if kinds is not None:
                        kinds[used] = SPACED
                    used += 1
                    whole, gap, word, follows = _stir(whole, piece ^ gap), none, False, False
                while True:
                    hashes[used] = mix64(entry)
                    if kinds is not None:
                        kinds[used] = (LETTERS if entry & np.uint64(ALPHABETIC) else DENSE) + _FOLLOWS * follows
                    used += 1
                    follows = True
                    whole, gap = _stir(whole, entry ^ gap), none
                    if at < stop or i == end or data[i] < 0xC0:
                        break
                    point, read = decode(data, np.int64(i), np.int64(end))
                    if point >= len(entries) or entries[point] >> np.uint32(24) != SINGLE:
                        break
                    entry = np.uint64(entries[point])
                    i += np.uint64(read)
                recent = entry
                continue
            if LATIN <= kind <= WORD or kind >= SYLLABLE:
                if not word:
                    word, token, unit, filled, follows = True, np.uint64(_SEED), none, none, False
                recent = entry
                if kind == LATIN:
                    run = entry & np.uint64(0xFFFFFF)
                    length = one + np.uint64(run > 0xFF) + np.uint64(run > 0xFFFF)
                    token, unit, filled = _appended(token, unit, filled, run, length)
                elif kind == WORD:
                    if filled:
                        token, unit, filled = _stir(token, unit), none, none
                    token = _stir(token, ~entry)
                elif kind == IOTA:
                    recent, before, last = none, entry & np.uint64(POINT), np.uint64(240)
                    if filled:
                        token, unit, filled = _stir(token, unit), none, none
                    token = _stir(token, ~(before | np.uint64(WORD << 24)))
                else:
                    composed = _composed(~unit, entry) if filled == _JAMO and kind != SYLLABLE else none
                    if composed:
                        unit = ~composed
                    else:
                        if filled:
                            token = _stir(token, unit)
                        unit, filled = ~entry, np.uint64(_JAMO)
                continue
            if NIKHAHIT < kind <= VOICE:
                if kind == VOICE and recent >> np.uint64(JOINED_BIT) == np.uint64(SINGLE << 24 >> JOINED_BIT):
                    voice = (entry & np.uint64(POINT)) - np.uint64(FIRST_VOICE - 1) << np.uint64(JOINED_BIT)
                    recent |= voice
                    hashes[used - 1] = mix64(recent)
                    whole = _amended(whole, voice)
                    continue
                if recent:
                    before, last = _letter_and_class(recent, marks)
                mark = np.uint64(marks[entry & np.uint64(POINT)])
                order = mark & np.uint64(0xFF)
                if order < last:
                    return used, whole, False
                if last < order and mark & np.uint64(marks[before]) & np.uint64(0xFF00):
                    continue  # a mark that is optional on this letter
                code, last = mark >> np.uint64(16), order
                if code and recent >> np.uint64(CODE_BIT) == letter:
                    recent |= code << np.uint64(CODE_BIT)
                    token = _amended(token, code << np.uint64(CODE_BIT))
                    continue
                recent = none
                if kind == MARK and word:
                    if code:
                        token, unit, filled = _appended(token, unit, filled, code + np.uint64(MARK_BYTE), one)
                    else:
                        if filled:
                            token, unit, filled = _stir(token, unit), none, none
                        token = _stir(token, ~entry)
                    continue
            else:
                recent, before, last = entry if kind == NIKHAHIT else none, none, none
            if word:
                piece = _finished(token, unit, filled)
                hashes[used] = piece
                if kinds is not None:
                    kinds[used] = SPACED
                used += 1
                whole, gap, word = _stir(whole, piece ^ gap), none, False
            if kind in (SIGN, NIKHAHIT):
                if kind == NIKHAHIT:
                    entry ^= np.uint64((SINGLE ^ NIKHAHIT) << 24)
                hashes[used] = mix64(entry)
                if kinds is not None:
                    kinds[used] = (LETTERS if entry & np.uint64(ALPHABETIC) else DENSE) + _FOLLOWS * follows
                used += 1
                whole, gap, follows = _stir(whole, entry ^ gap), none, True
            else:
                follows = False
                if kind == SPACE:
                    gap = np.uint64(whole != 1) << np.uint64(63)
                else:
                    whole, gap = _stir(whole, entry ^ gap), none
        if word:
            piece = _finished(token, unit, filled)
            hashes[used] = piece
            if kinds is not None:
                kinds[used] = SPACED
            used += 1
            whole, gap = _stir(whole, piece ^ gap), none
    return used, whole, True


@njit
def _up_to_capital(
    eight: np.uint64, run: np.uint64, length: np.uint64, capital: Flag
) -> tuple[np.uint64, np.uint64, bool]:
    """Cut a run of ASCII characters (see `_ascii_run`) before a capital that does not follow a capital.

    `capital`: whether the character before the run is a capital. Returns the run, its length, and whether its last
    character is a capital.
    """
    for k in range(np.int64(length)):
        byte = (eight >> np.uint64(8 * k)) & np.uint64(0xFF)
        large = ord("A") <= byte <= ord("Z")
        if large and not capital:
            return run & ((np.uint64(1) << np.uint64(8 * k)) - np.uint64(1)), np.uint64(k), bool(capital)
        capital = large
    return run, length, bool(capital)


@njit
def _bigrams(hashes: U64, kinds: U8, offsets: Offsets, starts: I64) -> int:
    """Replace runs of single characters by their overlapping bigrams, in place; words and lone characters stay.

    `starts` receives the new offsets of the texts. Returns the number of tokens.
    """
    used = 0
    for row in range(len(starts) - 1):
        first, end = offsets[row], offsets[row + 1]
        before = np.uint64(0)
        for i in range(first, end):
            token = hashes[i]
            follows = kinds[i] & _FOLLOWS != 0
            followed = i + 1 < end and kinds[i + 1] & _FOLLOWS != 0
            if follows:
                hashes[used] = mix64(before * np.uint64(31) + token)
            elif not followed:
                hashes[used] = token
            if follows or not followed:
                used += 1
            before = token
        starts[row + 1] = used
    return used
