"""Detokenization: removes the blanks that a tokenizer inserted, by rules for each language.

Tokenizers separate punctuation, cut off clitics (`qu' à`, `do n't`), separate combining signs from their letters
(`स ् तर`), and split Chinese or Thai into words. These changes are undone where the result is unambiguous. A blank that
may have been in the original stays.
"""

from __future__ import annotations

import re
from functools import cache

_HAN = (
    "\u2e80-\u2fdf\u3003-\u3007\u3021-\u3029\u3038-\u303b\u3041-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
_WIDE = "\u3001\u3002\u3008-\u301f\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65“”‘’…—"
_UNSPACED = {
    "Thai": "\u0e01-\u0e3a\u0e40-\u0e4e\u0e4f-\u0e5b",
    "Laoo": "\u0e81-\u0eff",
    "Khmr": "\u1780-\u17ff",
    "Mymr": "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f",
}
_CHINESE = {"Hans", "Hant", "Hani", "Jpan"}

_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u064b-\u065f\u0670\u0900-\u0903"
    "\u093a-\u093c\u093e-\u094f\u0955-\u0957\u0962\u0963\u0981-\u0983\u09bc\u09be-\u09cd\u09d7\u09e2\u09e3"
    "\u0a01-\u0a03\u0a3c-\u0a51\u0a70\u0a71\u0a75\u0a81-\u0a83\u0abc\u0abe-\u0acd\u0ae2\u0ae3\u0afa-\u0aff"
    "\u0b01-\u0b03\u0b3c\u0b3e-\u0b57\u0b62\u0b63\u0b82\u0bbe-\u0bcd\u0bd7\u0c00-\u0c04\u0c3c\u0c3e-\u0c56"
    "\u0c62\u0c63\u0c81-\u0c83\u0cbc\u0cbe-\u0cd6\u0ce2\u0ce3\u0d00-\u0d03\u0d3b\u0d3c\u0d3e-\u0d4d\u0d57"
    "\u0d62\u0d63\u0d81-\u0d83\u0dca-\u0ddf\u0df2\u0df3\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc"
    "\u0ec8-\u0ece\u0f71-\u0f84\u102b-\u103e\u17b4-\u17d3\u20d0-\u20f0\u302a-\u302f\u3099\u309a"
)
"""Combining signs, which directly follow their letter in correct text."""
_VIRAMAS = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca"
_INDIC = {"Deva", "Beng", "Guru", "Gujr", "Orya", "Taml", "Telu", "Knda", "Mlym", "Sinh"}
_WITHOUT_MARKS = {"Latn", "Cyrl", "Grek", "Armn", "Geor"}
# Patterns begin with the blank, so that the search can skip to it; the character before it is checked by lookbehind.
_TORN_VIRAMA = re.compile(f" [ \t]*([{_VIRAMAS}])[ \t]+(?=\\w)")
_DEVANAGARI = "\u0904-\u0939\u0958-\u0961"
_NUKTA_FIRST = re.compile(f"(?<![^\\s\"'(])([{_DEVANAGARI}])[ \t]+(\u093c)[ \t]+(?=[{_DEVANAGARI}])")
"""One letter with a dot below is not a word, so the blank after the dot was inserted."""
_NUKTA_LAST = re.compile(
    f"([{_DEVANAGARI}])[ \t]+(\u093c)[ \t]+([{_DEVANAGARI}])(?![{_DEVANAGARI}{_MARKS}]| [{_MARKS}])"
)
"""A single letter after the dot was separated from a word."""
_TORN_MARK = re.compile(f" [ \t]*(?=[{_MARKS}])")

_CLOSING = re.compile(r" (?<=\S )[ \t]*([.,!?;:…)\]}”’।॥۔،؛؟、。!?]+)(?=[ \t\n\"'”’»)\]]|$)", re.MULTILINE)
_CLOSING_GUILLEMET = re.compile(r" (?<=\S )[ \t]*(»)(?=[ \t\n.,!?;:)]|$)", re.MULTILINE)
_BEFORE_PUNCTUATION = re.compile(r" (?<=\S )[ \t]*(?=[,.!?;:)])")
_OPENING = re.compile(r"(?:(?<=[\s\"'“‘])|^)([(\[{“¿¡])[ \t]+(?=\S)", re.MULTILINE)
_OPENING_GUILLEMET = re.compile(r"(?:(?<=\s)|^)(«)[ \t]+(?=\S)", re.MULTILINE)
_OPENERS = tuple(f"{opener} " for opener in "([{“¿¡")
_QUOTE = re.compile(r"\"(?:(?<=[\s(]\")|(?<=^\"))(?=[\s.,!?;:)]|$)", re.MULTILINE)
_JOINED = re.compile(r"[ \t]?@-@[ \t]?")
_MONEY = re.compile(r"(?:(?<=[\s(])|^)([$€£])[ \t]+(?=\d)", re.MULTILINE)

