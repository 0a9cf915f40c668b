"""Solutions that refer to their problem by dataset, split and row: the problem statement is the query.

The table `solutions` holds the solutions. Each dataset of problems has another table. Its file names state the split
(`data/train-…`, `test.jsonl`), and its rows are numbered through the files of a split in name order.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
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
_Key = tuple[str, str, int]
"""Key of a problem: dataset, split, row."""


class Problems(Section):
    """Table of a dataset of problems, and the sections of a statement."""

    table: str
    """Name of the table in the manifest."""
    sections: dict[str, str]
    """Column → heading (may be empty), in the order of the statement; structs in a list are written field by field."""


class Args(Section):
    """Columns of the table `solutions`, and the datasets of problems."""

    problem: str = "question_id"
    """Column that identifies a problem; each problem makes one row."""
    dataset: str = "dataset"
    """Column with the name of the dataset of a solution's problem."""
    split: str = "split"
    """Column with the split of the problem."""
    index: str = "index"
    """Column with the number of the problem."""
    solution: str = "solution"
    """Column of the program."""
    score: str = "pass_rate"
    """Score column. The solution with the highest score is taken, the first one of a tie; a missing score is lowest."""
    fences: list[str] = []
    """Language names of fenced code blocks; if a solution has such blocks, the last one is taken."""
    problems: dict[str, Problems]
    """Value of the dataset column → table of its problems."""


def partners(args: Args, tables: Collection[str]) -> Collection[str]:
    """Return the problems to which the solutions refer."""
    return {problems.table for problems in args.problems.values()}


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each problem, in the order of the chosen solutions."""
    files: list[str] = []
    chosen = _chosen(context, args, files)
    if chosen.is_empty():
        return
    wanted = {(dataset, split, row) for dataset, split, row in chosen.select("dataset", "split", "row").iter_rows()}
    statements = {
        key: text for name, problems in args.problems.items() for key, text in _read(context, name, problems, wanted)
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
    """Return the best solution of each problem, with its file and record, in raw order."""
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
        # A stable sort keeps ties in raw order.
        whole = pl.concat([best, solved]) if best.height else solved
        whole = whole.sort("score", descending=True, maintain_order=True)
        best = whole.unique("problem", keep="first", maintain_order=True)
    return best.sort("file", "record") if best.height else best


def _read(context: Context, dataset: str, problems: Problems, wanted: set[_Key]) -> Iterator[tuple[_Key, str]]:
    """Yield (key, statement) of the wanted problems of a dataset."""
    before: defaultdict[str, int] = defaultdict(int)
    file, split, rows = "", "", 0
    for batch in context.read(problems.table):
        if batch.file != file:
            before[split] += rows
            file, split = batch.file, _split(batch.file)
        rows = batch.records[-1].as_py() + 1
        keys = [(dataset, split, before[split] + record) for record in batch.records.to_pylist()]
        hits = [index for index, key in enumerate(keys) if key in wanted]
        for index, record in zip(hits, batch.columns.take(pa.array(hits, pa.int64())).to_pylist(), strict=True):
            statement = _statement(record, problems.sections)
            if statement:
                yield keys[index], statement


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
