"""Judged pairs: each record has a query and one document; all records of a query make one row.

The first relevant document is the positive. The negatives are the irrelevant documents and those in columns of
negatives. For each query, only as many documents are held in memory as its row can use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import blank
from sources.batching import runs
from sources.manifest import TextExpr
from sources.parts import Context, RawBatch
from sources.shapes.fields import as_text, batches, column, draft_table, kept, languages, text
from sources.shapes.pair import grouped, listed

PER_FILE = False
"""The records of a query need not be adjacent."""

_SPILL = 500_000
"""Number of records to collect before the surplus ones are dropped."""
_ROWS = 16_384
"""Most rows of a yielded table; rows with negatives are large."""


class Args(Section):
    """Columns, and the meaning of the labels."""

    query: TextExpr
    """Column of the query."""
    document: TextExpr
    """Column of the document."""
    key: TextExpr | None = None
    """Column that identifies a query; null: the text of the query."""
    negatives: list[str] = []
    """Columns of texts, or of lists of texts, that are irrelevant to the query of the record."""
    label: str | None = None
    """Column of the judgement; null: every document is relevant."""
    relevant: list[str] = []
    """Labels of documents that are relevant."""
    irrelevant: list[str] = []
    """Labels of documents that are not."""
    between: list[str] = []
    """Labels of documents that are neither relevant nor irrelevant; they are filtered."""
    max_negatives: int = Field(default=24, ge=0)
    """Most given negatives of a row."""

    @model_validator(mode="after")
    def _labels(self) -> Args:
        if (self.label is None) != (not self.relevant):
            raise ValueError("`label` and `relevant` go together")
        return self


def partners(args: Args, tables: Collection[str]) -> Collection[str]:
    """Return no table: a file has queries with their documents."""
    return ()


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each query with a relevant document, in the order of these documents."""
    positives, negatives, keys, gathered = [], [], [], 0
    for whole in batches(context):
        batch, relevant = _labeled(context, whole, args)
        positive, negative = _split(context, batch, relevant, args)
        positives.append(positive)
        negatives.append(negative)
        keys.append(pl.concat([positive["key"], negative["key"]]).unique())
        gathered += batch.columns.num_rows
        if gathered > _SPILL:
            positives, negatives = [_first(positives)], [_held(negatives, args)]
            keys, gathered = [pl.concat(keys).unique()], 0
    if positives:
        first = _first(positives)
        if without := pl.concat(keys).n_unique() - first.height:
            context.filtered["no-positive"] += without
        yield from _rows(first, _held(negatives, args))


def _labeled(context: Context, whole: RawBatch, args: Args) -> tuple[RawBatch, pa.BooleanArray]:
    """Return the records whose document is relevant or irrelevant, and a mask of the relevant ones."""
    if args.label is None:
        return whole, pa.repeat(pa.scalar(value=True), whole.columns.num_rows)
    label = as_text(column(whole.columns, args.label))
    relevant, irrelevant, between = (
        pc.is_in(label, pa.array(names, pa.string())) for names in (args.relevant, args.irrelevant, args.between)
    )
    if between.true_count:
        context.filtered["neither-relevant-nor-irrelevant"] += between.true_count
    judged = pc.or_(relevant, irrelevant)
    _quarantined(context, whole, "unknown-label", pc.invert(pc.or_(judged, between)), label)
    return kept(whole, judged), relevant.filter(judged)


def _split(
    context: Context, batch: RawBatch, relevant: pa.BooleanArray, args: Args
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the positives (all columns of a row) and the negatives (key, text), without empty texts."""
    query, document = text(batch.columns, args.query), text(batch.columns, args.document)
    key = query if args.key is None else text(batch.columns, args.key)
    no_query, no_document = blank(query), blank(document)
    _quarantined(context, batch, "empty-query", no_query, document)
    _quarantined(context, batch, "empty-positive", pc.and_(relevant, pc.and_not(no_document, no_query)), query)
    langs = languages(context, batch.columns)
    whole = pl.DataFrame(
        {
            "key": pl.from_arrow(key),
            "query": pl.from_arrow(query),
            "positive": pl.from_arrow(document),
            "query_lang": pl.from_arrow(langs[0]),
            "positive_lang": pl.from_arrow(langs[1]),
            "file": pl.repeat(batch.file, len(key), dtype=pl.String, eager=True),
            "record": pl.from_arrow(batch.records),
        }
    )
    good = pc.and_not(pc.invert(no_query), no_document)
    positive = whole.filter(pl.from_arrow(pc.and_(good, relevant)))
    judged = whole.filter(pl.from_arrow(pc.and_not(good, relevant)))
    negatives = [judged.select("key", text="positive")]
    given = listed(kept(batch, pc.invert(no_query)).columns, args.negatives)
    if given is not None:
        keys = key.filter(pc.invert(no_query)).take(pc.list_parent_indices(given))
        negatives.append(pl.DataFrame({"key": pl.from_arrow(keys), "text": pl.from_arrow(pc.list_flatten(given))}))
    return _first([positive]), _held(negatives, args)


def _quarantined(
    context: Context, batch: RawBatch, reason: str, mask: pa.BooleanArray, excerpt: pa.StringArray
) -> None:
    for row in np.flatnonzero(mask.to_numpy(zero_copy_only=False)):
        context.quarantine.add(batch.file, batch.records[row].as_py(), reason, excerpt[row].as_py() or "")


def _first(positives: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(positives).unique("key", keep="first", maintain_order=True)


def _held(negatives: list[pl.DataFrame], args: Args) -> pl.DataFrame:
    """Return the first negatives of each query, at most `max_negatives`."""
    whole = pl.concat(negatives).unique(["key", "text"], keep="first", maintain_order=True)
    return whole.filter(pl.int_range(pl.len()).over("key") < args.max_negatives)


def _rows(positives: pl.DataFrame, negatives: pl.DataFrame) -> Iterator[pa.Table]:
    slots = positives.select("key", pl.int_range(pl.len()).alias("slot"))
    negatives = negatives.join(slots, on="key", how="inner", maintain_order="left").sort("slot", maintain_order=True)
    slot = negatives["slot"].to_numpy()
    sizes = _lengths(positives["query"]) + _lengths(positives["positive"])
    sizes = sizes + np.bincount(slot, _lengths(negatives["text"]), len(sizes)).astype(np.int64)
    for start, stop in runs(sizes, _ROWS):
        some = positives.slice(start, stop - start)
        low, high = np.searchsorted(slot, [start, stop])
        yield draft_table(
            query=_arrow(some["query"]),
            positive=_arrow(some["positive"]),
            negatives=grouped(_arrow(negatives["text"][low:high]), slot[low:high] - start, some.height),
            langs=(_arrow(some["query_lang"]), _arrow(some["positive_lang"])),
            file=_arrow(some["file"]),
            record=some["record"].to_arrow(),
        )


def _lengths(texts: pl.Series) -> np.ndarray:
    return texts.str.len_bytes().fill_null(0).cast(pl.Int64).to_numpy()


def _arrow(texts: pl.Series) -> pa.StringArray:
    return texts.to_arrow().cast(pa.string())