_ENGLISH = re.compile(
    r" (?<=\w )[ \t]*(?:(n['’]t|['’](?:s|re|ve|ll|d|m|S|RE|VE|LL|D|M))(?!\w)|(['’])[ \t]+(?=(?:s|re|ve|ll|d|m|t)\b))"
)
_ELIDED = re.compile(
    r"(?<!\w)((?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu|quelqu|presqu|entr|aujourd)['’])[ \t]+(?=\w)", re.IGNORECASE
)
_ITALIAN = re.compile(
    r"(?<!\w)((?:[cdlmnstv]|un|gl|all|dall|dell|nell|sull|coll|quest|quell|nessun|cos|dov|com|anch|tutt|bell|sant)['’])"
    r"[ \t]+(?=[aeiouhàèéìòùAEIOUH])"
)
_CATALAN = re.compile(r"(?<!\w)([dlmnst]['’])[ \t]+(?=\w)", re.IGNORECASE)
_TURKISH = re.compile(
    r"(?<=\w)[ \t]?(['’])[ \t]+"
    r"(?=(?:[dt][ae]n?|[dt]eki|[dt]aki|n?[ıiuü]n|[yn]?[ae]|[yn]?[ıiuü]|yl[ae]|l[ae]r\w*|s[ıiuü])\b)"
)
_APART = ("' ", "’ ", " '", " ’", " n'", " n’")
_CLITICS = {"eng": _ENGLISH, "fra": _ELIDED, "ita": _ITALIAN, "cat": _CATALAN, "tur": _TURKISH}


def detokenized(text: str, lang: str) -> str:
    """Remove the blanks that a tokenizer inserted into a text.

    Args:
        text: tokenized text; other text hardly changes, since a blank before a comma is rare in it.
        lang: language tag, as `deu-Latn`; selects the rules.

    >>> detokenized("Wird er es ausführen ?", "deu-Latn"), detokenized("Qu' en sais -tu ?", "fra-Latn")
    ('Wird er es ausführen?', "Qu'en sais -tu?")
    >>> detokenized("स ् तर", "hin-Deva"), detokenized("桥 在 昨天 开放 .", "zho-Hans")
    ('स्तर', '桥在昨天开放.')

    """
    language, _, script = lang.partition("-")
    if script in _CHINESE:
        # Blanks between Chinese characters show a tokenized text; in other texts, blanks around Latin words stay.
        if not _without_blanks(_HAN, _HAN).search(text):
            return text
        text = _without_blanks(_HAN + _WIDE, _HAN + _WIDE + "0-9A-Za-z.,!?;:%()").sub("", text)
        return _BEFORE_PUNCTUATION.sub("", text)
    if script in _INDIC:
        text = _TORN_VIRAMA.sub(r"\1", text)
        if "\u093c" in text:
            text = _NUKTA_LAST.sub(r"\1\2\3", _NUKTA_FIRST.sub(r"\1\2", text))
    if script not in _WITHOUT_MARKS:
        text = _TORN_MARK.sub("", text)
    text = _around_punctuation(text, french=language == "fra")
    if language in _CLITICS and any(clitic in text for clitic in _APART):
        text = _CLITICS[language].sub(lambda match: match[1] or match[2], text)
    if script in _UNSPACED:
        letters = _UNSPACED[script]
        text = _without_blanks(letters, letters).sub("", text)
    return text


def _around_punctuation(text: str, *, french: bool) -> str:
    """Remove blanks before closing punctuation and after opening punctuation."""
    if "@-@" in text:
        text = _JOINED.sub("-", text)
    if '"' in text:
        text = _quotes(text)
    text = _CLOSING.sub(r"\1", text)
    if any(opener in text for opener in _OPENERS):
        text = _OPENING.sub(r"\1", text)
    if ("«" in text or "»" in text) and not french:  # French uses blanks inside quotation marks
        text = _OPENING_GUILLEMET.sub(r"\1", _CLOSING_GUILLEMET.sub(r"\1", text))
    if "$ " in text or "€ " in text or "£ " in text:
        text = _MONEY.sub(r"\1", text)
    return text


@cache
def _without_blanks(inside: str, beside: str) -> re.Pattern[str]:
    """Return a pattern for blanks with a character of `inside` on one side and one of `beside` on the other."""
    return re.compile(f" (?:(?<=[{inside}] )[ \t]*(?=[{beside}])|(?<=[{beside}] )[ \t]*(?=[{inside}]))")


def _quotes(text: str) -> str:
    """Remove the blanks inside pairs of isolated straight quotes; a text with unpaired quotes stays unchanged."""
    quotes = list(_QUOTE.finditer(text))
    if not quotes or len(quotes) % 2 or text.count('"') != len(quotes):
        return text
    pieces, last = [], 0
    for number, quote in enumerate(quotes):
        before = text[last : quote.start()]
        if number % 2:
            before = before.rstrip(" \t")
        pieces += [before.lstrip(" \t") if number % 2 else before, '"']
        last = quote.end()
    return "".join([*pieces, text[last:]])
