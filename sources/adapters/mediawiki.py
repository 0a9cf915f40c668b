"""MediaWiki interface messages: the English text is the query, its translation the positive.

The same rules remove markup from both texts (`cleaned`). Messages that are mostly markup are filtered.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache

import pyarrow as pa
from pydantic import Field

from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import is_blank
from sources.drafting import Drafts
from sources.parts import Context

PER_FILE = False

_CODE_PAGE = re.compile(r"\.(?:css|js|json)$")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_INNERMOST = re.compile(r"\{\{([^{}]*)\}\}")
_FORMS = re.compile(r"\s*#?(PLURAL|GENDER|GRAMMAR)\s*:([^|]*)\|?(.*)", re.DOTALL | re.IGNORECASE)
_EXPLICIT = re.compile(r"\s*\d+\s*=")
_LINK = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]")
_URL_LINK = re.compile(r"\[(?:https?:|mailto:|//|\$)\S*\s+([^\[\]]*)\]")
_URL = re.compile(r"(?:https?:)?//\S+")
_PARAMETER = re.compile(r"[\"'“”„«‹(\[]?\$\d+[\"'“”»›)\]]?")
_MARKS = re.compile(r"'{2,}|__[A-Z]+__|^[*#:;=\s]+|\s*=+$", re.MULTILINE)
_EMPTIED = re.compile(r"\(\s*\)|\[\s*\]|\"\s*\"|[\u200e\u200f]")
_DOUBLED = re.compile(r"[,;:]\s*(?=[,;:.])")
_BEFORE_POINT = re.compile(r"\s+([.,;:!?…](?:\s|$))")
_LEFTOVER = re.compile(r"\ufffc|\{\{|\}\}|\[\[|\]\]|\$\w|\{\||\|\}")
_LETTER = re.compile(r"[^\W\d_]")
_SITE = "Wiki"
_MOST_PARAMETERS = 2


class Args(Section):
    """Arguments of the adapter."""

    min_words: int = Field(default=2, ge=1)
    """Fewest words of a message."""
    min_chars: int = Field(default=8, ge=1)
    """An English message needs at least `min_words` words or `min_chars` characters."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each translated message, each pair of texts once."""
    sources = {
        (_component(batch.file), key): text
        for batch in context.read("english")
        for key, text in zip(batch.columns["key"].to_pylist(), batch.columns["value"].to_pylist(), strict=True)
    }
    rows = Drafts(context)
    seen: set[tuple[str, str]] = set()
    for batch in context.read("messages"):
        component = _component(batch.file)
        columns = (batch.columns[name].to_pylist() for name in ("key", "value"))
        for record, key, value in zip(batch.records.to_pylist(), *columns, strict=True):
            pair = _pair(key, sources.get((component, key)), value, args)
            if isinstance(pair, str):
                context.filtered[pair] += 1
            elif pair in seen:
                context.filtered["repeated-message"] += 1
            else:
                seen.add(pair)
                rows.add(*pair, file=batch.file, record=record)
    yield from rows.rest()


def _pair(key: str, source: str | None, value: str, args: Args) -> tuple[str, str] | str:
    """Return both texts cleaned, or the reason to filter them."""
    if source is None:
        return "no-english-message"
    if _CODE_PAGE.search(key):
        return "not-language"
    query, positive = _cleaned_english(source), cleaned(value)
    if query is None or positive is None:
        return "markup"
    if len(query) < args.min_chars and len(query.split()) < args.min_words:
        return "short"
    if not all(_LETTER.search(text) and not is_blank(text) for text in (query, positive)):
        return "not-language"
    return "untranslated" if query.casefold() == positive.casefold() else (query, positive)


def _component(file: str) -> str:
    """Return the folder of a message file, which it shares with the English messages of the same component."""
    return file.rpartition("!")[2].rpartition("/")[0]


def cleaned(message: str) -> str | None:
    r"""Return the natural-language text of a message, or None if it is mostly markup.

    Parameters (`$1`) are removed, with quotes or brackets around them. Of plural forms the last one is kept, of gender
    forms the first. Links are replaced by their text. Tags, emphasis, list and heading marks are removed.
    `{{SITENAME}}` becomes a name. The result is None if another template remains, if there are more than two
    parameters, or if less than a third of the length remains.

    >>> cleaned("[[Special:Log|See all]] {{PLURAL:$1|change|changes}} made by \"$2\" on <b>{{SITENAME}}</b>.")
    'See all changes made by on Wiki.'

    """
    text = message
    while "{{" in text:
        resolved = _INNERMOST.sub(_resolved, text)
        if resolved == text:
            break
        text = resolved
    whole = len(text.strip())
    if "<" in text:
        text = _TAG.sub(" ", _COMMENT.sub(" ", text))
    if "&" in text:
        text = html.unescape(text)
    if "[" in text:
        text = _URL_LINK.sub(r"\1", _LINK.sub(r"\1", text))
    if "/" in text:
        text = _URL.sub(" ", text)
    text = _MARKS.sub("", text)
    parameters = 0
    if "$" in text:
        text, parameters = _PARAMETER.subn(" ", text)
    text = _EMPTIED.sub(" ", text)
    if parameters > _MOST_PARAMETERS or _LEFTOVER.search(text):
        return None
    text = _BEFORE_POINT.sub(r"\1", " ".join(text.split()))
    text = _DOUBLED.sub("", text).strip(" -–—:,;|/")
    return text if 3 * len(text) >= whole else None


@lru_cache(maxsize=1 << 15)
def _cleaned_english(message: str) -> str | None:
    """Return what `cleaned` does: every language is paired with the same English messages."""
    return cleaned(message)


def _resolved(match: re.Match[str]) -> str:
    inner = match[1]
    if inner.strip().upper() == "SITENAME":
        return _SITE
    forms = _FORMS.match(inner)
    if forms is None:
        return "\ufffc"  # an unknown template: `cleaned` rejects the message
    kind, choices = forms[1].upper(), forms[3].split("|")
    if kind == "PLURAL":
        choices = [choice for choice in choices if not _EXPLICIT.match(choice)] or choices
        return choices[-1]
    return choices[0]
