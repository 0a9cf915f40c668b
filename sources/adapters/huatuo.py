"""Huatuo question files: questions and answers are lists of texts, in one dataset lists of lists of paraphrases."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.section import Section
from sources.parts import Context
from sources.shapes.fields import batches, column, draft
from sources.shapes.pair import first_of

PER_FILE = True


class Args(Section):
    """Arguments of the adapter."""

    questions: str = "questions"
    """Column of the questions."""
    answers: str = "answers"
    """Column of the answers."""
    separator: str | None = None
    """Text between the answers, which are joined to one; null: only the first answer is used."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each record: its first question, and its answer."""
    for batch in batches(context):
        answers = flat(column(batch.columns, args.answers))
        whole = first_of(answers) if args.separator is None else pc.binary_join(answers, args.separator)
        query = first_of(flat(column(batch.columns, args.questions)))
        yield draft(context, batch, query=query, positive=whole)


def flat(nested: pa.Array) -> pa.ListArray:
    """Return one list of texts for each record of a column of texts, lists of texts, or lists of lists.

    >>> flat(pa.array([[["a", "b"], ["c"]], [["d"]], None])).to_pylist()
    [['a', 'b', 'c'], ['d'], []]
    """
    if not pa.types.is_list(nested.type):
        return pa.ListArray.from_arrays(pa.array(np.arange(len(nested) + 1, dtype=np.int32)), nested.cast(pa.string()))
    offsets, values = nested.offsets, nested.values
    while pa.types.is_list(values.type):
        offsets, values = values.offsets.take(offsets), values.values
    return pa.ListArray.from_arrays(offsets, values.cast(pa.string()))
