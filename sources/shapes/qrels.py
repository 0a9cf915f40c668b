"""Relevance judgements (qrels): tables of queries, documents and judgements, joined by id.

The positive of a query is its first relevant document, its best one, or each of them in a row. Documents that are
judged irrelevant are its negatives. Only the judgements that are needed and their documents are held in memory, so a
collection of millions of passages is streamed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from open_ml_embed.core.section import Section
from sources.batching import runs
from sources.manifest import LangColumn, TextExpr
from sources.parts import Context
from sources.shapes.fields import as_text, column, declared, draft_table, text
from sources.shapes.pair import grouped

PER_FILE = False

_SPILL = 4_000_000
"""Number of judgements to collect before the surplus ones are dropped."""
_ROWS = 16_384
"""Most rows of a yielded table; rows with negatives are large."""
_BYTES = 256 << 20
"""Bytes of text to collect from a collection before the join with the wanted ids."""


class Table(Section):
    """A table of texts with ids."""

    id: str
    """Column of the id."""
    text: TextExpr
    """Column of the text."""
    code: bool = False
    """The language column holds names of programming languages; an empty value means the language of the query."""


class Judgements(Section):
    """Pairs of ids with a score, or triples (query, positive, negative)."""

    query: str
    """Column with the id of a query."""
    document: str
    """The judged document; in triples, the positive."""
    score: str | None = None
    """Column of the relevance."""
    relevant_from: float = 1
    """Least score of a relevant document."""
    negative: str | None = None
    """Column with the id of a document that is not relevant."""

    @model_validator(mode="after")
    def _one_form(self) -> Judgements:
        if self.score is not None and self.negative is not None:
            raise ValueError("judgements have a `score` or a `negative`, not both")
        return self


class Args(Section):
    """Columns of the manifest's tables `queries`, `corpus` and `judgements`."""

    queries: Table
    """Table of queries."""
    corpus: Table
    """Table of documents."""
    judgements: Judgements
    """Table of judgements."""
    positives: Literal["first", "best", "all"] = "first"
    """Which relevant documents to use: the first one judged, the first one with the highest score, or one row each."""
    max_negatives: int = Field(default=24, ge=0)
    """Most given negatives of a row."""

    @model_validator(mode="after")
    def _best_by_score(self) -> Args:
        if self.positives == "best" and self.judgements.score is None:
            raise ValueError("`positives: best` needs a `score`")
        return self


