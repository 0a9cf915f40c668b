"""Writes docs/report.md from the forms of the report's tables: `python -m tools.report_reference`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from curation.report import compare, moved
from curation.report.data import FORMS
from curation.report.tables.form import Form
from curation.report.tables.runs import RUNS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "report.md"
HEAD = """# The report and its tables

The tables below are written from their definitions by `python -m tools.report_reference`; a test holds the page to
them.

```sh
curate report                  # out/<profile>/report.html, and contamination.html beside it
curate report --data FOLDER    # every table as JSON, CSV and Parquet, and tables.json, which lists them
curate report --data FOLDER --runs  # also what each run of a step took on this machine
curate diff A B                # two builds: settings, versions, rows gained, lost and changed, every figure
```

![Where the records of each source ended](report-funnel.png)

`report.html` is one file: no request, and one small script, which its content security policy names by hash. It sorts
and searches the tables, filters the example rows by source, language and verdict, and unfolds everything for print.
Without the script the page has the same content. `contamination.html` has the audit of evaluation sets alone, to be
published beside a model.

Both pages show the tables below and nothing else: a test finds every number of a page in the files of the tables, and
adds them up. Sums that must agree are checked whenever tables are made (`curation.report.sums`). Equal builds give
equal bytes, whatever the number of workers.

A profile chooses a tokenizer for lengths in tokens:

```yaml
report: {tokenizer: out/sample/model, token_rows: 1000} # a tokenizer.json, or a folder that holds one
```

## From Python

```python
import open_ml_embed as ome

build = ome.Build.from_params("params.yaml")
tables = build.tables()
tables["languages"].arrow  # a pyarrow.Table, its columns documented in the schema
tables.write(Path("statistics"))  # as `curate report --data statistics`
build.statistics("mine").tables  # those on one step, by name
```

## Beside what is published

`languages` counts one language a row, as the published corpus does (arXiv 2603.19223: 55,871,503 samples in 282
natural languages, 4,276,435 in 44 programming languages): the programming language if one of the sides is a program,
else the language of the query. So its rows add up to those of the build. Whether the authors took the query's side is
not published; the counts of languages that mostly stand opposite English fit it. `ring` and `kalm_datasets` put the
build beside KaLM-Embedding's training data. The published figures are in `curation/report/published`, with their
sources.

![Languages beside the published corpus](report-languages.png)

![The build and KaLM-Embedding's data](report-rings.png)

## Two builds

`curate diff` takes two profiles, `FILE:PROFILE` for one of another settings file, or folders that `--data` wrote.
Such a folder is small enough to commit, so that a diff shows what a change of settings did; from folders alone,
counts are compared, not rows. Rows are known by their ids, so a row that ends elsewhere in a mix is told from one
that came or went.

![Duplicates between sources](report-duplicates.png)

## Time and memory of the steps

Two equal builds take different times, so no table above and no page holds one. Each run of a step adds a line to
`work/<profile>/.runs.jsonl`: when it began, how it ended, seconds by the clock, CPU seconds of all processes, bytes of
the largest process, workers, tasks, and the version and commit of the program. The file stays on the machine, also if
`work` is an object store; `curate verify` passes it over, and it may be deleted. `curate status` shows the last run of
each step (`last_runs` with `--json`), and `--runs` writes all as the table [`runs`](#runs). From Python:
`build.tables(with_runs=True)["runs"]`.

## Measured

The rehearsed corpus ([scale](scale.md)) at 10 %, 5.1 million rows of 121 sources in 246 languages: `/usr/bin/time -v
curate report` takes 49 s of CPU time and 703 MB on a busy machine with two cores; the page has 3.6 MB. What chromium
needs for the page of the smallest rehearsal, all 121 sources beside the 282 published languages, and the pictures on
this page and in the README, whose texts are made up:

```sh
.venv/bin/python -m benchmarks.rehearsal --fraction 0.001 --keep
.venv/bin/python -m benchmarks.report_page work/rehearsal/0.001/out/rehearsal/report.html --pictures docs
```

| 3.0 MB; CPU seconds of the page's main thread | 390 px | 1,200 px | 2,000 px |
| --- | --- | --- | --- |
| open, to the first frame | 0.30 | 0.28 | 0.30 |
| scroll to the end | 0.34 | 0.33 | 0.42 |
| example rows of one language | 0.04 | 0.04 | 0.06 |
| unfold everything | 0.44 | 0.36 | 0.41 |

Sections and groups of example rows that are out of sight are not laid out until they come into it
(`content-visibility`). The benchmark fails at 5 MB, or at a second to open at 390 px.

## Tables

Types are those of Arrow: string, int64, float64 (`share`s are from 0 to 1) and bool.
"""
ON_REQUEST = """## Table of runs
"""
DIFF = """## Tables of `curate diff`

As `curate diff A B --json` has them.
"""


def page() -> str:
    """Return the page."""
    return "\n".join(
        [
            HEAD,
            *_described(FORMS.values()),
            ON_REQUEST,
            *_described([RUNS]),
            DIFF,
            *_described((*compare.FORMS, moved.MOVED)),
        ]
    )


def _described(forms: Iterable[Form]) -> list[str]:
    parts = []
    for form in forms:
        rows = [f"| `{c.name}` | {c.type} | {c.what.replace('|', chr(92) + '|')} |" for c in form.columns]
        head = f"### {form.name}\n\n{form.what} Step: {form.step}.\n\n"
        parts.append(head + "\n".join(["| column | type | what it is |", "| --- | --- | --- |", *rows]) + "\n")
    return parts


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
