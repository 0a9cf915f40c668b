"""`curate build`: the whole chain over files of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curation.cli.options import AsJson, Count, DryRun
from open_ml_embed.core.errors import MissingPackageError
from open_ml_embed.core.printing import print_json, print_text


def build_own(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="jsonl, json, csv, tsv or parquet.")],
    to: Annotated[
        str, typer.Option("--to", help="The last step before the report: normalize, dedup, mine, mix …")
    ] = "mix",
    project: Annotated[Path, typer.Option(help="Folder of the project; it need not be there.")] = Path(),
    instruction: Annotated[str | None, typer.Option(help="Task instruction of all queries, one line.")] = None,
    negatives: Annotated[int | None, typer.Option(min=1, help="Hard negatives a row; default: 8.")] = None,
    evaluation: Annotated[
        list[Path] | None, typer.Option(help="A set to compare with, in BEIR's layout; can be repeated.")
    ] = None,
    workers: Count = 0,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Build a mix from your own queries and answers, without a manifest; docs/import.md has the columns."""
    from curation.pipeline.chain import check_step, run_one, run_steps, steps_until
    from curation.pipeline.lock import alone
    from curation.pipeline.own_data import MIX, own_project
    from curation.pipeline.run import run_step

    check_step(to, [MIX], "--to")
    if dry_run:
        print_text(f"build: {', '.join(map(str, files))} up to {to}, in {project}")
        return
    sources, made = own_project(
        files, project, instruction=instruction, negatives=negatives, evaluations=evaluation or [], workers=workers
    )
    wanted = steps_until(made, to)
    if not as_json:
        for source in sources:
            print_text(f"{source.manifest}: {'guessed from the file' if source.guesses else 'as it is'}")
            for section, why in source.guesses.items():
                print_text(f"  {section}: {why}")
    with alone(made):
        run_steps(made, wanted, lambda step, state: run_one(made, step, state, as_json=as_json))
        report: str | None = str(made.out / "report.html")
        if "report" not in wanted:
            try:
                run_step(made, "report")
            except MissingPackageError as error:  # the plain installation has no report
                report = None
                print_text(f"no report: {error}", error=True)
    mix = str(made.mix(MIX)) if any(step.startswith("mix-") for step in wanted) else None
    if as_json:
        print_json({"step": "build", "mix": mix, "report": report}, indent=None)
        return
    for path in (mix, report):
        if path is not None:
            print_text(path)
