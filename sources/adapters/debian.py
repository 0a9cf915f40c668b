"""Debian package descriptions: the one-line synopsis is the query, the long description the positive.

The adapters for package descriptions share the function `described`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import is_blank
from sources.drafting import Drafts
from sources.parts import Context

PER_FILE = False

_WRAPPED = re.compile(r"^(?! )(.+)\n(?=[^\s])", re.MULTILINE)
"""A line of running text that continues on the next line; lines that start with a space are preformatted."""
_WITHOUT_SPACES = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef]) (?=[\u3000-\u9fff\uff00-\uffef])")
"""A space between two Chinese or Japanese characters, which comes from a line break and is removed."""
_PLACEHOLDER = "<trans>"
"""Placeholder of the translation server for an untranslated paragraph."""


class Args(Section):
    """Arguments of the adapter."""

    text: str
    """Field of the table `descriptions` that holds the text (`Description-de`)."""
    english: str | None = None
    """Field of the table `english`, to detect untranslated texts; null if the texts are English."""


@dataclass(frozen=True, slots=True)
class Description:
    """One package description in one language, with its file and record number."""

    file: str
    record: int
    package: str
    md5: str
    """MD5 of the English description, the key of its translations."""
    title: str
    body: str


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each description."""
    rows = Drafts(context)
    for item in described(context, args):
        rows.add(item.title, item.body, file=item.file, record=item.record)
        yield from rows.full()
    yield from rows.rest()


def described(
    context: Context, args: Args, *, admit: Callable[[str, str], bool] = lambda _package, _md5: True
) -> Iterator[Description]:
    """Yield the descriptions in the language of the subset, each text once.

    Filtered: repeated descriptions (several versions of a package, several packages with the same text), descriptions
    without a long part, and untranslated or partly translated ones. Quarantined: paragraphs that lack a field.

    Args:
        context: of the subset.
        args: of the adapter.
        admit: called with package name and MD5; packages for which it returns False are filtered (`no-class`).

    """
    english = _english(context, args)
    seen: set[str | tuple[str, str]] = set()
    for batch in context.read("descriptions"):
        columns = (batch.columns[name].to_pylist() for name in ("Package", "Description-md5", args.text))
        for record, package, md5, text in zip(batch.records.to_pylist(), *columns, strict=True):
            if not (package and md5 and text):
                context.quarantine.add(batch.file, record, "missing-field", package or text or "")
                continue
            if md5 in seen or not admit(package, md5):
                context.filtered["repeated-description" if md5 in seen else "no-class"] += 1
                continue
            title, body = split(text)
            if (title, body) in seen:
                context.filtered["repeated-description"] += 1
            elif is_blank(title) or is_blank(body):
                context.filtered["no-long-description"] += 1
            elif _PLACEHOLDER in text or body == split(english.get(md5, ""))[1]:
                context.filtered["untranslated"] += 1
            else:
                seen.update((md5, (title, body)))
                yield Description(batch.file, record, package, md5, title, body)


def _english(context: Context, args: Args) -> dict[str, str]:
    """Return MD5 → English description."""
    texts: dict[str, str] = {}
    if args.english not in (None, args.text):
        for batch in context.read("english"):
            columns = (batch.columns[name].to_pylist() for name in ("Description-md5", args.english))
            texts.update((md5, text) for md5, text in zip(*columns, strict=True) if md5 and text)
    return texts


def split(text: str) -> tuple[str, str]:
    r"""Split a description into synopsis and long description, and unwrap its running text.

    >>> split("audio editor\nRecords and\nplays.\n\n * fast\n * small")
    ('audio editor', 'Records and plays.\n\n * fast\n * small')

    """
    title, _, body = text.partition("\n")
    return title.strip(), _WITHOUT_SPACES.sub("", _WRAPPED.sub(r"\1 ", body)).strip()
