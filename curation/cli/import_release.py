"""`curate import-release`: the audit of a released corpus by one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from curation.cli.options import AsJson, Count, DryRun
from open_ml_embed.core.printing import print_json, print_text
from open_ml_embed.core.words import counted

MOST_LINES = 20


def import_release(
    release: Annotated[str, typer.Argument(metavar="DIR|REPO", help="A folder, or owner/name[@REVISION] of the Hub.")],
    to: Annotated[Path, typer.Option("--to", help="The project's folder: new, empty, or an import of the same.")],
    until: Annotated[
        str, typer.Option(help="The last step to run before the report; `none`: only write the project.")
    ] = "decontaminate",
    table: Annotated[
        Path | None, typer.Option(help="Which file has which rows; default: release.tsv beside them, or F2LLM-v2's.")
    ] = None,
    evaluation: Annotated[
        list[Path] | None, typer.Option(help="A set to compare with, in BEIR's layout; can be repeated.")
    ] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option(help="A benchmark of MTEB to compare with; can be repeated.")
    ] = None,
    endpoint: Annotated[str | None, typer.Option(help="Of the Hub; default: its own.", envvar="HF_ENDPOINT")] = None,
    workers: Count = 0,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a project of a released corpus in the layout of F2LLM-v2, run its steps, and write its report."""
    from curation.pipeline.chain import check_step, run_one, run_steps, steps_until
    from curation.pipeline.lock import alone
    from curation.pipeline.run import run_step
    from curation.release.project import MIXES
    from curation.release.run import import_release as write

    if until != "none":
        check_step(until, list(MIXES), "--until")
    done, build = write(
        release, to, table=table, evaluations=evaluation or [], benchmarks=benchmark or [], endpoint=endpoint,
        workers=workers, dry_run=dry_run,
    )  # fmt: skip
    said = done.as_json()
    if as_json:
        print_json({"step": "import-release", "project": str(to), "dry_run": dry_run, **said}, indent=None)
    else:
        print_text(f"{said['origin']} → {to}: {said['rows']:,} rows of {said['sources']} sources")
        _print_files(said["files"])
        if said["absent"]:
            print_text(f"  not there: {counted(len(said['absent']), 'file')} of the table")
    if build is None or until == "none":
        return
    wanted = steps_until(build, until)
    with alone(build):
        run_steps(build, wanted, lambda step, state: run_one(build, step, state, as_json=as_json))
        if "report" not in wanted:
            run_step(build, "report")
    path = str(build.out / "report.html")
    print_json({"step": "report", "profile": build.name, "path": path}, indent=None) if as_json else print_text(path)


def _print_files(files: list[dict[str, Any]]) -> None:
    for one in files[:MOST_LINES]:
        told = f"{one['instructed']:,} with an instruction" if one["instructed"] else "no instruction"
        table = "" if one["in_table"] else "; not in the table"
        print_text(
            f"  {one['file']}: {one['rows']:,} rows of {one['source']}, {one['family']}, "
            f"{counted(int(one['negatives']), 'negative')}, "
            f"{told}{table}"
        )
    if len(files) > MOST_LINES:
        print_text(f"  … and {len(files) - MOST_LINES} more; import.json has all")
