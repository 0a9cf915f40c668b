"""Documents of a corpus that negatives are mined from: rows without a query, which are no samples."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import blank
from sources.parts import Context
from sources.shapes.fields import as_text, batches, column, draft, joined

PER_FILE = True


class Args(Section):
    """Columns of the texts."""

    title: str | None = None
    """Column of the title, which comes before the text on a line of its own; null: there is none."""
    text: list[str]
    """Columns that may hold the text; the first that is not blank does."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each document, with an empty query."""
    for batch in batches(context):
        body = pa.nulls(batch.columns.num_rows, pa.string())
        for name in args.text:
            found = as_text(column(batch.columns, name))
            body = pc.coalesce(body, pc.if_else(blank(found), pa.scalar(None, pa.string()), found))
        pieces = [body] if args.title is None else [as_text(column(batch.columns, args.title)), body]
        nothing = pa.repeat(pa.scalar(""), batch.columns.num_rows)
        # a title alone is no document
        positive = pc.if_else(body.is_valid(), joined(pieces, "\n"), pa.scalar(None, pa.string()))
        yield draft(context, batch, query=nothing, positive=positive)
