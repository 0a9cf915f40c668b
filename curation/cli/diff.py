"""`curate diff`: compare two builds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curation.cli.options import AsJson, Params
from curation.pipeline.freshness import inputs_of
from curation.pipeline.opening import PARAMS, open_build
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.fitting_table import Table
from open_ml_embed.core.params import read_profiles
from open_ml_embed.core.printing import print_json
from open_ml_embed.core.terminal import Terminal

if TYPE_CHECKING:
    from curation.report.data import ReportData
    from curation.report.inputs import Inputs
    from curation.report.tables.form import ReportTable

MOST = 20
"""Rows of a table that are printed; with `--json` all."""


@dataclass(frozen=True)
class _Side:
    """One of the two builds: its tables, and the results of its steps if it is at hand."""

    data: ReportData
    inputs: Inputs | None


def diff(
    before: Annotated[
        str, typer.Argument(metavar="A", help="A profile, FILE:PROFILE, or a folder of `report --data`.")
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="The same of the build to compare with.")],
    params: Params = PARAMS,
    *,
    as_json: AsJson = False,
) -> None:
    """Compare two builds: settings, versions, rows gained, lost and changed, and every figure of the report."""
    from curation.report.compare import compare
    from curation.report.moved import moved

    old, new = _opened(before, params), _opened(after, params)
    tables = compare(old.data, new.data)
    if old.inputs and new.inputs:
        tables["moved_rows"] = moved(old.inputs, new.inputs)
    if as_json:
        print_json({"before": before, "after": after} | {name: table.rows for name, table in tables.items()})
    else:
        _print(tables, before, after)


def _opened(named: str, params: Path) -> _Side:
    from curation.report.data import INDEX, collect_from, read_folder
    from curation.report.inputs import load_inputs

    if (Path(named) / INDEX).is_file():
        return _Side(read_folder(Path(named)), None)
    file, _, profile = named.rpartition(":")
    path = Path(file) if file else params
    if not file and profile not in read_profiles(path)[0]:
        raise StageError(
            f"{named!r} is neither a profile of {path} nor a folder of tables",
            where="curate diff",
            remedy=f"name one of {', '.join(read_profiles(path)[0])}; FILE:PROFILE for one of another settings file; "
            "or a folder that `curate report --data FOLDER` wrote",
        )
    build = open_build(profile, path)
    inputs = load_inputs(build, inputs_of(build, "report"))
    return _Side(collect_from(inputs), inputs)


def _print(tables: dict[str, ReportTable], before: str, after: str) -> None:
    terminal = Terminal()
    settings, figures = tables["changed_settings"], tables["changed_figures"]
    if not any(len(table) for table in tables.values()):
        terminal.print(f"{before} and {after} do not differ")
        return
    _print_rows(terminal, "Settings", settings)
    _print_rows(terminal, "Versions of operations", tables["changed_versions"])
    if "moved_rows" in tables:
        _print_moved(terminal, tables["moved_rows"])
    else:
        _print_rows(terminal, "Rows by source", tables["changed_rows"])
        _print_rows(terminal, "Rows by language", tables["changed_languages"])
        _print_rows(terminal, "Where records ended", tables["changed_ends"])
        terminal.print("Rows are not compared one by one, since the rows of a folder of tables are not at hand.")
    counts: dict[str, int] = {}
    for row in figures.rows:
        counts[row["table"]] = counts.get(row["table"], 0) + 1
    if counts:
        listed = ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
        terminal.print(f"\nFigures that differ, by table of the report (all with --json): {listed}")


def _print_moved(terminal: Terminal, table: ReportTable) -> None:
    from curation.report.moved import totals

    for mix, gained, lost, changed in totals(table):
        if mix is None:
            terminal.print(f"\nRows: {gained:,} gained, {lost:,} lost")
        else:
            terminal.print(
                f"\nMix {mix}: {gained:,} samples gained, {lost:,} lost; {changed:,} other rows end elsewhere"
            )
    _print_rows(terminal, "Rows by mix, source, language and where they ended", table)


def _print_rows(terminal: Terminal, title: str, table: ReportTable) -> None:
    if not len(table):
        return
    shown = Table(title=title, title_justify="left")
    for column in table.form.columns:
        shown.add_column(column.title, justify="right" if column.shown == "count" else "left", overflow="fold")
    for row in table.rows[:MOST]:
        shown.add_row(*map(_cell, row.values()))
    terminal.print(shown)
    if len(table) > MOST:
        terminal.print(f"{len(table) - MOST:,} more with --json")


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "–" if value is None else str(value)
