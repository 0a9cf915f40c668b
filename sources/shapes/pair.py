"""Pairs: one record holds the query, the positive, and perhaps given negatives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from sources.manifest import TextExpr
from sources.parts import Context, RawBatch
from sources.shapes.columns import batches, column, draft, taken, text

PER_FILE = True


class Args(BaseModel):
    """Where the texts are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: TextExpr
    positive: TextExpr
    negatives: list[str] = []
    """Columns of texts or of lists of texts; all their texts are negatives."""
    positives: Literal["first", "all"] = "first"
    """Where `positive` is a list column: its first text, or a row for each."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row a record (or a positive)."""
    for whole in batches(context):
        batch, positive = _positives(whole, args)
        yield draft(
            context,
            batch,
            query=text(batch.columns, args.query),
            positive=positive,
            negatives=listed(batch.columns, args.negatives),
        )


def _positives(batch: RawBatch, args: Args) -> tuple[RawBatch, pa.StringArray]:
    if isinstance(args.positive, str):
        found = column(batch.columns, args.positive)
        if pa.types.is_list(found.type):
            found = found.cast(pa.list_(pa.string()))
            if args.positives == "all":
                return taken(batch, pc.list_parent_indices(found)), pc.list_flatten(found)
            return batch, first_of(found)
    return batch, text(batch.columns, args.positive)


def first_of(lists: pa.ListArray) -> pa.Array:
    """Return the first element of each list; null for empty and null lists."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    starts = np.asarray(lists.offsets)[:-1]
    return lists.values.take(pa.array(starts, mask=lengths == 0))


def listed(columns: pa.Table, paths: list[str]) -> pa.ListArray | None:
    """Gather the texts of several columns (texts or lists of texts) into one list a row; nulls are left out."""
    if not paths:
        return None
    rows, texts = [], []
    for path in paths:
        found = column(columns, path)
        if pa.types.is_list(found.type):
            found = found.cast(pa.list_(pa.string()))
            rows.append(pc.list_parent_indices(found).to_numpy())
            texts.append(pc.list_flatten(found))
        else:
            rows.append(np.arange(len(found)))
            texts.append(found.cast(pa.string()))
    row, flat = np.concatenate(rows), pa.concat_arrays(texts)
    present = flat.is_valid().to_numpy(zero_copy_only=False)
    order = np.flatnonzero(present)[np.argsort(row[present], kind="stable")]
    return grouped(flat.take(pa.array(order)), row[order], columns.num_rows)


def grouped(values: pa.Array, rows: np.ndarray, count: int) -> pa.ListArray:
    """Make `count` lists of values that are sorted by the row they belong to."""
    offsets = np.zeros(count + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=count), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), values)
