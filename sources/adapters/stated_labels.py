"""Classification tasks that differ from record to record: a record states a text, its label and a wrong label.

There is no list of classes that holds for all records. Each row has its own two: the positive and the one negative.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import blank
from sources.manifest import TextExpr
from sources.parts import Context
from sources.shapes.fields import batches, draft, kept, text
from sources.shapes.pair import grouped

PER_FILE = True


class Args(Section):
    """Columns."""

    text: TextExpr
    """Column of the text."""
    label: str
    """Column of the label that fits it."""
    wrong: str
    """Column of the label that does not fit the text."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each record; quarantined are records without one of the labels, or with equal ones."""
    for whole in batches(context):
        label, wrong = (pc.utf8_trim_whitespace(text(whole.columns, name)) for name in (args.label, args.wrong))
        none = pc.or_(blank(label), blank(wrong))
        equal = pc.fill_null(pc.equal(label, wrong), fill_value=False)
        for reason, mask in (("unknown-label", none), ("both-labels", pc.and_not(equal, none))):
            for row in np.flatnonzero(mask.to_numpy(zero_copy_only=False)):
                excerpt = f"{label[row].as_py()} / {wrong[row].as_py()}"
                context.quarantine.add(whole.file, whole.records[row].as_py(), reason, excerpt)
        good = pc.invert(pc.or_(none, equal))
        batch, label, wrong = kept(whole, good), label.filter(good), wrong.filter(good)
        yield draft(
            context,
            batch,
            query=text(batch.columns, args.text),
            positive=label,
            negatives=grouped(wrong, np.arange(len(wrong)), len(wrong)),
            label=label,
        )
