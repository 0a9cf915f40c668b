"""All tables of the report, typed and documented; the page shows exactly these, and a folder of files holds them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.build import Build
from curation.build import Inputs as StepInputs
from curation.report.inputs import Inputs, load_inputs
from curation.report.shard_statistics import survey
from curation.report.sums import check
from curation.report.tables import (
    agreement,
    contamination,
    duplicates,
    examples,
    languages,
    measures,
    mix_pairs,
    negatives,
    sources,
    texts,
    tokens,
    totals,
)
from curation.report.tables import (
    build as build_tables,
)
from curation.report.tables.form import Form, ReportTable, only
from curation.report.verdicts import MixVerdicts
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.json_text import loads

_MODULES = (
    sources,
    languages,
    texts,
    tokens,
    agreement,
    measures,
    duplicates,
    contamination,
    negatives,
    examples,
    build_tables,
    mix_pairs,
    totals,
)
FORMS: Mapping[str, Form] = only(form for module in _MODULES for form in module.FORMS)
"""Every table by name, in the order of docs/report.md."""
INDEX = "tables.json"
"""File of a folder of tables that lists them."""
FORMATS = ("json", "csv", "parquet")


@dataclass(frozen=True, eq=False)
class ReportData(Mapping[str, ReportTable]):
    """The tables of a build's report by name.

    Attributes:
        tables: all of `FORMS`; a table of a step that has not run is empty. Beside them `runs`, if it was asked for.

    """

    tables: Mapping[str, ReportTable]

    def __getitem__(self, name: str) -> ReportTable:
        return self.tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def of_step(self, step: str) -> dict[str, pa.Table]:
        """Return the tables that count the work of a step (`mix`: of all mixes), as Arrow tables by name."""
        return {name: table.arrow for name, table in self.tables.items() if table.form.step == step}

    def beside(self, *more: ReportTable) -> ReportData:
        """Return these tables and more, which the page does not show."""
        return ReportData({**self.tables, **{table.form.name: table for table in more}})

    def write(self, folder: Path) -> list[Path]:
        """Write every table as JSON, CSV and Parquet, and the list of them; equal tables give equal bytes.

        Args:
            folder: where to; it is made. Files of the same names are replaced, others are left.

        Returns:
            The files, `tables.json` last.

        """
        written = []
        for name, table in self.tables.items():
            for kind, data in (("json", as_json(table)), ("csv", as_csv(table)), ("parquet", _as_parquet(table))):
                written.append(folder / f"{name}.{kind}")
                write_whole(written[-1], data)
        written.append(folder / INDEX)
        write_whole(written[-1], _index(self.tables))
        return written


def collect(build: Build, read: StepInputs) -> ReportData:
    """Make the tables of a build from the results of its steps and one pass over its rows.

    Only `normalize` must have been run. Memory is bounded by the largest shard and a few bytes for each row.

    Raises:
        StageError: nothing is normalized yet, or the result of a step that has run is not current.

    """
    return collect_from(load_inputs(build, read))


def collect_from(inputs: Inputs) -> ReportData:
    """Make the tables from the results of the steps."""
    verdicts = MixVerdicts(inputs.build, inputs)
    surveys = survey(inputs.build.store, inputs.rows, verdicts, tokens.drawn_rows(inputs))
    tables: dict[str, ReportTable] = {}

    def add(filled: Iterator[ReportTable]) -> None:
        tables.update((table.form.name, table) for table in filled)

    add(sources.fill(inputs))
    add(languages.fill(inputs, surveys))
    add(texts.fill(inputs, surveys))
    add(tokens.fill(inputs, surveys))
    add(agreement.fill(inputs))
    add(measures.fill(inputs))
    add(duplicates.fill(inputs))
    add(contamination.fill(inputs))
    add(negatives.fill(inputs))
    add(examples.fill(inputs, surveys, verdicts))
    add(build_tables.fill(inputs, tables))
    add(mix_pairs.fill(tables))
    add(totals.fill(tables))
    data = ReportData({name: tables[name] for name in FORMS})
    check(data)
    return data


def as_json(table: ReportTable) -> bytes:
    """Return a table as JSON: what it is, its columns, and its rows as lists, one a line."""
    rows = ",\n".join(json.dumps(list(row.values()), ensure_ascii=False) for row in table.rows)
    head = json.dumps(_described(table.form), ensure_ascii=False, indent=1)
    return f'{head[:-2]},\n "rows": [\n{rows}\n ]\n}}\n'.encode()


def as_csv(table: ReportTable) -> bytes:
    """Return a table as CSV with a line of names; null is an empty cell, true and false are `true` and `false`."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(table.arrow.column_names)
    writer.writerows([_cell(value) for value in row.values()] for row in table.rows)
    return sink.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def _as_parquet(table: ReportTable) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table.arrow, sink, compression="zstd")
    return sink.getvalue()


def _described(form: Form) -> dict[str, Any]:
    columns = [{"name": c.name, "type": str(c.type), "description": c.what} for c in form.columns]
    return {"table": form.name, "step": form.step, "description": form.what, "key": list(form.key), "columns": columns}


def _index(tables: Mapping[str, ReportTable]) -> bytes:
    listed = [_described(table.form) | {"rows": len(table)} for table in tables.values()]
    return (json.dumps({"tables": listed}, ensure_ascii=False, indent=1) + "\n").encode()


def read_folder(folder: Path) -> ReportData:
    """Read the tables that `ReportData.write` wrote; tables of another version keep the columns that both have.

    Raises:
        StageError: the folder holds no tables, or one that cannot be read.

    """
    if not (folder / INDEX).is_file():
        raise StageError(
            f"no {INDEX}", where=str(folder), remedy="name a folder that `curate report --data FOLDER` wrote"
        )
    return ReportData({name: ReportTable(form, _read(folder, form)) for name, form in FORMS.items()})


def _read(folder: Path, form: Form) -> pa.Table:
    path = folder / f"{form.name}.json"
    try:
        raw = loads(path.read_text("utf-8"))
        names = [column["name"] for column in raw["columns"]]
        rows = [dict(zip(names, row, strict=True)) for row in raw["rows"]]
        return pa.Table.from_pylist(rows, schema=form.schema)
    except FileNotFoundError:
        return form.fill([]).arrow
    except (ValueError, KeyError, TypeError, pa.ArrowInvalid) as error:
        raise StageError(
            f"cannot be read: {error}", where=str(path), remedy="write the folder again with `curate report --data`"
        ) from error
