"""Documented functions: the first paragraph of the docstring is the query, the code without it the positive."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa
from pydantic import Field

from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import is_blank
from sources.drafting import Drafts
from sources.parts import Context

PER_FILE = True

_PARAGRAPH_END = re.compile(r"\n[ \t]*\n|\n[=\-~^]{3,}")
_FIELD_LIST = re.compile(r"(?:^|\n)[ \t]*(?::\w[^:\n]*:|@\w+|>>> |(?:Args|Arguments|Parameters|Returns|Raises)\b)")
"""Start of a parameter list or an example that follows a description without an empty line."""


class Args(Section):
    """Arguments of the adapter."""

    min_words: int = Field(default=3, ge=1)
    """Least number of words of a description."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each function; short descriptions and functions without code are filtered."""
    rows = Drafts(context)
    for batch in context.read("functions"):
        columns = (batch.columns[field].to_pylist() for field in ("docstring", "source"))
        for record, docstring, source in zip(batch.records.to_pylist(), *columns, strict=True):
            query = description(docstring)
            if source is None:
                context.filtered["no-code"] += 1
            elif is_blank(query) or len(query.split()) < args.min_words:
                context.filtered["short-description"] += 1
            else:
                rows.add(query, source, file=batch.file, record=record)
        yield from rows.full()
    yield from rows.rest()


def description(docstring: str) -> str:
    r"""Return the first paragraph of a docstring as one line.

    >>> description("Sum the items,\nstarting at `start`.\n\nSlow.")
    'Sum the items, starting at `start`.'

    """
    text = docstring.strip()
    for end in (_PARAGRAPH_END, _FIELD_LIST):
        match = end.search(text)
        if match:
            text = text[: match.start()]
    return " ".join(text.split())
