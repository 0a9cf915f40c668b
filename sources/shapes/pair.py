"""Pairs: one record holds the query, the positive, and optionally given negatives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import blank
from sources.manifest import TextExpr
from sources.parts import Context, RawBatch
from sources.shapes.fields import batches, column, draft, kept, nth, short, taken, text

PER_FILE = True


class Args(Section):
    """Columns of the texts."""

    query: TextExpr
    """Column of the query."""
    positive: TextExpr
    """Column of the positive."""
    negatives: list[str] = []
    """Columns of texts or of lists of texts; all their texts are negatives."""
    max_negatives: int | None = Field(default=None, ge=1)
    """Keep only the first n negatives of a record; null: all."""
    positives: Literal["first", "longest", "all"] = "first"
    """If `positive` is a list column: its first text, its longest text (the first of a tie), or one row for each."""
    scores: str | None = None
    """List column of scores for the list column `positive`: use the text with the highest score, not the first."""
    separator: str | None = None
    """Separator of several positives in one text, which is then split and treated as a list column."""
    may_lack_positive: bool = False
    """Filter records without a positive instead of quarantining them, if they are not an error of the source (an
    unanswered question)."""
    min_words: int = Field(default=0, ge=0)
    """Least words of the query and of the positive; other records are filtered."""
    limit: int | None = Field(default=None, ge=1)
    """Most rows of a file, for files that are much larger than their share of any mix."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each record (with `positives: all`, for each positive)."""
    left = args.limit
    for whole in batches(context):
        batch, positive = _positives(whole, args)
        if args.may_lack_positive:
            present = pc.invert(blank(positive))
            if present.false_count:
                context.filtered["no-positive"] += present.false_count
            batch, positive = kept(batch, present), positive.filter(present)
        query = text(batch.columns, args.query)
        if args.min_words:
            long = pc.invert(pc.or_(short(query, args.min_words), short(positive, args.min_words)))
            if long.false_count:
                context.filtered["short-text"] += long.false_count
            batch, query, positive = kept(batch, long), query.filter(long), positive.filter(long)
        rows = draft(
            context,
            batch,
            query=query,
            positive=positive,
            negatives=listed(batch.columns, args.negatives, args.max_negatives),
        )
        yield rows.slice(0, left)
        if left is not None:
            context.beyond_limit += max(rows.num_rows - left, 0)
            left -= rows.num_rows
            if left <= 0:
                return


def _positives(batch: RawBatch, args: Args) -> tuple[RawBatch, pa.StringArray]:
    if isinstance(args.positive, str):
        values = column(batch.columns, args.positive)
        if args.separator is not None:
            values = pc.split_pattern(values.cast(pa.string()), args.separator)
        if pa.types.is_list(values.type):
            values = values.cast(pa.list_(pa.string()))
            if args.positives == "all":
                return taken(batch, pc.list_parent_indices(values)), pc.list_flatten(values)
            if args.positives == "longest":
                lengths = pc.utf8_length(pc.utf8_trim_whitespace(pc.list_flatten(values)))
                counts = offsets_of(pc.fill_null(pc.list_value_length(values), 0))
                return batch, best_of(values, pa.ListArray.from_arrays(pa.array(counts, pa.int32()), lengths))
            if args.scores is not None:
                return batch, best_of(values, column(batch.columns, args.scores))
            return batch, first_of(values)
    return batch, text(batch.columns, args.positive)


def first_of(lists: pa.ListArray) -> pa.Array:
    """Return the first element of each list; null for empty and null lists."""
    return nth(lists, 0)


def best_of(lists: pa.ListArray, scores: pa.ListArray) -> pa.Array:
    """Return the element of each list with the highest score, the first of a tie; null if the lengths do not match."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    matching = (lengths > 0) & (lengths == pc.fill_null(pc.list_value_length(scores), 0).to_numpy())
    rows = pa.array(np.flatnonzero(matching))
    parents = np.repeat(np.arange(len(rows)), lengths[matching])
    score = np.asarray(pc.list_flatten(scores.take(rows)).cast(pa.float64()))
    order = np.lexsort((-score, parents))
    best = np.zeros(len(lists), np.int64)
    best[matching] = order[np.unique(parents, return_index=True)[1]]
    return pc.list_flatten(lists.take(rows)).take(pa.array(best, mask=~matching))


def listed(columns: pa.Table, paths: list[str], most: int | None = None) -> pa.ListArray | None:
    """Collect the texts of several columns (texts or lists of texts) into one list per row, without nulls.

    Args:
        columns: the raw columns, n rows.
        paths: of the columns to read.
        most: most texts of a row; None: all.

    Returns:
        n lists; None if there are no paths.

    """
    if not paths:
        return None
    rows, texts = [], []
    for path in paths:
        values = column(columns, path)
        if pa.types.is_list(values.type):
            values = values.cast(pa.list_(pa.string()))
            rows.append(pc.list_parent_indices(values).to_numpy())
            texts.append(pc.list_flatten(values))
        else:
            rows.append(np.arange(len(values)))
            texts.append(values.cast(pa.string()))
    row, flat = np.concatenate(rows), pa.concat_arrays(texts)
    present = flat.is_valid().to_numpy(zero_copy_only=False)
    order = np.flatnonzero(present)[np.argsort(row[present], kind="stable")]
    if most is not None:
        rank = np.arange(len(order)) - np.searchsorted(row[order], row[order])
        order = order[rank < most]
    return grouped(flat.take(pa.array(order)), row[order], columns.num_rows)


def grouped(values: pa.Array, rows: np.ndarray, count: int) -> pa.ListArray:
    """Group values into `count` lists.

    Args:
        values: the values, sorted by row.
        rows: row number of each value, int64[len(values)].
        count: number of lists.

    """
    offsets = offsets_of(np.bincount(rows, minlength=count)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)
