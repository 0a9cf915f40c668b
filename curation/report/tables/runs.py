"""The table of runs: what each took on this machine. It is written on request only, since equal builds differ in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from curation.pipeline.runs import Run
from curation.report.tables.form import Column, Form, ReportTable

RUNS = Form(
    "runs",
    "report",
    "A row for each run of a step that is on record on this machine, in the order in which they ended; of each step "
    "the last 100. Only with `--runs`.",
    ("step", "started"),
    (
        Column("step", "name", "As the command names it."),
        Column("started", "name", "Date and time in UTC, ISO 8601."),
        Column(
            "end",
            "name",
            "done; refused: it ran to its end, but some sources failed; failed; stopped: by a signal or Ctrl-C.",
        ),
        Column("seconds", "number", "Seconds by the clock, without the start of the program."),
        Column("cpu_seconds", "number", "CPU seconds of all processes."),
        Column("peak_memory", "count", "Bytes of memory that the largest process held at its peak."),
        Column("engine", "name", "local or ray."),
        Column("workers", "count", "Tasks at once; null: as many as the cluster has cores."),
        Column("tasks_done", "count", "Tasks that the run finished; 0 where a step has none."),
        Column("tasks_resumed", "count", "Tasks that were done before the run."),
        Column("version", "name", "Version of this program."),
        Column("commit", "name", "Git commit of its code, with -dirty if its files have changed since; null: unknown."),
    ),
)


def runs_table(runs: Iterable[Run]) -> ReportTable:
    """Return the table."""
    return RUNS.fill(tuple(asdict(run)[column.name] for column in RUNS.columns) for run in runs)
