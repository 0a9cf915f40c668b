"""Code: pairs in which one or both sides are program text; its language may vary by record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from open_ml_embed.core.section import Section
from sources.languages import code_tag
from sources.manifest import TextExpr
from sources.parts import Context
from sources.shapes.fields import batches, column, draft, kept, text
from sources.shapes.pair import listed

PER_FILE = True


class Args(Section):
    """Columns of the texts, and which of them is code."""

    query: TextExpr
    """Column of the query."""
    positive: TextExpr
    """Column of the positive."""
    negatives: list[str] = []
    """Columns of given negatives: texts, or lists of texts."""
    code: Literal["query", "positive", "both"] = "positive"
    """Sides that are programs."""
    language: str | None = None
    """Column with the name of the programming language; null: the subset declares the language."""
    records: int | None = Field(default=None, ge=1)
    """Take only the first n records of a file, for datasets whose held-out split follows in the same file."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each record; texts with a language tag `…-Code` keep their whitespace in normalization."""
    for whole in batches(context):
        batch = whole
        if args.records is not None:
            selected = pc.less(whole.records, args.records)
            if selected.false_count:
                context.filtered["held-out"] += selected.false_count
            batch = kept(whole, selected)
        rows = draft(
            context,
            batch,
            query=text(batch.columns, args.query),
            positive=text(batch.columns, args.positive),
            negatives=listed(batch.columns, args.negatives),
        )
        if args.language is not None:
            names = column(batch.columns, args.language).cast(pa.string()).dictionary_encode()
            tags = pa.array([code_tag(name) for name in names.dictionary.to_pylist()], pa.string()).take(names.indices)
            for side in ("query", "positive") if args.code == "both" else (args.code,):
                at = rows.schema.get_field_index(f"{side}_lang")
                rows = rows.set_column(at, rows.schema.field(at), tags)
        yield rows
