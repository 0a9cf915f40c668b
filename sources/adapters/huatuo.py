"""Huatuo's question files: questions and answers are lists, in one of its sets lists of lists of paraphrases."""

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
    answers: str = "answers"
    separator: str | None = None
    """Put between the answers, which are all part of one; null: the first is the answer."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row a record: its first question, and its answer."""
    for batch in batches(context):
        answers = flat(column(batch.columns, args.answers))
        whole = first_of(answers) if args.separator is None else pc.binary_join(answers, args.separator)
        query = first_of(flat(column(batch.columns, args.questions)))
        yield draft(context, batch, query=query, positive=whole)


def flat(found: pa.Array) -> pa.ListArray:
    """Return one list of texts a record, whether the column holds texts, lists of them, or lists of lists.

    >>> flat(pa.array([[["a", "b"], ["c"]], [["d"]], None])).to_pylist()
    [['a', 'b', 'c'], ['d'], []]
    """
    if not pa.types.is_list(found.type):
        return pa.ListArray.from_arrays(pa.array(np.arange(len(found) + 1, dtype=np.int32)), found.cast(pa.string()))
    offsets, values = found.offsets, found.values
    while pa.types.is_list(values.type):
        offsets, values = values.offsets.take(offsets), values.values
    return pa.ListArray.from_arrays(offsets, values.cast(pa.string()))
