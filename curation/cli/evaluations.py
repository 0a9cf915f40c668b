"""`curate evaluations`: list, show and download evaluation sets."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from curation.cli.options import AsJson, DryRun, Params, ProfileName
from curation.pipeline.opening import PARAMS, open_build
from open_ml_embed.core.printing import print_json, print_text

app = typer.Typer(no_args_is_help=False, help="List, show and fetch evaluation sets.")


@app.callback(invoke_without_command=True)
def evaluations(
    context: typer.Context,
    task: Annotated[list[str] | None, typer.Option(help="Names or patterns of MTEB tasks.")] = None,
    benchmark: Annotated[list[str] | None, typer.Option(help="For example `MTEB(Multilingual, v2)`.")] = None,
    kind: Annotated[list[str] | None, typer.Option("--type", help="For example Retrieval or STS.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="For example deu-Latn.")] = None,
    params: Params = PARAMS,
    *,
    as_json: AsJson = False,
) -> None:
    """List all or some evaluation sets."""
    from curation.decontamination.evaluation_sets import load_catalog, load_set, set_names
    from curation.decontamination.settings import MtebSettings

    if context.invoked_subcommand is not None:
        return
    everything = not (task or benchmark)
    chosen = MtebSettings(
        tasks=task or (["*"] if everything else []),
        benchmarks=benchmark or [],
        types=kind or [],
        languages=language or [],
    )
    listed = [
        {"name": t.name, "type": t.type, "origin": t.repo, "subsets": len(t.subsets), "languages": len(t.languages)}
        for t in load_catalog(params.parent).choose(chosen)
    ]
    if everything and not kind and not language:
        manifests = [load_set(name, params.parent) for name in set_names(params.parent)]
        listed += [
            {
                "name": m.name,
                "type": m.task,
                "origin": m.origin.kind,
                "subsets": len(m.subsets),
                "languages": len(m.languages()),
            }
            for m in manifests
        ]
    print_json(listed) if as_json else _print(listed)


@app.command("show")
def show_set(name: str, params: Params = PARAMS, *, as_json: AsJson = False) -> None:
    """Show the description of one evaluation set."""
    from curation.decontamination.evaluation_sets import load_catalog, load_set, set_names, task_types
    from open_ml_embed.core.errors import UnknownNameError

    catalog, root = load_catalog(params.parent), params.parent
    description: dict[str, Any]
    if name in catalog.tasks:
        task = catalog.tasks[name]
        description = task.model_dump(mode="json", exclude_defaults=True)
        description["benchmarks"] = [catalog.benchmarks[number] for number in task.benchmarks]
        description["texts"] = task_types()[task.type].model_dump(mode="json", exclude_defaults=True)
    elif name in set_names(root):
        description = load_set(name, root).model_dump(mode="json", exclude_defaults=True)
    else:
        raise UnknownNameError("evaluation set", name, [*catalog.tasks, *set_names(root)])
    print_json(description, indent=None if as_json else 1)


@app.command("fetch")
def fetch_all(
    profile: ProfileName = None, params: Params = PARAMS, *, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Download the evaluation sets of a profile, without comparing rows with them."""
    from curation.decontamination.origins import chosen_sets
    from curation.decontamination.step.run import run_fetch_sets
    from curation.pipeline.outcome_printing import ended

    build = open_build(profile, params)
    if dry_run:
        sets = chosen_sets(build.profile.decontaminate, build.root)
        print_text(f"evaluations fetch: {len(sets)} evaluation sets, profile {build.name}")
        return
    ended(lambda: run_fetch_sets(build), build, as_json=as_json)


@app.command("enumerate")
def enumerate_all(params: Params = PARAMS) -> None:
    """Write the tasks of the installed mteb package (extra `mteb`) to manifests/evaluations/mteb.jsonl."""
    from curation.decontamination.evaluation_sets import CATALOG
    from curation.decontamination.mteb_tasks import enumerate_tasks
    from sources.registry import FOLDER

    print_text(enumerate_tasks(params.parent / FOLDER / CATALOG))


def _print(listed: list[dict[str, Any]]) -> None:
    from open_ml_embed.core.fitting_table import Table
    from open_ml_embed.core.terminal import Terminal

    table = Table(title=f"{len(listed):,} evaluation sets")
    for column in ("name", "type", "origin", "subsets", "languages"):
        table.add_column(column, justify="right" if column in ("subsets", "languages") else "left")
    for entry in listed:
        table.add_row(*(str(value) for value in entry.values()))
    Terminal().print(table)
