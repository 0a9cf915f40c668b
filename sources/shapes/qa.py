"""Question answering: a question and the context that answers it, flat or nested (a context with many questions)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.section import Section
from sources.manifest import TextExpr
from sources.parts import Context, RawBatch
from sources.shapes.fields import batches, column, draft, kept, taken, text

PER_FILE = True


class Args(Section):
    """Columns of the question and its context."""

    question: TextExpr = "question"
    """Column of the question."""
    context: TextExpr = "context"
    """Column of the passage that answers it."""
    each: str | None = None
    """List column of structs, each of which makes a row; `question` and `skip` are fields of it (SQuAD's `qas`)."""
    skip: str | None = None
    """Boolean field that is true if the context has no answer (`is_impossible`); such records are filtered."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each question: the question is the query, its context the positive."""
    for whole in batches(context):
        batch = whole if args.each is None else exploded(whole, args.each)
        if args.skip:
            unanswered = pc.fill_null(column(batch.columns, args.skip).cast(pa.bool_()), fill_value=False)
            if unanswered.true_count:
                context.filtered["no-answer"] += unanswered.true_count
            batch = kept(batch, pc.invert(unanswered))
        yield draft(
            context,
            batch,
            query=text(batch.columns, args.question),
            positive=text(batch.columns, args.context),
        )


def exploded(batch: RawBatch, each: str) -> RawBatch:
    """Repeat each record for every element of a list of structs, and add the fields of the structs as columns."""
    lists = column(batch.columns, each)
    if pa.types.is_null(lists.type) or pa.types.is_null(lists.type.value_type):
        return taken(batch, np.empty(0, np.int64))
    out = taken(batch, pc.list_parent_indices(lists))
    structs = pc.list_flatten(lists)
    columns = out.columns.drop_columns([each]) if each in out.columns.column_names else out.columns
    for field in structs.type:
        if field.name in columns.column_names:
            columns = columns.drop_columns([field.name])
        columns = columns.append_column(field.name, pc.struct_field(structs, field.name))
    return RawBatch(columns, out.file, out.records)
