"""`curate report`: write the report and its tables."""

from __future__ import annotations

import xxhash

from curation.build import Build, StepResult
from curation.build import Inputs as StepInputs
from curation.report.data import collect
from curation.report.page import contamination_page, report_page
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.store import Output

PAGES = {"report.html": report_page, "contamination.html": contamination_page}
"""File below `out/<profile>/` → what makes it of the tables."""


def run_report(build: Build, read: StepInputs) -> StepResult:
    """Write `out/<profile>/report.html` and `contamination.html`; equal inputs give equal bytes.

    Only `normalize` must have been run. The section of a step that has not been run says so.

    Args:
        build: the profile.
        read: results of the steps before.

    Raises:
        StageError: nothing is normalized yet, or the result of a step that has run is not current.

    """
    data = collect(build, read)
    written = {name: page(data, build.name) for name, page in PAGES.items()}
    read.begin()
    files = []
    for name, html in written.items():
        write_whole(build.out / name, html)
        files.append(Output(name, 0, len(html), xxhash.xxh3_128_hexdigest(html)))
    result = read.result(files=files)
    build.save(result)
    return result
