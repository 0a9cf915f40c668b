"""The tables of the report, made from the current results of a build without writing a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.build import Build
from curation.pipeline.freshness import inputs_of

if TYPE_CHECKING:
    from curation.report.data import ReportData


def report_tables(build: Build) -> ReportData:
    """Return the tables of a build.

    Raises:
        StageError: nothing is normalized yet, or the result of a step that has run is not current.

    """
    from curation.report.data import collect  # it loads Parquet and the identifier's tables: only for those who ask

    return collect(build, inputs_of(build, "report"))
