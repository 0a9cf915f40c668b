"""From passages of any source to the rows of a domain: cut, filtered, labeled, deduplicated, capped, split.

Every step depends on the passages alone, not on their order: the same packages make the same file.
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
"""`code` is the source's own; `document` holds what must not be torn between train and test."""

_HELD_OUT = 0.1
_COMPACT = ("Hans", "Hant", "Jpan", "Kore", "Thai", "Laoo", "Khmr", "Mymr", "Tibt")
"""Scripts without spaces or with a syllable a character: six characters say what twelve say elsewhere."""
_SHARED_BY = 4
"""A text that stands under so many languages is a name, or untranslated."""
_ENGLISH_LEXICON = ["eng", "sco", "enm", "ang", "aae", "jam", "pcm", "tpi", "bis", "pih", "gpe", "kri", "srn", "hwc"]
_ENGLISH_WORD = (
    r"(?i)\b(?:the|of|and|you|this|that|with|your|from|are|has|have|been|will|which|for|was|not|can|page|file)\b"
)


class Passage(NamedTuple):
    """A text as a reader yields it.

    Attributes:
        text: free of its source's markup.
        code: the source's own language code.
        document: `project/name` of what it stands in; translations of each other share it.

    """

    text: str
    code: str
    document: str


@dataclass(frozen=True)
class Limits:
    """What a row is.

    Attributes:
        most_rows: rows a label has at most, in a domain.
        shortest: characters; half as many in scripts that write a syllable or a word with one.
        longest: characters; longer texts are cut between sentences, or words.
        letters: share of the characters other than spaces that are letters or marks, at least.
        foreign: share of Latin letters, at most, in a text whose commonest script is another, and the reverse.
        usual: share of a code's texts from which a script other than its likely one counts as its own.
        fewest: texts in such a script, at least.

    """

    most_rows: int = 6000
    shortest: int = 12
    longest: int = 400
    letters: float = 0.6
    foreign: float = 0.3
    usual: float = 0.3
    fewest: int = 10


def by_hash(document: str) -> bool:
    """Tell whether a document is held out: one in ten, by its name alone."""
    return _hash(document) < _HELD_OUT * 2**64


def rows(
    passages: Iterable[Passage], limits: Limits, held_out: Callable[[str], bool] = by_hash
) -> tuple[pa.Table, dict[str, int]]:
    """Make the rows of one domain.

    Args:
        passages: of all languages, English among them where there is a source text.
        limits: what a row is.
        held_out: document → whether it goes to the test half.

    Returns:
        A table with `SCHEMA`, sorted by label, split, document and text; and what was left out, by reason.

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
    own = pl.when(pl.col("script") == "Latn").then(latin).otherwise(1 - latin)
    keep("mixed-script", own >= 1 - limits.foreign)
    keep("wrong-script", _usual_script(frame, limits))
    length = pl.col("text").str.len_chars() * pl.when(pl.col("script").is_in(_COMPACT)).then(2).otherwise(1)
    keep("short", length >= limits.shortest)
    documents = frame["document"].unique()
    splits = {name: "test" if held_out(name) else "train" for name in documents}
    told = pl.concat_str("language", pl.lit("-"), "script")
    frame = frame.with_columns(label=told.replace(BY_SCRIPT), split=pl.col("document").replace_strict(splits))
    hashes = {name: _hash(name, 1) for name in documents}  # what is kept has nothing to do with what is held out
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
    """Add `script`; Han is told into Hans and Hant by the code where it says so, else by the characters."""
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
    """Return where a text is in the script its code states, or else in its likely one or in one with a share."""
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
    r"""Return the language in a catalog's message, or null where there is too little.

    Tags, addresses, parameters and marks of shortcut keys go; more than two parameters, or less than half left, make it
    null.

    >>> plain("Could not open <b>%(file)s</b>:\\nit is _locked &mdash; try again."), plain("%s %s (%d)")
    ('Could not open : it is locked — try again.', None)

    """
    whole = len(message)
    text = html.unescape(_MARKUP.sub(" ", message.replace("\\n", " ").replace("\\t", " ")))
    text, holes = _HOLE.subn(" ", text)
    text = _SPACES.sub(" ", _MNEMONIC.sub("", text)).strip(" -–—:;,|/*=#\"'")
    return text if text and holes <= _MOST_HOLES and 2 * len(text) >= whole else None


def pieces(text: str, longest: int) -> list[str]:
    """Cut a text, spaces evened, into pieces of at most `longest` characters, between sentences where possible.

    >>> pieces("One.  Two three. Four", 12), pieces("abcdefgh", 5)
    (['One.', 'Two three.', 'Four'], ['abcde', 'fgh'])

    """
    rest = _SPACES.sub(" ", text).strip()
    found = []
    while len(rest) > longest:
        ends = [match.end() for match in _SENTENCE_END.finditer(rest, 0, longest + 1) if match.end() <= longest]
        end = ends[-1] if ends and ends[-1] > longest // 3 else rest.rfind(" ", 1, longest + 1)
        end = end if end > 0 else longest
        found.append(rest[:end].strip())
        rest = rest[end:].strip()
    return [*found, rest] if rest else found
