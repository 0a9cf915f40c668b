"""Answers that contain Python code: the task is the query, the code the positive, if it parses."""

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
"""If so many answers contain no Python at all, the manifest is assumed to name the wrong columns."""


class Args(Section):
    """Columns of the texts."""

    query: TextExpr
    """Column of the question."""
    answers: list[str] = Field(min_length=1)
    """Columns that may hold the code; the first one with code that parses is used."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each record whose answer has Python code that parses; other records are filtered.

    Raises:
        SchemaError: none of the first 100 answers of a file, or more, has such code.

    """
    answered = parsed = 0
    for batch in batches(context):
        columns = [text(batch.columns, name).to_pylist() for name in args.answers]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as invalid escapes ("\d") in the answers
            codes = pa.array([_first_python(answers) for answers in zip(*columns, strict=True)], pa.string())
        answered += sum(any(answers) for answers in zip(*columns, strict=True))
        parsed += len(codes) - codes.null_count
        if parsed == 0 and answered >= _ENOUGH:
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
    r"""Return the content of the last fenced block in one of these languages; without one, the whole answer.

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
