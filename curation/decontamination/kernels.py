"""Compiled loops: n-grams of token hashes, a hash table of them behind a Bloom filter, and the runs two texts share.

The key of an n-gram is a polynomial hash of its tokens, computed from prefix hashes with two multiplications for any
length (Karp and Rabin 1987). Most n-grams of a clean text occur in no evaluation text, so a register-blocked Bloom
filter (Putze, Sanders and Singler 2007) comes first: it reads one 64-bit word for each n-gram, fits into the cache,
and its cache misses overlap. N-grams that pass the filter are looked up in an open-addressing hash table and then
compared token by token, so that a hash collision never counts as a match.
"""

from __future__ import annotations

import numpy as np

from open_ml_embed.core.array_types import I32, I64, U8, U32, U64, Integer
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.text.tokens import mix64

BASE = np.uint64(0x9FB21C651E98DF25)
WHOLE = np.int32(-1)
"""Position of a posting that stands for the whole text."""
LONGEST_WORD = 5
"""Tokens in a word, at most (`word_units`)."""
RECENT = 16
"""Recent runs of a row that are remembered, so that an n-gram inside one of them is not extended again."""
EFFORT = 256
"""Token comparisons for each token of a row, at most, so that repetitive texts cost linear time."""


def powers(ngram: int) -> U64:
    """Return `BASE ** (ngram * c)` for c = 0 … `LONGEST_WORD`, uint64."""
    return np.array([pow(int(BASE), ngram * c, 2**64) for c in range(LONGEST_WORD + 1)], np.uint64)


@njit
def anchors(
    hashes: U64,
    starts: I64,
    scale: U8,
    ngram: int,
    step: int,
    shortest: int,
    power: U64,
    tenths: U8,
    keys: U64,
    texts: I32,
    positions: I32,
) -> int:
    """Choose the n-grams of evaluation texts to index (anchors), and return their number.

    The anchors of a text are the whole text, an n-gram at every `step` words, and the last n-gram. So every run of
    `ngram + step - 1` words contains an anchor, and so does every text of `ngram` words or more that is part of another
    text. N-grams with fewer than three different tokens are left out. With empty result arrays the call only counts.

    Args:
        hashes: uint64, token hashes of all texts.
        starts: int64[m + 1], bounds of each text's tokens.
        scale: uint8, tokens that make a word, for each token.
        ngram: words in an n-gram.
        step: words between anchors.
        shortest: texts with fewer words have no anchors.
        power: `powers` of `ngram`.
        tenths: `word_units.TENTHS`.
        keys: uint64, receives the key of each anchor; empty to count only.
        texts: int32, receives the number of its text.
        positions: int32, receives its first token in the text, or `WHOLE`.

    """
    used = 0
    prefix = np.zeros(1, np.uint64)
    for text in range(len(starts) - 1):
        first, length = starts[text], starts[text + 1] - starts[text]
        if length + 1 > len(prefix):
            prefix = np.zeros(2 * length + 1, np.uint64)
        words = 0
        for i in range(length):
            prefix[i + 1] = prefix[i] * BASE + hashes[first + i]
            words += tenths[scale[first + i]]
        if words < 10 * shortest:
            continue
        if len(keys):
            keys[used], texts[used], positions[used] = whole_key(prefix[length], length), text, WHOLE
        used += 1
        final = length - 1
        while final >= 0 and final + ngram * np.int64(scale[first + final]) > length:
            final -= 1
        at = np.int64(0)
        while at <= final:
            c = np.int64(scale[first + at])
            end = at + ngram * c
            if end <= length and _varied(hashes, first + at, first + end):
                if len(keys):
                    keys[used] = gram_key(prefix, at, end, power[c])
                    texts[used], positions[used] = text, at
                used += 1
            onward = (step - 1) * c + 1  # one token more, and a run of ngram + step - 1 words could miss every anchor
            at = final if at < final < at + onward else at + onward
    return used


@njit(inline="always")
def whole_key(hashed: np.uint64, length: int) -> np.uint64:
    """Return the key of a whole sequence of tokens; never 0."""
    return mix64(hashed ^ (np.uint64(length) << np.uint64(32)) ^ np.uint64(0x6A09E667F3BCC909)) | np.uint64(1)


