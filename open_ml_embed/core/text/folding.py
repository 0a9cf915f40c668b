"""Text folding: the normalization under which dedup, decontamination and BM25 compare texts.

A text is folded one code point at a time. The result is Unicode's compatibility caseless form (NFKD of the full case
folding: The Unicode Standard, section 3.13, definitions D145 and D146), without invisible characters
(Default_Ignorable_Code_Point, as in NFKC_Casefold) and without marks that are optional in writing:

- the vowel points and accents of Hebrew, Arabic (Quranic signs too) and Syriac, and tatweel;
- accents of Greek letters, which are omitted on capitals;
- the stress accent on Cyrillic vowels, and the two dots of `ё`;
- the dot of `i`, which Turkish `İ` keeps in lower case; dotless `ı` becomes `i`, since its capital is `I`.

Marks that distinguish letters stay: other Latin and Cyrillic accents, vowel signs of Indic scripts, Arabic hamza and
madda, the voicing marks of kana. Folded text is decomposed, so that equal texts can be compared without composition.
`open_ml_embed.core.text.tokens` puts its marks in canonical order. docs/dedup.md describes the effects.

This module builds the lookup tables of the token kernels. An entry is a uint32, `kind << 24 | payload`.
"""

from __future__ import annotations

import itertools
import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np

from open_ml_embed.core.array_types import U8, U32
from open_ml_embed.core.text.blank import DEFAULT_IGNORABLE

SEPARATOR, SPACE, LATIN, WORD, SINGLE, NIKHAHIT, MARK, SIGN, VOICE = range(9)
"""Kinds of entries: punctuation and symbols; white space; ASCII letters and digits, with or without marks; other
characters of words; characters that are one token each; nikhahit, the first part of Thai and Lao sara am; combining
marks of words, of scripts without spaces, and of kana (marks of a combining class above 0)."""
SYLLABLE, LEAD, VOWEL, TAIL, IOTA, NOTHING, SEVERAL = range(9, 16)
"""Further kinds: Hangul syllables and the jamo that compose them; the Greek iota that is written as a mark; characters
that are left out; characters that fold to several."""
POINT = 0x1FFFFF
"""Mask of the payload that is a folded code point (`WORD`: see `LETTER`). The payload of `LATIN` is one to three bytes,
the first one lowest: ASCII characters, and marks as `MARK_BYTE` + code. The payload of `SEVERAL` is
`start << 5 | count` in `items`."""
CODED = (*range(0x0300, 0x0340), 0x0653, 0x0654, 0x0655, 0x093C, 0x094D, 0x09BC, 0x09CD, 0x0A3C, 0x0A4D, 0x0ABC, 0x0ACD,
         0x0B3C, 0x0B4D, 0x0BCD, 0x0C4D, 0x0CBC, 0x0CCD, 0x0D4D, 0x0DCA)  # fmt: skip
"""Frequent marks, which have a code (1, 2, …): Latin and Cyrillic accents, Arabic madda and hamza, nukta and virama of
Indic scripts."""
MARK_BYTE = 0x7F
CODE_BIT, LETTER = 17, 0x1FFFF
"""Payload of `WORD`: the letter in the low 17 bits, above them the code of a mark that is joined to it."""
ALPHABETIC = 1 << 21
"""Flag in the payload of `SINGLE` and `SIGN`: a letter of an alphabet, of which a word has several."""
JOINED_BIT, FIRST_VOICE, SARA_AM = 22, 0x3099, 3
"""Payload of `SINGLE` from bit 22: the sign that is joined to the character: 1 or 2 for the voicing or semi-voicing
mark (U+3099, U+309A), `SARA_AM` for the vowel that follows nikhahit in sara am."""
TO_SARA_AA = 0x0E4D - 0x0E32
"""Distance between the code points of that vowel and of nikhahit, in Thai and in Lao."""
TABLE = 0x30000
"""Number of code points in the table. Above it, characters of plane 3 are one token each, tags of plane 14 are left
out."""

