"""Bitext: the same text in two languages; each subset is one direction."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from open_ml_embed.core.section import Section
from sources.manifest import TextExpr
from sources.parts import Context
from sources.shapes.fields import batches, draft, kept, text

PER_FILE = True


class Args(Section):
    """Columns of the two texts."""

    query: TextExpr
    """Column of the text that becomes the query."""
    positive: TextExpr
    """Column of its translation."""
    limit: int | None = Field(default=None, ge=1)
    """Most rows of a file, since parallel corpora are far larger than their share of any mix."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each record; untranslated texts (numbers, document symbols, names) are filtered."""
    left = args.limit
    for whole in batches(context):
        query, positive = text(whole.columns, args.query), text(whole.columns, args.positive)
        differs = pc.fill_null(pc.not_equal(query, positive), fill_value=True)
        batch = kept(whole, differs)
        rows = draft(context, batch, query=query.filter(differs), positive=positive.filter(differs))
        if left is not None:
            admitted = rows.slice(0, left)
            left -= admitted.num_rows
            if left == 0 and admitted.num_rows:
                # Count only up to the record of the last row, so that the count does not depend on batch sizes.
                last = admitted["record"][-1].as_py()
                seen = pc.less_equal(whole.records, last)
                differs = differs.filter(seen)
                context.beyond_limit += seen.false_count
            rows = admitted
        if untranslated := len(differs) - differs.true_count:
            context.filtered["untranslated"] += untranslated
        yield rows
        if left == 0:
            return