@njit(inline="always")
def gram_key(prefix: U64, start: Integer, end: Integer, power: np.uint64) -> np.uint64:
    """Return the key of the tokens from `start` to `end`, from prefix hashes; never 0."""
    return mix64(prefix[end] - prefix[start] * power) | np.uint64(1)


@njit
def _varied(hashes: U64, start: int, end: int) -> bool:
    first, second = hashes[start], hashes[start]
    for i in range(start, end):
        if hashes[i] != first:
            if second == first:
                second = hashes[i]
            elif hashes[i] != second:
                return True
    return False


@njit
def fill(keys: U64, slots: U64, places: U32, filter_words: U64) -> None:
    """Insert keys (unique, not 0) into an empty hash table and its filter; `places` receives the number of each key."""
    mask = np.uint64(len(slots) - 1)
    for number in range(len(keys)):
        key = keys[number]
        slot = (key >> np.uint64(8)) & mask
        while slots[slot]:
            slot = (slot + np.uint64(1)) & mask
        slots[slot], places[slot] = key, number
        filter_words[_word(key, len(filter_words))] |= _bits(key)


@njit(inline="always")
def _word(key: np.uint64, words: int) -> np.uint64:
    return (key >> np.uint64(32)) & np.uint64(words - 1)


@njit(inline="always")
def _bits(key: np.uint64) -> np.uint64:
    one = np.uint64(1)
    return (
        one << ((key >> np.uint64(2)) & np.uint64(63))
        | one << ((key >> np.uint64(8)) & np.uint64(63))
        | one << ((key >> np.uint64(14)) & np.uint64(63))
        | one << ((key >> np.uint64(20)) & np.uint64(63))
    )


@njit(inline="always")
def _place(key: np.uint64, slots: U64, places: U32) -> np.int64:
    """Return the number of a key, or -1 if the table does not contain it."""
    mask = np.uint64(len(slots) - 1)
    slot = (key >> np.uint64(8)) & mask
    while slots[slot]:
        if slots[slot] == key:
            return np.int64(places[slot])
        slot = (slot + np.uint64(1)) & mask
    return np.int64(-1)


