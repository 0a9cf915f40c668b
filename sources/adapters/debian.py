"""Package descriptions: the one-line synopsis asks, the long description answers.

`described` is what the adapters over package descriptions share.
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
"""A line of running text that goes on in the next one; lines that start with a space are kept as they are."""
_WITHOUT_SPACES = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef]) (?=[\u3000-\u9fff\uff00-\uffef])")
"""Between two Chinese or Japanese characters: a line break there stands for nothing."""
_PLACEHOLDER = "<trans>"
"""What the translation server writes for a paragraph that nobody has translated."""


class Args(Section):
    """Arguments of the adapter."""

    text: str
    """Field of the table `descriptions` with the text (`Description-de`)."""
    english: str | None = None
    """Field of the table `english` to compare with; null where the texts are the English ones."""


@dataclass(frozen=True, slots=True)
class Description:
    """One description in one language, and where it stands."""

    file: str
    record: int
    package: str
    md5: str
    """Of the English description: the same in all languages."""
    title: str
    body: str


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield a row a description."""
    rows = Drafts(context)
    for item in described(context, args):
        rows.add(item.title, item.body, file=item.file, record=item.record)
        yield from rows.full()
    yield from rows.rest()


def described(
    context: Context, args: Args, *, admit: Callable[[str, str], bool] = lambda _package, _md5: True
) -> Iterator[Description]:
    """Yield the descriptions of the subset's language, each text once, of packages that `admit` lets in.

    Filtered: repeated descriptions (several versions of a package, several packages with one text), those without
    a long part, and those left in English or partly untranslated. Quarantined: paragraphs without the fields.
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
    """Return the English texts by md5."""
    texts: dict[str, str] = {}
    if args.english not in (None, args.text):
        for batch in context.read("english"):
            columns = (batch.columns[name].to_pylist() for name in ("Description-md5", args.english))
            texts.update((md5, text) for md5, text in zip(*columns, strict=True) if md5 and text)
    return texts


def split(text: str) -> tuple[str, str]:
    r"""Return synopsis and long description, running text unwrapped.

    >>> split("audio editor\nRecords and\nplays.\n\n * fast\n * small")
    ('audio editor', 'Records and plays.\n\n * fast\n * small')

    """
    title, _, body = text.partition("\n")
    return title.strip(), _WITHOUT_SPACES.sub("", _WRAPPED.sub(r"\1 ", body)).strip()
