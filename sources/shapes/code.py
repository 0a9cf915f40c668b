"""Code: pairs one or both sides of which are program text, whose language may differ by record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from sources.languages import code_tag
from sources.manifest import TextExpr
from sources.parts import Context
from sources.shapes.columns import batches, column, draft, text
from sources.shapes.pair import listed

PER_FILE = True


class Args(BaseModel):
    """Where the texts are, and which of them is code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: TextExpr
    positive: TextExpr
    negatives: list[str] = []
    code: Literal["query", "positive", "both"] = "positive"
    language: str | None = None
    """A column with the name of the programming language; null: the subset declares it."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row a record; program text keeps its whitespace, for its language tag ends in `-Code`."""
    for batch in batches(context):
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
