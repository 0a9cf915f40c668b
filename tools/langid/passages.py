"""Turns passages of any source into the rows of a domain: cut, filtered, labeled, deduplicated, capped, split.

The result does not depend on the order of the passages: the same packages give the same file.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import xxhash

from curation.langid.scripts import COMMON, scripts_of
from sources.languages import LanguageCodeError
from tools.langid.labels import BY_SCRIPT, han_script, language, likely_script, stated_script

SCHEMA = pa.schema([pa.field(name, pa.string()) for name in ("text", "label", "document", "split", "code")])
"""`code` is the language code of the source; `document` is the unit that belongs to one split as a whole."""

_HELD_OUT = 0.1
_COMPACT = ("Hans", "Hant", "Jpan", "Kore", "Thai", "Laoo", "Khmr", "Mymr", "Tibt")
"""Scripts without spaces or with one character per syllable, whose characters count twice for the length of a text."""
_SHARED_BY = 4
"""A text that occurs in so many languages is a name, or is untranslated."""
_ENGLISH_LEXICON = ["eng", "sco", "enm", "ang", "aae", "jam", "pcm", "tpi", "bis", "pih", "gpe", "kri", "srn", "hwc"]
_ENGLISH_WORD = (
    r"(?i)\b(?:the|of|and|you|this|that|with|your|from|are|has|have|been|will|which|for|was|not|can|page|file)\b"
)


class Passage(NamedTuple):
    """A text from a reader.

    Attributes:
        text: without markup of its source.
        code: language code of the source.
        document: `project/name` of its document; translations of a text share it.

    """

    text: str
    code: str
    document: str


@dataclass(frozen=True)
class Limits:
    """Filters and caps of the rows.

    Attributes:
        most_rows: most rows of a label in a domain.
        shortest: least characters; half as many in scripts that write a syllable or a word with one character.
        longest: most characters; longer texts are cut between sentences, or between words.
        letters: least share of letters and marks among the characters other than spaces.
        foreign: largest share of Latin letters in a text whose main script is another one, and the reverse.
        usual: least share of a code's texts in a script that is not its likely one, for that script to be accepted.
        fewest: least number of such texts.

    """

    most_rows: int = 6000
    shortest: int = 12
    longest: int = 400
    letters: float = 0.6
    foreign: float = 0.3
    usual: float = 0.3
    fewest: int = 10


def by_hash(document: str) -> bool:
    """Tell whether a document is held out: one in ten, by a hash of its name."""
    return _hash(document) < _HELD_OUT * 2**64


def rows(
    passages: Iterable[Passage], limits: Limits, held_out: Callable[[str], bool] = by_hash
) -> tuple[pa.Table, dict[str, int]]:
    """Make the rows of one domain.

    Args:
        passages: of all languages, including the English source texts, if there are any.
        limits: filters and caps.
        held_out: document → whether it belongs to the test split.

    Returns:
        (table with `SCHEMA`, sorted by label, split, document and text; reason → number of texts left out).

    """
    cut = (
        (piece, passage.code, passage.document)
        for passage in passages
        for piece in pieces(passage.text, limits.longest)
    )
    frame = pl.DataFrame(list(cut), schema={"text": pl.String, "code": pl.String, "document": pl.String}, orient="row")
    lost: dict[str, int] = {}

    def keep(reason: str, condition: pl.Expr) -> None:
        nonlocal frame
        before = frame.height
        frame = frame.filter(condition)
        lost[reason] = before - frame.height

    codes = {code: _language(code) for code in frame["code"].unique()}
    frame = frame.with_columns(language=pl.col("code").replace_strict(codes, return_dtype=pl.String))
    keep("no-single-language", pl.col("language").is_not_null())
    solid = pl.col("text").str.count_matches(r"\S")
    letters = pl.col("text").str.count_matches(r"[\p{L}\p{M}]")
    keep("not-language", (letters >= limits.letters * solid) & (letters > 0))
    frame = frame.with_columns(key=pl.col("text").str.to_lowercase())
    english = frame.filter(pl.col("language") == "eng")["key"].unique().implode()
    keep("untranslated", (pl.col("language") == "eng") | ~pl.col("key").is_in(english))
    keep("shared", pl.col("language").n_unique().over("key") < _SHARED_BY)
    words = pl.col("text").str.count_matches(r"\S+")
    hits = pl.col("text").str.count_matches(_ENGLISH_WORD)
    keep("english", pl.col("language").is_in(_ENGLISH_LEXICON) | (hits < 3) | (hits * 4 < words))
    frame = _with_scripts(frame)
    latin = pl.col("text").str.count_matches(r"\p{Latin}") / letters
    main_share = pl.when(pl.col("script") == "Latn").then(latin).otherwise(1 - latin)
    keep("mixed-script", main_share >= 1 - limits.foreign)
    keep("wrong-script", _usual_script(frame, limits))
    length = pl.col("text").str.len_chars() * pl.when(pl.col("script").is_in(_COMPACT)).then(2).otherwise(1)
    keep("short", length >= limits.shortest)
    documents = frame["document"].unique()
    splits = {name: "test" if held_out(name) else "train" for name in documents}
    label = pl.concat_str("language", pl.lit("-"), "script")
    frame = frame.with_columns(label=label.replace(BY_SCRIPT), split=pl.col("document").replace_strict(splits))
    hashes = {name: _hash(name, 1) for name in documents}  # another seed: the cap is independent of the split
    frame = frame.with_columns(order=pl.col("document").replace_strict(hashes, return_dtype=pl.UInt64))
    frame = frame.sort("label", pl.col("split") == "test", "order", "document", "text", "code")
    keep("repeated", pl.struct("label", "key").is_first_distinct())
    frame = frame.sort("label", "order", "document", "text", "code")
    keep("over-the-cap", pl.int_range(pl.len()).over("label") < limits.most_rows)
    frame = frame.sort("label", "split", "document", "text", "code").select(SCHEMA.names)
    return frame.to_arrow().cast(SCHEMA), lost


def _language(code: str) -> str | None:
    try:
        return language(code)
    except LanguageCodeError:
        return None


def _with_scripts(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the column `script`; Han becomes Hans or Hant, by the code if it states one, else by the characters."""
    scripts: list[str] = scripts_of(frame["text"].to_arrow().cast(pa.string())).to_pylist()
    for row, (script, text, code) in enumerate(zip(scripts, frame["text"], frame["code"], strict=True)):
        if script == "Hani":
            stated, likely = stated_script(code), likely_script(code)
            if stated in ("Hans", "Hant"):
                scripts[row] = stated
            elif likely not in ("Jpan", "Kore"):
                scripts[row] = han_script(text, likely if likely in ("Hans", "Hant") else "Hans")
    return frame.with_columns(script=pl.Series(scripts, dtype=pl.String))


