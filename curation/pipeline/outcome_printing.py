"""Prints the outcome of a step at its end: a table for people, or a JSON object for programs."""

from __future__ import annotations

from collections.abc import Callable

from curation.build import Build, StepResult
from curation.failures import RefusedError, RefusedForNowError
from curation.pipeline.outcome import Line, Outcome, outcome_of
from curation.pipeline.outcome_forms import Column, share_of, total_of
from open_ml_embed.core.fitting_table import Table
from open_ml_embed.core.printing import print_json
from open_ml_embed.core.terminal import Terminal
from open_ml_embed.core.words import counted

MOST_LINES = 20
"""Most lines of a table; the others are added up in one line. JSON has all."""


def ended(run: Callable[[], StepResult], build: Build, *, as_json: bool) -> StepResult:
    """Run a step, print its outcome and return its result. A refused result is printed before the error is raised.

    Args:
        run: runs the step.
        build: the profile.
        as_json: print JSON instead of a table.

    Raises:
        CorpusError: the step failed.

    """
    try:
        result = run()
    except (RefusedError, RefusedForNowError) as error:
        if error.result is not None:
            print_outcome(outcome_of(error.result, build.root), build.name, as_json=as_json)
        raise
    print_outcome(outcome_of(result, build.root), build.name, as_json=as_json)
    return result


_STYLES = {"failed": "red", "warning": "yellow"}


def print_outcome(outcome: Outcome, profile: str, *, as_json: bool = False) -> None:
    """Print a step's outcome to standard output: a table, or one JSON object."""
    if as_json:
        print_json(outcome.as_json(profile))
        return
    console = Terminal()
    table = _table(outcome)
    needed = console.measure(table, options=console.options.update(width=10_000)).maximum
    console.width = max(console.width, needed)  # a figure is never cut, whatever the width of the terminal
    count = f": {counted(len(outcome.lines), _kind(outcome))}" if outcome.lines else ""
    console.print(f"{outcome.step}, profile {profile}{count}", style="bold", soft_wrap=True)
    console.print(table)
    for note in outcome.notes:
        console.print(note, soft_wrap=True)
    for name, why in outcome.skipped.items():
        console.print(f"skipped {name}: {why}", soft_wrap=True)


def _table(outcome: Outcome) -> Table:
    shown = [column for column in outcome.form.columns if _is_shown(column, outcome)]
    table = Table(box=None, pad_edge=False)
    table.add_column("set" if outcome.step == "evaluations" else "source", no_wrap=True)
    for column in outcome.form.words:
        table.add_column(column.title, no_wrap=True)
    for column in (*shown, *([outcome.form.share] if outcome.form.share else [])):
        table.add_column(column.title, justify="right", no_wrap=True)

    def add(name: str, line: Line, style: str | None = None) -> None:
        words = [line.words.get(column.key, "") for column in outcome.form.words]
        cells = [*words, *(_cell(line.figures[column.key]) for column in shown)]
        table.add_row(name, *cells, *([] if line.share is None else [_percent(line.share)]), style=style)

    for line in outcome.lines[:MOST_LINES]:
        refused = line.source in outcome.refused
        style = "red" if refused else _STYLES.get(line.words.get("verdict", ""))
        add(f"{line.source} (refused)" if refused and not line.words else line.source, line, style)
    rest = outcome.lines[MOST_LINES:]
    if rest:
        summed = total_of(outcome.form, [line.figures for line in rest])
        add(f"{len(rest)} more", Line("", summed, share_of(outcome.form, summed)))
    add("total", outcome.total, "bold")
    return table


def _kind(outcome: Outcome) -> str:
    return "evaluation set" if outcome.step == "evaluations" else "source"


def _is_shown(column: Column, outcome: Outcome) -> bool:
    if column.shown == "some":
        return any(line.figures[column.key] for line in (*outcome.lines, outcome.total))
    return column.shown == "always"


def _cell(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _percent(share: float) -> str:
    """Format a share; a positive share is never shown as 0.0%, nor a share below 1 as 100.0%.

    >>> [_percent(share) for share in (0, 0.00001, 0.126, 0.99999, 1)]
    ['0.0%', '<0.1%', '12.6%', '>99.9%', '100.0%']
    """
    if 0 < share < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < share < 1 else f"{share:.1%}"
