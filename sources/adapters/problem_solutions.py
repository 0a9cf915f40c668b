"""Solutions that name their problem by dataset, split and row: the problem's statement is the query.

The table `solutions` has the solutions; every dataset of problems has a table of its own, whose file names tell the
split (`data/train-…`, `test.jsonl`), and whose rows count through the files of a split in name order.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from open_ml_embed.core.errors import SchemaError
from open_ml_embed.core.section import Section
from open_ml_embed.core.text.blank import blank, is_blank
from sources.adapters.python_answers import last_block
from sources.drafting import Drafts
from sources.parts import Context
from sources.shapes.fields import as_text, column

PER_FILE = False

_SPLIT = re.compile(r"(?:^|/)(train|test|valid)")
_Place = tuple[str, str, int]
"""Dataset, split, row."""


class Problems(Section):
    """A dataset of problems."""

    table: str
    sections: dict[str, str]
    """Column → heading (may be empty), in the order of the statement; a list of structs is written field by field."""


class Args(Section):
    """Columns of the table `solutions`, and where its problems are."""

    problem: str = "question_id"
    """Tells problems apart: a row is made of each."""
    dataset: str = "dataset"
    split: str = "split"
    index: str = "index"
    solution: str = "solution"
    score: str = "pass_rate"
    """Of a problem's solutions the one with the highest is taken, the first of equals; no number counts as lowest."""
    fences: list[str] = []
    """Names of the language on fenced blocks: where a solution has such blocks, the last of them is taken."""
    problems: dict[str, Problems]
    """Value of the dataset column → its problems."""


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row a problem, in order of the chosen solutions."""
    files: list[str] = []
    chosen = _chosen(context, args, files)
    if chosen.is_empty():
        return
    wanted = {(dataset, split, row) for dataset, split, row in chosen.select("dataset", "split", "row").iter_rows()}
    statements = {
        place: text
        for name, problems in args.problems.items()
        for place, text in _read(context, name, problems, wanted)
    }
    fences = frozenset(args.fences)
    rows = Drafts(context)
    for file, record, dataset, split, row, solution in chosen.select(
        "file", "record", "dataset", "split", "row", "solution"
    ).iter_rows():
        statement = statements.get((dataset, split, row))
        if statement is None:
            reason = "missing-question" if dataset in args.problems else "unknown-dataset"
            context.quarantine.add(files[file], record, reason, f"{dataset}/{split}/{row}")
        else:
            code = last_block(solution, fences) if fences else solution
            rows.add(statement, code, file=files[file], record=record)
            yield from rows.full()
    yield from rows.rest()


def _chosen(context: Context, args: Args, files: list[str]) -> pl.DataFrame:
    """Return the best solution of each problem with its place, in raw order."""
    best = pl.DataFrame()
    for batch in context.read("solutions"):
        if batch.file not in files:
            files.append(batch.file)
        names = ("problem", "dataset", "split", "index", "solution", "score")
        texts = {name: as_text(column(batch.columns, getattr(args, name))) for name in names}
        columns = {name: pl.from_arrow(values) for name, values in texts.items()}
        frame = pl.DataFrame({**columns, "record": np.asarray(batch.records)}).with_columns(
            pl.lit(files.index(batch.file), pl.Int32).alias("file"),
            pl.col("index").cast(pl.Int64, strict=False).fill_null(-1).alias("row"),
            pl.col("score").cast(pl.Float64, strict=False).fill_null(-1).fill_nan(-1),
        )
        solved = frame.filter(~pl.Series(pl.from_arrow(blank(texts["solution"]))))
        if without := frame.height - solved.height:
            context.filtered["no-solution"] += without
        # A stable sort: of equals the first in raw order stays first.
        whole = pl.concat([best, solved]) if best.height else solved
        whole = whole.sort("score", descending=True, maintain_order=True)
        best = whole.unique("problem", keep="first", maintain_order=True)
    return best.sort("file", "record") if best.height else best


def _read(context: Context, dataset: str, problems: Problems, wanted: set[_Place]) -> Iterator[tuple[_Place, str]]:
    """Yield the wanted statements of a dataset with their places."""
    before: defaultdict[str, int] = defaultdict(int)
    file, split, rows = "", "", 0
    for batch in context.read(problems.table):
        if batch.file != file:
            before[split] += rows
            file, split = batch.file, _split(batch.file)
        rows = batch.records[-1].as_py() + 1
        places = [(dataset, split, before[split] + record) for record in batch.records.to_pylist()]
        here = [at for at, place in enumerate(places) if place in wanted]
        for at, record in zip(here, batch.columns.take(pa.array(here, pa.int64())).to_pylist(), strict=True):
            statement = _statement(record, problems.sections)
            if statement:
                yield places[at], statement


def _split(file: str) -> str:
    match = _SPLIT.search(file)
    if match is None:
        raise SchemaError("the name tells no split", where=file, remedy="correct `files` in the manifest")
    return match[1]


def _statement(record: dict[str, Any], sections: dict[str, str]) -> str:
    parts = []
    for name, heading in sections.items():
        text = _text(record[name]).strip()
        if not is_blank(text):
            parts.append(f"{heading}\n{text}" if heading else text)
    return "\n\n".join(parts)


def _text(value: object) -> str:
    if isinstance(value, list):
        return "\n\n".join(_text(item) for item in value)
    if isinstance(value, dict):
        return "\n".join(f"{name.capitalize()}:\n{_text(item).strip()}" for name, item in value.items() if item)
    return str(value or "")
