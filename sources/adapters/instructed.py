"""Rows whose query holds its instruction, as `Instruct: …`, a line end and `Query: …`; several positives and negatives.

The instruction is taken off, for a mix adds the one of the manifest. KaLM-Embedding's fine-tuning data are written so.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from open_ml_embed.core.section import Section
from open_ml_embed.core.text.instructed import split_instructed
from sources.parts import Context
from sources.shapes.fields import as_text, batches, column, draft
from sources.shapes.pair import first_of, listed

PER_FILE = True


class Args(Section):
    """Columns."""

    query: str = "query"
    """Column of the query, with its instruction or without."""
    positives: str = "pos"
    """List column; its first text is the positive."""
    negatives: str = "neg"
    """List column."""
    max_negatives: int = Field(default=24, ge=0)
    """Most given negatives of a row."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each record: the query without its instruction, and the first positive.

    The other positives are left out, and never become negatives of their query: a text that is both is dropped from the
    negatives.
    """
    for batch in batches(context):
        whole = as_text(column(batch.columns, args.query))
        instruction, bare = split_instructed(whole)
        query = pc.if_else(instruction.is_valid(), bare, whole)
        positives = column(batch.columns, args.positives).cast(pa.list_(pa.string()))
        yield draft(
            context,
            batch,
            query=query,
            positive=first_of(positives),
            negatives=_without(listed(batch.columns, [args.negatives]), positives, args.max_negatives),
        )


def _without(negatives: pa.ListArray | None, positives: pa.ListArray, most: int) -> pa.ListArray:
    assert negatives is not None, "there is a column of negatives"
    kept = [
        [text for text in texts if text not in set(own or ())][:most]
        for texts, own in zip(negatives.to_pylist(), positives.to_pylist(), strict=True)
    ]
    return pa.array(kept, pa.list_(pa.string()))
