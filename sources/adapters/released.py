"""Rows of a release in the layout of F2LLM-v2: query, passage, negatives in columns, and several sources in a file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import blank
from open_ml_embed.core.text.instructed import split_instructed
from sources.parts import Context, RawBatch
from sources.shapes.fields import as_text, batches, column, draft, kept
from sources.shapes.pair import listed

PER_FILE = True


class Args(Section):
    """What a file holds."""

    negatives: int = Field(ge=0)
    """Columns `negative_1` … `negative_n`; the fields of the table have them all."""
    first: int = Field(default=0, ge=0)
    """The first row that is of this source; earlier ones are filtered."""
    end: int | None = Field(default=None, ge=1)
    """The row after the last one that is; null: the end of the file."""
    instruction: str | None = None
    """The instruction that queries of the file carry; it is taken off. One that carries another keeps it."""

    @field_validator("end", "instruction", mode="before")
    @classmethod
    def _nothing(cls, value: object) -> object:
        return None if value == "" else value


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each record of the range that has all its negatives."""
    names = [f"negative_{i + 1}" for i in range(args.negatives)]
    for whole in batches(context):
        batch = _complete(_of_range(whole, context, args), names, context)
        query = as_text(column(batch.columns, "query"))
        if args.instruction is not None:
            found, bare = split_instructed(query)
            query = pc.if_else(pc.fill_null(pc.equal(found, args.instruction), fill_value=False), bare, query)
        yield draft(
            context,
            batch,
            query=query,
            positive=as_text(column(batch.columns, "passage")),
            negatives=listed(batch.columns, names),
        )


def _of_range(batch: RawBatch, context: Context, args: Args) -> RawBatch:
    inside = pc.greater_equal(batch.records, args.first)
    if args.end is not None:
        inside = pc.and_(inside, pc.less(batch.records, args.end))
    if inside.false_count:
        context.filtered["of-another-source"] += inside.false_count
        return kept(batch, inside)
    return batch


def _complete(batch: RawBatch, names: list[str], context: Context) -> RawBatch:
    """Quarantine the records that lack a negative, each once, with the first one that is missing as its excerpt."""
    good = np.ones(batch.columns.num_rows, bool)
    for name in names:
        texts = as_text(column(batch.columns, name))
        lacking = pc.fill_null(blank(texts), fill_value=True).to_numpy(zero_copy_only=False) & good
        for row in np.flatnonzero(lacking).tolist():
            reason = "empty-negative" if texts[row].is_valid else "null-negative"
            query = batch.columns["query"][row].as_py() or ""
            context.quarantine.add(batch.file, batch.records[row].as_py(), reason, f"{name} of: {query}")
        good &= ~lacking
    return batch if good.all() else kept(batch, pa.array(good))
