"""Many language pairs in one subset, in the clustering format: each pair of aligned sentences is one class.

Each file holds one language pair, as a column of structs with two fields named by their languages. The direction
alternates from record to record.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from open_ml_embed.core.errors import SchemaError
from open_ml_embed.core.section import Section
from sources.parts import Context, RawBatch
from sources.shapes.fields import as_text, batches, column, declared, draft_table, kept, struct_field

PER_FILE = True


class Args(Section):
    """Column of the structs, and the sampling rate."""

    column: str = "translation"
    """Column whose value has a text for each language."""
    every: int = Field(default=1, ge=1)
    """Take every n-th record. The files of all pairs begin with the same sentences, so the first n would overlap."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each sampled record; untranslated texts are filtered."""
    for whole in batches(context):
        sampled = pa.array(np.asarray(whole.records) % args.every == 0)
        if sampled.false_count:
            context.filtered["not-sampled"] += sampled.false_count
        batch = kept(whole, sampled)
        if batch.columns.num_rows:
            yield _rows(context, batch, args)


def _rows(context: Context, batch: RawBatch, args: Args) -> pa.Table:
    codes, (first, second) = _sides(batch, args)
    differs = pc.fill_null(pc.not_equal(first, second), fill_value=True)
    if differs.false_count:
        context.filtered["untranslated"] += differs.false_count
    first, second, records = first.filter(differs), second.filter(differs), batch.records.filter(differs)
    forward = pa.array(np.asarray(records) // args.every % 2 == 0)
    file = pa.repeat(pa.scalar(batch.file), len(records))
    # A language column is mapped by value; here the raw value is the name of the struct's field.
    lang = context.manifest.subsets[context.subset_name].query_lang
    tags = [lang if isinstance(lang, str) else declared(lang, pa.table({lang.column: [code]}))[0] for code in codes]
    return draft_table(
        query=pc.if_else(forward, first, second),
        positive=pc.if_else(forward, second, first),
        label=pc.binary_join_element_wise(file, records.cast(pa.string()), "#"),
        langs=(pc.if_else(forward, *tags), pc.if_else(forward, *reversed(tags))),
        file=file,
        record=records,
    )


def _sides(batch: RawBatch, args: Args) -> tuple[list[str], list[pa.StringArray]]:
    structs = column(batch.columns, args.column)
    names = [field.name for field in structs.type] if pa.types.is_struct(structs.type) else []
    if len(names) != 2:
        raise SchemaError(
            f"{args.column!r} has not two languages; found: {', '.join(names) or structs.type}",
            where=batch.file,
            remedy="correct the shape's arguments in the manifest, or pin another revision",
        )
    return names, [as_text(struct_field(structs, name, f"{args.column}.{name}")) for name in names]
