"""Answers that hold Python, bare or in a fenced block: the task is the query, the code that parses the positive."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

import pyarrow as pa
from pydantic import Field

from open_ml_embed.core.errors import SchemaError
from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import is_blank
from sources.manifest import TextExpr
from sources.parts import Context
from sources.shapes.fields import batches, draft, kept, text

PER_FILE = True

_BLOCK = re.compile(r"^[ \t]*```[ \t]*([\w+#.-]*)[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
_PYTHON = frozenset(("", "py", "python", "python3"))
_ENOUGH = 100
"""Answers after which a file without any Python is taken to have other columns than stated."""


class Args(Section):
    """Where the texts are."""

    query: TextExpr
    answers: list[str] = Field(min_length=1)
    """Columns that may hold the code; the first one that does is taken."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row a record whose answer has Python that parses; the others are filtered."""
    answered = found = 0
    for batch in batches(context):
        columns = [text(batch.columns, name).to_pylist() for name in args.answers]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in somebody's string is no business of ours
            codes = pa.array([_first_python(answers) for answers in zip(*columns, strict=True)], pa.string())
        answered += sum(any(answers) for answers in zip(*columns, strict=True))
        found += len(codes) - codes.null_count
        if found == 0 and answered >= _ENOUGH:
            raise SchemaError(
                f"none of {answered} answers has Python that parses; looked in: {', '.join(args.answers)}",
                where=batch.file,
                remedy="name the columns that hold the code in the manifest, or pin the revision that has these",
            )
        if codes.null_count:
            context.filtered["no-python"] += codes.null_count
        good = codes.is_valid()
        query = text(batch.columns, args.query).filter(good)
        yield draft(context, kept(batch, good), query=query, positive=codes.filter(good))


def _first_python(answers: tuple[str | None, ...]) -> str | None:
    return next((code for answer in answers if answer and _parses(code := last_block(answer, _PYTHON))), None)


def last_block(answer: str, languages: frozenset[str]) -> str:
    r"""Return what the last fenced block of one of these languages holds; without one, the answer as it is.

    >>> last_block("Like this:\n```python\nx = 1\n```\nDone.", frozenset({"python"}))
    'x = 1\n'
    >>> last_block("x = 1", frozenset({"python"}))
    'x = 1'

    """
    blocks = [code for name, code in _BLOCK.findall(answer) if name.lower() in languages and not is_blank(code)]
    return blocks[-1] if blocks else answer


def _parses(code: str) -> bool:
    if is_blank(code):
        return False
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
