"""The folding of texts and their tokens, slowly: of whole strings, by Python's Unicode functions and by names."""

import unicodedata
from functools import cache

VISIBLE_FORMATS = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13440)}
"""Format characters that show: signs written over numbers, and those of hieroglyphs (the Unicode Standard, 23.2)."""
FILLERS = {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, 0x3164, 0xFFA0, *range(0xFFF0, 0xFFF9)}
PARTS_OF_LETTERS = {"ARABIC MADDAH ABOVE", "ARABIC HAMZA ABOVE", "ARABIC HAMZA BELOW", "ARABIC WAVY HAMZA BELOW"}
LATER_ARABIC = {0x897, *range(0x10EFA, 0x10F00)}
"""Arabic points of Unicode versions after some Python's own."""
QURANIC_LETTERS = {"ARABIC TATWEEL", "ARABIC SMALL WAW", "ARABIC SMALL YEH", "NKO LAJANYALAN"}
NOT_ALWAYS_WRITTEN = {
    "i": "\u0307",
    **dict.fromkeys("аоуыэюяиіє", "\u0301"),
    "е": "\u0301\u0308",
    **dict.fromkeys("αβγδεζηθικλμνξοπρστυφχψω", "\u0300\u0301\u0304\u0306\u0308\u0313\u0314\u0342"),
}
UNSPACED = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


@cache
def gone(char: str) -> bool:
    """Tell whether a character is invisible, or a point that Hebrew, Arabic and Syriac do not always write."""
    point, kind, name = ord(char), unicodedata.category(char), unicodedata.name(char, "")
    if point in FILLERS or point in LATER_ARABIC or 0xE0000 <= point < 0xE1000 or "VARIATION SELECTOR" in name:
        return True
    if kind == "Cf":
        return point not in VISIBLE_FORMATS and not 0xFFF9 <= point <= 0xFFFB
    if name.startswith(("HEBREW", "ARABIC", "SYRIAC")) and kind == "Mn":
        return name not in PARTS_OF_LETTERS
    return name in QURANIC_LETTERS


def normal(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not gone(char))


def fold(text: str) -> str:
    """Return the folded text, decomposed, white space collapsed."""
    text = normal(normal(normal(text)).casefold()).replace("ı", "i")
    kept, letter, last = [], "", 0
    for char in text:
        order = unicodedata.combining(char)
        if order == 0:
            letter, last = char, 0
        elif last < order and char in NOT_ALWAYS_WRITTEN.get(letter, ""):
            continue
        else:
            last = order
        kept.append(char)
    return " ".join("".join(kept).split())


@cache
def kind(char: str) -> str:
    if ord(char) >= 0x20000:
        return "single" if ord(char) < 0x40000 else "other"
    if unicodedata.category(char)[0] not in "LMN":
        return "other"
    return "single" if unicodedata.name(char, "").startswith(UNSPACED) else "word"


def words(text: str) -> list[str]:
    """Return the tokens of a text as strings."""
    found: list[str] = []
    before = ""
    for char in fold(text):
        now = kind(char)
        if char in "\u3099\u309a":
            now = "voice"
        elif now == "word" and before != "word" and unicodedata.combining(char):
            now = "other"
        sara_am = before == "single" and found[-1] + char in ("\u0e4d\u0e32", "\u0ecd\u0eb2")
        voiced = before == "single" and now == "voice" and len(found[-1]) == 1 and found[-1] not in "\u0e4d\u0ecd"
        if sara_am or voiced or before == now == "word":
            found[-1] += char
        elif now in ("word", "single"):
            found.append(char)
        before = now
    return found


def same_partition(hashes: list[int], things: list) -> bool:
    """Tell whether equal things, and only those, have equal hashes."""
    return len(set(hashes)) == len(set(things)) == len(set(zip(hashes, things, strict=True)))