@njit
def find(  # noqa: PLR0912, PLR0915 (one pass over the tokens: state is kept in local variables)
    tokens: tuple[U64, I64, U8],
    ngram: int,
    power: U64,
    table: tuple[U64, U64, U32, I64, I32, I32],
    evaluated: tuple[I64, U32],
    first_row: int,
    rows: I32,
    texts: I32,
    begins: I32,
    ends: I32,
) -> tuple[int, int, int]:
    """Find the runs of tokens that rows share with evaluation texts, starting at row `first_row`.

    Args:
        tokens: hashes and offsets of n rows, and for each token the number of tokens that make a word.
        ngram: words in an n-gram.
        power: `powers` of `ngram`.
        table: filter, slots, places; posting starts, texts and positions (see `index.Index`).
        evaluated: bounds of the evaluation texts, and the low 32 bits of their token hashes.
        first_row: the row to start at; to continue after the result arrays were full.
        rows: int32, receives the row of each run.
        texts: int32, receives the evaluation text of each run.
        begins: int32, receives the run's first token in that text, or `WHOLE` if row and text have the same tokens.
        ends: int32, receives the token after the run's last token in that text.

    Returns:
        (number of runs; the next row, n when all rows are done; number of n-grams given up because of `EFFORT`).

    """
    hashes, offsets, scale = tokens
    filter_words, slots, places, posting_starts, posting_texts, posting_positions = table
    text_starts, text_tokens = evaluated
    longest = 1
    for row in range(first_row, len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    prefix, waiting = np.zeros(longest + 1, np.uint64), np.empty(longest, np.int64)
    near_text, near_shift, near_end = np.empty(RECENT, np.int64), np.empty(RECENT, np.int64), np.empty(RECENT, np.int64)
    used = given_up = 0
    for row in range(first_row, len(offsets) - 1):
        first, length = offsets[row], offsets[row + 1] - offsets[row]
        if length == 0:
            continue
        begun = used
        for i in range(length):
            prefix[i + 1] = prefix[i] * BASE + hashes[first + i]
        key = whole_key(prefix[length], length)
        if filter_words[_word(key, len(filter_words))] & _bits(key) == _bits(key):
            place = _place(key, slots, places)
            if place >= 0:
                for posting in range(posting_starts[place], posting_starts[place + 1]):
                    text = posting_texts[posting]
                    start = text_starts[text]
                    if (
                        text_starts[text + 1] - start == length
                        and _run(hashes, first, first + length, text_tokens, start, start + length) == length
                    ):
                        if used == len(rows):
                            return begun, row, given_up
                        rows[used], texts[used], begins[used], ends[used] = row, text, WHOLE, length
                        used += 1
        waits = 0
        for i in range(length):
            c = np.int64(scale[first + i])
            end = i + ngram * c
            if end <= length:
                key = gram_key(prefix, i, end, power[c])
                bits = _bits(key)
                waiting[waits] = i
                waits += (filter_words[_word(key, len(filter_words))] & bits) == bits
        effort = EFFORT * length
        near_text[:] = -1
        turn = 0
        for wait in range(waits):
            i = waiting[wait]
            c = np.int64(scale[first + i])
            place = _place(gram_key(prefix, i, i + ngram * c, power[c]), slots, places)
            if place < 0:
                continue
            for posting in range(posting_starts[place], posting_starts[place + 1]):
                text, at = np.int64(posting_texts[posting]), np.int64(posting_positions[posting])
                known = False
                for n in range(RECENT):
                    known |= near_text[n] == text and near_shift[n] == i - at and i < near_end[n]
                if known or at < 0:
                    continue
                if effort <= 0:
                    given_up += 1
                    break
                start, stop = text_starts[text], text_starts[text + 1]
                after = _run(hashes, first + i, first + length, text_tokens, start + at, stop)
                before = _run_back(hashes, first, first + i, text_tokens, start, start + at)
                effort -= after + before + 1
                if after < ngram * c:
                    continue
                if used == len(rows):
                    return begun, row, given_up
                rows[used], texts[used], begins[used], ends[used] = row, text, at - before, at + after
                used += 1
                near_text[turn], near_shift[turn], near_end[turn] = text, i - at, i + after
                turn = (turn + 1) % RECENT
    return used, len(offsets) - 1, given_up


@njit(inline="always")
def _same(hashed: np.uint64, token: np.uint32) -> bool:
    return bool(np.uint32(hashed & np.uint64(0xFFFFFFFF)) == token)


@njit
def _run(hashes: U64, i: int, end: int, tokens: U32, j: int, stop: int) -> int:
    """Return how many tokens agree from i and j on, forwards."""
    length = 0
    while i + length < end and j + length < stop and _same(hashes[i + length], tokens[j + length]):
        length += 1
    return length


@njit
def _run_back(hashes: U64, first: int, i: int, tokens: U32, start: int, j: int) -> int:
    """Return how many tokens agree before i and j, backwards."""
    length = 0
    while i - length > first and j - length > start and _same(hashes[i - length - 1], tokens[j - length - 1]):
        length += 1
    return length


@njit
def cover(
    groups: I64, texts: I32, begins: I32, ends: I32, text_starts: I64, scale: U8, tenths: U8, covered: I64, longest: I64
) -> None:
    """Compute how much of the text each group of runs covers, and the longest run, in tenths of a word.

    A group has the runs of one row and one text, sorted by `begins`. Overlapping runs count once in `covered`, but
    separately in `longest`. A whole text is one run.

    Args:
        groups: int64[g + 1], bounds of the groups in the arrays of runs.
        texts: int32, evaluation text of each run.
        begins: int32, first token of each run, or `WHOLE`.
        ends: int32, token after the last of each run.
        text_starts: int64[m + 1], bounds of the evaluation texts' tokens.
        scale: uint8, tokens that make a word, for each token of the evaluation texts.
        tenths: `word_units.TENTHS`.
        covered: int64[g], zeros; receives the covered length.
        longest: int64[g], zeros; receives the length of the longest run.

    """
    for group in range(len(groups) - 1):
        start = text_starts[texts[groups[group]]]
        reached = 0
        for run in range(groups[group], groups[group + 1]):
            begin, end = max(begins[run], 0), ends[run]
            weight = 0
            for i in range(begin, end):
                weight += tenths[scale[start + i]]
                if i >= reached:
                    covered[group] += tenths[scale[start + i]]
            reached = max(reached, end)
            longest[group] = max(longest[group], weight)