def _usual_script(frame: pl.DataFrame, limits: Limits) -> pl.Expr:
    """Return whether a text is in the script that its code states, or else in its likely or another usual script."""
    codes = frame["code"].unique()
    stated = pl.col("code").replace_strict({code: stated_script(code) for code in codes}, return_dtype=pl.String)
    likely = pl.col("code").replace_strict({code: likely_script(code) for code in codes}, return_dtype=pl.String)
    script, count = pl.col("script"), pl.len().over("code", "script")
    usual = (count >= limits.usual * pl.len().over("code")) & (count >= limits.fewest)
    usual = (
        pl.when(stated.is_not_null())
        .then(script == stated)
        .otherwise((script == likely).fill_null(value=False) | usual)
    )
    return usual & (script != COMMON)


def _hash(document: str, seed: int = 0) -> int:
    return xxhash.xxh3_64_intdigest(document.encode(), seed)


_SENTENCE_END = re.compile(r"[.!?…。！？।॥։؟۔။៕]+[\"'”’»)\]]*(?=\s|[\u3000-\u9fff])\s*")
_SPACES = re.compile(r"\s+")
_MARKUP = re.compile(r"<[^<>]{1,200}>|(?:https?:|www\.|ftp:)\S+|\S+@\S+\.\w+")
_HOLE = re.compile(
    r"%(?:\([\w .-]+\))?(?:\d+\$)?[-+#0]*[\d.]*(?:l{0,2}[diuxf]|[sdiucfgxSL1-9])(?!\w)"
    r"|\$\{?\w+\}?|\{\{?[\w.:!|,-]*\}?\}|@\w+@|%\w+%|\[\w+\]"
)
_MNEMONIC = re.compile(r"(?<!\w)[_~&](?=\w)|(?<=\w)[~&](?=\w)|\([_~&]?[A-Z]\)|\(\s*\)|[\u200e\u200f\u202a-\u202e]")
_MOST_HOLES = 2


def plain(message: str) -> str | None:
    r"""Return the natural-language text of a catalog message, or None if too little remains.

    Tags, URLs, parameters and marks of shortcut keys are removed. The result is None if there are more than two
    parameters, or if less than half of the length remains.

    >>> plain("Could not open <b>%(file)s</b>:\\nit is _locked &mdash; try again."), plain("%s %s (%d)")
    ('Could not open : it is locked — try again.', None)

    """
    whole = len(message)
    text = html.unescape(_MARKUP.sub(" ", message.replace("\\n", " ").replace("\\t", " ")))
    text, holes = _HOLE.subn(" ", text)
    text = _SPACES.sub(" ", _MNEMONIC.sub("", text)).strip(" -–—:;,|/*=#\"'")
    return text if text and holes <= _MOST_HOLES and 2 * len(text) >= whole else None


def pieces(text: str, longest: int) -> list[str]:
    """Collapse the white space of a text and cut it into pieces of at most `longest` characters, between sentences if
    possible.

    >>> pieces("One.  Two three. Four", 12), pieces("abcdefgh", 5)
    (['One.', 'Two three.', 'Four'], ['abcde', 'fgh'])

    """
    rest = _SPACES.sub(" ", text).strip()
    result = []
    while len(rest) > longest:
        ends = [match.end() for match in _SENTENCE_END.finditer(rest, 0, longest + 1) if match.end() <= longest]
        end = ends[-1] if ends and ends[-1] > longest // 3 else rest.rfind(" ", 1, longest + 1)
        end = end if end > 0 else longest
        result.append(rest[:end].strip())
        rest = rest[end:].strip()
    return [*result, rest] if rest else result