_LETTERS_WITHOUT_SPACES = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF), (0x1B00, 0x1B7F),
    (0xA980, 0xA9FF), (0xAA60, 0xAA7F),
)  # fmt: skip
"""Thai and Lao, Burmese, Khmer, Tai scripts, Balinese, Javanese."""
_SYLLABLES_AND_WORDS = (
    (0x3040, 0x312F), (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA000, 0xA48F),
    (0xF900, 0xFAFF), (0x20000, TABLE - 1),
)  # fmt: skip
"""Kana, Bopomofo, Han, Yi."""
_NOT_ALWAYS_WRITTEN = (
    (0x0591, 0x05BD), (0x05BF, 0x05BF), (0x05C1, 0x05C2), (0x05C4, 0x05C5), (0x05C7, 0x05C7), (0xFB1E, 0xFB1E),
    (0x0610, 0x061A), (0x0640, 0x0640), (0x064B, 0x0652), (0x0656, 0x065E), (0x0670, 0x0670), (0x06D6, 0x06DC),
    (0x06DF, 0x06E8), (0x06EA, 0x06ED), (0x0897, 0x089F), (0x08CA, 0x08E1), (0x08E3, 0x08FF), (0x10EFA, 0x10EFF),
    (0x0711, 0x0711), (0x0730, 0x074A), (0x07FA, 0x07FA),
)  # fmt: skip
"""Hebrew cantillation and niqqud; Arabic tatweel, tashkil and Quranic signs, without madda and hamza (U+0653 … 0655,
065F), which are parts of letters; Syriac points; the tatweel of N'Ko."""

_DOT, _GREEK, _STRESS, _TWO_POINTS = 1, 2, 4, 8
_LETTERS = {_DOT: "i", _GREEK: "αβγδεζηθικλμνξοπρστυφχψω", _STRESS: "аеиоуыэюяієѵ", _TWO_POINTS: "е"}
_GREEK_MARKS = "\u0300\u0301\u0304\u0306\u0308\u0313\u0314\u0342"
_OPTIONAL = {_DOT: "\u0307", _GREEK: _GREEK_MARKS, _STRESS: "\u0301", _TWO_POINTS: "\u0308"}
"""Marks that are optional on these letters. The Greek ones are all marks that Greek letters decompose to."""
_ALIKE = {"ı": "i"}
_UNASSIGNED = ("Cn", "Co", "Cs")


class FoldingTables(NamedTuple):
    """Lookup tables of the token kernels.

    Attributes:
        entries: uint32[0x30000], by code point.
        items: uint32, the concatenated expansions that `SEVERAL` entries refer to.
        marks: uint32[0x20000], by folded code point: combining class | bits << 8 | code << 16. A mark is optional on
            the letters that it shares a bit with.

    """

    entries: U32
    items: U32
    marks: U32


def folded(char: str) -> str:
    """Return the decomposed folding of a single character; empty if it is left out.

    >>> [folded(char) for char in ("ß", "ς", "Ａ", "ｶ", "ﬁ", "①", "ά", "İ", "\u00ad", "\u064e")]
    ['ss', 'σ', 'a', 'カ', 'fi', '1', 'α', 'i', '', '']

    """
    return "".join(piece for piece, _ in _folded(char))


def _folded(char: str) -> list[tuple[str, int]]:
    """Return the folded characters, each with the combining class for canonical ordering."""
    pieces: list[tuple[str, int]] = []
    base, before = "", 0
    for part in unicodedata.normalize("NFD", char):
        for plain in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", part).casefold()):
            piece = _ALIKE.get(plain, plain)
            if ord(piece) in left_out():
                continue
            order = unicodedata.combining(piece)
            if order == 0:
                base, before = piece, 0
            elif before < order and _bits(base, _LETTERS) & _bits(piece, _OPTIONAL):
                continue
            else:
                before = order
            pieces.append((piece, order or unicodedata.combining(part)))
    return pieces


def _bits(char: str, of: dict[int, str]) -> int:
    return sum(bit for bit, chars in of.items() if char and char in chars)


@cache
def left_out() -> dict[int, None]:
    """Return the code points that are left out in any context, as a table for `str.translate`."""
    ranges = (*DEFAULT_IGNORABLE, *_NOT_ALWAYS_WRITTEN)
    return {point: None for first, last in ranges for point in range(first, last + 1)}


@cache
def folding_tables() -> FoldingTables:
    """Return the tables; they are built once per process."""
    entries = np.arange(TABLE, dtype=np.uint32)
    entries[0x20000:] |= SINGLE << 24
    marks = np.zeros(0x20000, np.uint32)
    items: list[int] = []
    kinds = _kinds_of_letters()
    for point in itertools.chain(range(0x20000), range(0x2F800, 0x2FA1E)):
        char = chr(point)
        if unicodedata.category(char) in _UNASSIGNED:
            continue
        order = unicodedata.combining(char)
        if order:
            marks[point] = order
        if unicodedata.decomposition(char) or char in _ALIKE or char.casefold() != char or point in left_out():
            pieces = _folded(char)
        else:
            pieces = [(char, order)]
        entries[point] = _entry(pieces, kinds, items)
    entries[[point for point in left_out() if point < TABLE]] = NOTHING << 24  # unassigned code points included
    for of in (_LETTERS, _OPTIONAL):
        for bit, chars in of.items():
            marks[[ord(char) for char in chars]] |= np.uint32(bit << 8)
    marks[list(CODED)] |= np.arange(1, len(CODED) + 1, dtype=np.uint32) << np.uint32(16)
    assert len(items) < 1 << 19, "more expansions than a payload can name"
    return FoldingTables(entries, np.array(items, np.uint32), marks)


