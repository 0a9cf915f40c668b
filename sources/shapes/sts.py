"""Semantic textual similarity: two sentences and a score; close sentences are positives of each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.section import Section
from sources.manifest import TextExpr
from sources.parts import Context
from sources.shapes.fields import batches, column, draft, kept, text

PER_FILE = True


class Args(Section):
    """Columns, and the threshold for positives."""

    first: TextExpr = "sentence1"
    """Column of one text."""
    second: TextExpr = "sentence2"
    """Column of the other."""
    score: str = "score"
    """Column of the similarity."""
    threshold: float
    """Score from which a pair is used, inclusive."""
    higher_is_closer: bool = True
    """A higher score means more similar."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield two rows for each close pair, one for each direction."""
    for whole in batches(context):
        score = column(whole.columns, args.score).cast(pa.float64())
        for row in np.flatnonzero(score.is_null().to_numpy(zero_copy_only=False)):
            context.quarantine.add(whole.file, whole.records[row].as_py(), "no-score")
        compare = pc.greater_equal if args.higher_is_closer else pc.less_equal
        close = compare(score, args.threshold)
        if distant := close.false_count:
            side = "below" if args.higher_is_closer else "above"
            context.filtered[f"score-{side}-{args.threshold:g}"] += distant
        batch = kept(whole, pc.fill_null(close, fill_value=False))
        first, second = text(batch.columns, args.first), text(batch.columns, args.second)
        forward = draft(context, batch, query=first, positive=second)
        backward = draft(context, batch, query=second, positive=first, swapped=True)
        both = np.arange(2 * forward.num_rows).reshape(2, -1).T.reshape(-1)
        yield pa.concat_tables([forward, backward]).take(pa.array(both))
