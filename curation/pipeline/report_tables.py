"""The tables of the report, made from the current results of a build without writing a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.build import Build
from curation.pipeline.freshness import inputs_of
from curation.pipeline.runs import read_runs

if TYPE_CHECKING:
    from curation.report.data import ReportData


def report_tables(build: Build, *, with_runs: bool = False) -> ReportData:
    """Return the tables of a build.

    Args:
        build: the profile.
        with_runs: add the table `runs`: what the runs on this machine took, which equal builds do not have in common.

    Raises:
        StageError: nothing is normalized yet, or the result of a step that has run is not current.

    """
    from curation.report.data import collect  # it loads Parquet and the identifier's tables: only for those who ask
    from curation.report.tables.runs import runs_table

    data = collect(build, inputs_of(build, "report"))
    return data.beside(runs_table(read_runs(build))) if with_runs else data