def _kinds_of_letters() -> list[int]:
    """Return kind and flag of every code point below `TABLE`; they apply to letters, marks and digits."""
    kinds = np.full(TABLE, WORD << 24)
    kinds[:0x80] = LATIN << 24
    for first, last in _LETTERS_WITHOUT_SPACES:
        kinds[first : last + 1] = SINGLE << 24 | ALPHABETIC
    for first, last in _SYLLABLES_AND_WORDS:
        kinds[first : last + 1] = SINGLE << 24
    for kind, first, last in (
        (SYLLABLE, 0xAC00, 0xD7A3), (LEAD, 0x1100, 0x1112), (VOWEL, 0x1161, 0x1175), (TAIL, 0x11A8, 0x11C2),
        (VOICE, FIRST_VOICE, FIRST_VOICE + 1),
    ):  # fmt: skip
        kinds[first : last + 1] = kind << 24
    kinds[[0x0E4D, 0x0ECD]] = NIKHAHIT << 24 | ALPHABETIC
    return kinds.tolist()


def _entry(pieces: list[tuple[str, int]], kinds: list[int], items: list[int]) -> int:
    """Return the entry of a character that folds to `pieces`; an expansion to several entries is added to `items`."""
    entries = [_entry_of_one(piece, order, kinds) for piece, order in pieces]
    if len(entries) < 2:
        return entries[0] if entries else NOTHING << 24
    if joined := _joined([piece for piece, _ in pieces], entries):
        return joined
    items += entries
    return SEVERAL << 24 | (len(items) - len(entries)) << 5 | len(entries)


def _joined(pieces: list[str], entries: list[int]) -> int:
    """Return the single entry that encodes all of these characters, or 0 if there is none."""
    codes = [_codes().get(piece, 0) for piece in pieces]
    first, second = (entry >> 24 for entry in entries[:2])
    letters = first == LATIN and all(e >> 24 == LATIN or code for e, code in zip(entries, codes, strict=True))
    if letters and len(pieces) <= 3:
        in_bytes = [MARK_BYTE + code if code else ord(piece) for piece, code in zip(pieces, codes, strict=True)]
        return LATIN << 24 | int.from_bytes(bytes(in_bytes), "little")
    if len(pieces) > 2:
        return 0
    if first == WORD and codes[1]:
        return entries[0] | codes[1] << CODE_BIT
    if first == SINGLE and second == VOICE:
        return entries[0] | (ord(pieces[1]) - FIRST_VOICE + 1) << JOINED_BIT
    if first == NIKHAHIT:
        return SINGLE << 24 | entries[0] & 0xFFFFFF | SARA_AM << JOINED_BIT
    return 0


@cache
def _codes() -> dict[str, int]:
    return {chr(point): code for code, point in enumerate(CODED, 1)}


def _entry_of_one(piece: str, order: int, kinds: list[int]) -> int:
    """Return the entry of a character that folds to itself."""
    point = ord(piece)
    if piece.isspace():
        return SPACE << 24 | point
    if unicodedata.category(piece)[0] not in "LMN":
        return SEPARATOR << 24 | point
    kind = kinds[point]
    if order and not unicodedata.combining(piece):
        assert piece == "ι", "only one letter is written as a mark"
        kind = IOTA << 24
    elif order and kind >> 24 == WORD:
        kind = MARK << 24
    elif order and kind >> 24 == SINGLE:
        kind += (SIGN - SINGLE) << 24
    return kind | point


@cache
def capitals() -> U8:
    """Return uint8[0x20000], by code point: bit 1 if it begins with a capital letter, bit 2 if it ends with one.

    Title-case digraphs (U+01C5 and similar) have bit 1 only.
    """
    capital = [3 if unicodedata.category(chr(point)) in ("Lu", "Lt") else 0 for point in range(0x20000)]
    table = np.array(capital, np.uint8)
    table[[0x01C5, 0x01C8, 0x01CB, 0x01F2]] = 1
    return table
