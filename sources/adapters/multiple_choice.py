"""Multiple-choice questions: the positive is an explanation, or the right option; the other options are negatives.

Options are columns, one each, or one column with a list of objects (key, value) or of texts. The answer is the text of
the right option, its key, or its number. With an explanation as positive there are no negatives: an option is a word or
two, and nobody would take it for an explanation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pydantic import Field, model_validator

from open_ml_embed.core.errors import SchemaError
from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import is_blank
from sources.drafting import Drafts
from sources.parts import Context, RawBatch
from sources.shapes.fields import batches, column

PER_FILE = True


class Args(Section):
    """Columns."""

    question: str
    """Column of the question."""
    options: str | list[str]
    """The column of the list of options, or one column for each option."""
    answer: str
    """Column of the right option: its text, its key (`A`), or its number."""
    first: int = 0
    """The number that stands for the first option."""
    explanation: str | None = None
    """Column of a text that explains the answer; a record without one gets its right option as positive."""
    min_words: int = Field(default=0, ge=0)
    """Least words of an explanation; a shorter one counts as none."""

    @model_validator(mode="after")
    def _several(self) -> Args:
        if isinstance(self.options, list) and len(self.options) < 2:
            raise ValueError("`options` needs two columns or more, or the name of one with a list")
        return self


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each record; records whose answer is none of their options are quarantined.

    Raises:
        SchemaError: the column of options holds neither texts nor objects with `key` and `value`.

    """
    rows = Drafts(context)
    for batch in batches(context):
        questions = column(batch.columns, args.question).to_pylist()
        answers = column(batch.columns, args.answer).to_pylist()
        explanations = [None] * len(questions)
        if args.explanation is not None:
            explanations = column(batch.columns, args.explanation).to_pylist()
        records = batch.records.to_pylist()
        for question, answer, explanation, options, record in zip(
            questions, answers, explanations, _options(batch, args), records, strict=True
        ):
            right = _right(options, answer, args.first)
            if right is None:
                context.quarantine.add(batch.file, record, "unknown-label", f"{answer}: {question or ''}")
                continue
            text = explanation or ""
            explained = not is_blank(text) and len(text.split()) >= args.min_words
            texts = [value or "" for _, value in options]
            others = [value for place, value in enumerate(texts) if place != right and value != texts[right]]
            rows.add(
                question or "",
                text if explained else texts[right],
                negatives=() if explained else [value for value in others if not is_blank(value)],
                file=batch.file,
                record=record,
            )
            yield from rows.full()
    yield from rows.rest()


_Option = tuple[str | None, str | None]
"""Key, if it has one, and text."""


def _options(batch: RawBatch, args: Args) -> Iterator[list[_Option]]:
    """Yield the options of each record."""
    if isinstance(args.options, list):
        columns = [column(batch.columns, name).to_pylist() for name in args.options]
        for values in zip(*columns, strict=True):
            yield [(None, None if value is None else str(value)) for value in values]
        return
    for values in column(batch.columns, args.options).to_pylist():
        yield [_option(value, batch.file, args.options) for value in values or ()]


def _option(value: Any, file: str, name: str) -> _Option:
    if isinstance(value, str):
        return None, value
    if isinstance(value, dict) and {"key", "value"} <= set(value):
        return value["key"], value["value"]
    found = ", ".join(sorted(value)) if isinstance(value, dict) else type(value).__name__
    raise SchemaError(
        f"an option in {name!r} is neither a text nor an object with key and value; found: {found}",
        where=file,
        remedy="correct `options`, or pin the revision with such options",
    )


def _right(options: Sequence[_Option], answer: object, first: int) -> int | None:
    """Return the place of the right option; None if the answer is none of them."""
    if isinstance(answer, int) and not isinstance(answer, bool):
        place = answer - first
        return place if 0 <= place < len(options) else None
    for of in (0, 1):
        for place, option in enumerate(options):
            if answer is not None and option[of] == answer:
                return place
    return None
