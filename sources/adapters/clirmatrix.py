"""CLIRMatrix: titles of one Wikipedia with relevance judgements for the articles of another.

A line of a judgement file is a title with its results, `[["<article>", <0 to 6>], …]`. These are lists of mixed types,
so the file is read as text. Score 6 is the article about the same entity. Lower scores come from a ranking in the
language of the title (Sun and Duh 2020, section 3). If the other Wikipedia has no article about the entity, the best
score is lower; 5 is the top group of the ranking.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
from pydantic import BaseModel, Field, ValidationError

from open_ml_embed.core.section import Section
from sources.parts import Context, RawBatch
from sources.shapes import qrels
from sources.shapes.fields import column

PER_FILE = False


class Args(Section):
    """Scores of positives and negatives."""

    relevant: int = 5
    """Least score of a positive; titles whose best article is below it are filtered."""
    negative: list[int] = [1, 2]
    """Scores of given negatives. Higher scores may be nearly relevant; 0 was not retrieved at all."""
    max_negatives: int = Field(default=8, ge=0)
    """Most given negatives of a row."""


class _Line(BaseModel):
    src_id: str
    src_query: str
    tgt_results: list[tuple[str, int]]


def partners(args: Args, tables: Collection[str]) -> Collection[str]:
    """Return the articles to which the judgements refer."""
    return ("corpus",)


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each title with a relevant article; the best one is the positive.

    The tables of the manifest are `judgements` and `corpus`. Filtered: titles whose best article is below `relevant`,
    and titles without results.
    """
    titles, judgements = [], []
    for batch in context.read("judgements"):
        lines = list(_lines(context, batch))
        titles.append(_batch(batch.file, [(n, line.src_id, line.src_query) for n, line in lines], "id", "text"))
        for _, line in lines:
            best = max((score for _, score in line.tgt_results), default=None)
            if best is None:
                context.filtered["no-result"] += 1
            elif best < args.relevant:
                context.filtered[f"score-below-{args.relevant}"] += 1
                line.tgt_results.clear()  # or its negatives would be counted again, as a query without a positive
        judged = [
            (number, line.src_id, document, score)
            for number, line in lines
            for document, score in line.tgt_results
            if score >= args.relevant or score in args.negative
        ]
        judgements.append(_batch(batch.file, judged, "title", "document", "score"))

    def read(table: str) -> Iterator[RawBatch]:
        added = {"queries": titles, "judgements": judgements}
        return iter(added[table]) if table in added else context.read(table)

    tables = context.manifest.tables
    manifest = context.manifest.model_copy(update={"tables": tables | {"queries": tables["judgements"]}})
    spec = qrels.Args(
        queries=qrels.Table(id="id", text="text"),
        corpus=qrels.Table(id="id", text="text"),
        judgements=qrels.Judgements(query="title", document="document", score="score", relevant_from=args.relevant),
        positives="best",
        max_negatives=args.max_negatives,
    )
    yield from qrels.drafts(replace(context, manifest=manifest, read=read), spec)


def _lines(context: Context, batch: RawBatch) -> Iterator[tuple[int, _Line]]:
    for number, text in zip(batch.records.to_pylist(), column(batch.columns, "text").to_pylist(), strict=True):
        try:
            yield number, _Line.model_validate_json(text)
        except ValidationError as error:
            reason = "invalid-json" if error.errors()[0]["type"] == "json_invalid" else "wrong-type"
            context.quarantine.add(batch.file, number, reason, text)


def _batch(file: str, rows: Sequence[tuple[int | str, ...]], *names: str) -> RawBatch:
    records, *columns = zip(*rows, strict=True) if rows else [()] * (len(names) + 1)
    types = [pa.int64() if name == "score" else pa.string() for name in names]
    arrays = [pa.array(values, kind) for values, kind in zip(columns, types, strict=True)]
    return RawBatch(pa.table(arrays, names=list(names)), file, pa.array(records, pa.int64()))