def partners(args: Args, tables: Collection[str]) -> Collection[str]:
    """Return the texts to which the judgements refer."""
    return ("queries", "corpus")


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each query with a relevant document (or for each of these), in the order of the judgements."""
    judged, files = _judgements(context, args)
    if judged.is_empty():
        return
    subset = context.manifest.subsets[context.subset_name]
    queries = _texts(context, "queries", args, subset.query_lang, judged["query"])
    documents = _texts(context, "corpus", args, subset.positive_lang, judged["document"])
    for name, texts in (("query", queries), ("document", documents)):
        at = texts.select(pl.col("id").alias(name), pl.int_range(pl.len()).alias(f"{name}_at"))
        judged = judged.join(at, on=name, how="left", maintain_order="left")
    judged = _without_missing(context, judged, files)
    yield from _rows(context, args, judged, queries, documents, files)


def _judgements(context: Context, args: Args) -> tuple[pl.DataFrame, list[str]]:
    """Return the needed judgements as (query, document, record, file, relevant), and the file names."""
    spec = args.judgements
    numbers = _ids_are_numbers(context, args)
    gathered: list[pl.DataFrame] = []
    files: list[str] = []
    size, reduced = 0, 0
    for batch in context.read("judgements"):
        if batch.file not in files:
            files.append(batch.file)
        both = [(spec.document, True)] if spec.negative is None else [(spec.document, True), (spec.negative, False)]
        for path, relevant in both:
            frame = pl.DataFrame(
                {
                    "query": _ids(batch.columns, spec.query, numbers=numbers),
                    "document": _ids(batch.columns, path, numbers=numbers),
                    "record": np.asarray(batch.records),
                }
            ).with_columns(pl.lit(files.index(batch.file), pl.Int32).alias("file"))
            if spec.score is None:
                gathered.append(frame.with_columns(pl.lit(relevant).alias("relevant")))
            else:
                score = np.asarray(column(batch.columns, spec.score).cast(pa.float64()))
                frame = frame.with_columns(pl.Series("relevant", score >= spec.relevant_from))
                gathered.append(frame.with_columns(score=score) if args.positives == "best" else frame)
        size += batch.columns.num_rows * len(both)
        if size > reduced + _SPILL:
            gathered = [_reduced(gathered, args)]
            size = reduced = gathered[0].height
    return (_reduced(gathered, args) if gathered else pl.DataFrame()), files


def _ids_are_numbers(context: Context, args: Args) -> bool:
    """Tell whether all tables declare their ids as int64, which takes a third of the memory of strings."""
    named = {
        "queries": [args.queries.id],
        "corpus": [args.corpus.id],
        "judgements": [args.judgements.query, args.judgements.document],
    }
    tables = context.manifest.tables
    return all(tables[table].fields.get(path) == "int64" for table, paths in named.items() for path in paths)


def _ids(columns: pa.Table, path: str, *, numbers: bool) -> pl.Series:
    ids = column(columns, path)
    return pl.Series(pl.from_arrow(ids if numbers else as_text(ids)))


def _reduced(gathered: list[pl.DataFrame], args: Args) -> pl.DataFrame:
    """Drop repetitions, and negatives beyond twice `max_negatives` (some documents may turn out to be missing)."""
    whole = pl.concat(gathered).drop_nulls(["query", "document"])
    whole = whole.unique(["query", "document", "relevant"], keep="first", maintain_order=True)
    rank = pl.int_range(pl.len()).over("query", "relevant")
    return whole.filter(pl.col("relevant") | (rank < 2 * args.max_negatives))


def _texts(context: Context, name: str, args: Args, lang: str | LangColumn | None, wanted: pl.Series) -> pl.DataFrame:
    """Return the wanted texts of a table as (id, text, lang), in raw order; of a repeated id, the first one."""
    spec: Table = getattr(args, name)
    numbers = _ids_are_numbers(context, args)
    ids = wanted.unique().to_frame("id")
    schema = {"id": wanted.dtype, "text": pl.String(), "lang": pl.String()}
    matches, pending, size = [pl.DataFrame(schema=schema)], [], 0
    for batch in context.read(name):
        none = pa.nulls(batch.columns.num_rows, pa.string())
        tags = none if lang is None else declared(lang, batch.columns, code=spec.code)
        frame = pl.DataFrame(
            {
                "id": _ids(batch.columns, spec.id, numbers=numbers),
                "text": pl.from_arrow(text(batch.columns, spec.text)),
                "lang": pl.from_arrow(tags),
            },
            schema=schema,
        )
        pending.append(frame)
        size += int(frame.estimated_size())
        if size > _BYTES:
            matches.append(pl.concat(pending).join(ids, on="id", how="semi", maintain_order="left"))
            pending, size = [], 0
    if pending:
        matches.append(pl.concat(pending).join(ids, on="id", how="semi", maintain_order="left"))
    return pl.concat(matches).unique("id", keep="first", maintain_order=True)


def _without_missing(context: Context, judged: pl.DataFrame, files: list[str]) -> pl.DataFrame:
    """Quarantine judgements whose query or document is not in its table; a missing query counts once."""
    no_query = judged.filter(pl.col("query_at").is_null()).unique("query", keep="first", maintain_order=True)
    no_document = judged.filter(pl.col("query_at").is_not_null() & pl.col("document_at").is_null())
    for reason, name, frame in (("missing-query", "query", no_query), ("missing-document", "document", no_document)):
        for file, record, key in frame.select("file", "record", name).iter_rows():
            context.quarantine.add(files[file], record, reason, str(key))
    return judged.drop_nulls(["query_at", "document_at"])


def _rows(
    context: Context, args: Args, judged: pl.DataFrame, queries: pl.DataFrame, documents: pl.DataFrame, files: list[str]
) -> Iterator[pa.Table]:
    positives = judged.filter("relevant")
    if args.positives == "best":
        positives = positives.filter(pl.col("score") == pl.col("score").max().over("query"))
    if args.positives != "all":
        positives = positives.unique("query", keep="first", maintain_order=True)
    if without := judged["query"].n_unique() - positives["query"].n_unique():
        context.filtered["no-positive"] += without
    slots = positives.select("query", pl.int_range(pl.len()).alias("slot"))
    negatives = (
        judged.filter(~pl.col("relevant"))
        .join(slots, on="query", how="inner", maintain_order="left")
        .filter(pl.int_range(pl.len()).over("slot") < args.max_negatives)
        .sort("slot", maintain_order=True)
    )
    slot = negatives["slot"].to_numpy()
    query_sizes, document_sizes = _lengths(queries["text"]), _lengths(documents["text"])
    sizes = query_sizes[positives["query_at"].to_numpy()] + document_sizes[positives["document_at"].to_numpy()]
    sizes = sizes + np.bincount(slot, document_sizes[negatives["document_at"].to_numpy()], len(sizes)).astype(np.int64)
    for start, stop in runs(sizes, _ROWS):
        some = positives.slice(start, stop - start)
        low, high = np.searchsorted(slot, [start, stop])
        query = queries[some["query_at"]]
        positive = documents[some["document_at"]]
        given = documents["text"].gather(negatives["document_at"][low:high])
        query_lang = _arrow(query["lang"])
        yield draft_table(
            query=_arrow(query["text"]),
            positive=_arrow(positive["text"]),
            negatives=grouped(_arrow(given), slot[low:high] - start, some.height),
            langs=(query_lang, pc.coalesce(_arrow(positive["lang"]), query_lang)),
            file=pa.array(files).take(some["file"].to_arrow()),
            record=some["record"].to_arrow(),
        )


def _lengths(texts: pl.Series) -> np.ndarray:
    return texts.str.len_bytes().fill_null(0).cast(pl.Int64).to_numpy()


def _arrow(texts: pl.Series) -> pa.StringArray:
    return texts.to_arrow().cast(pa.string())
