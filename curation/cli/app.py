"""The `curate` command: one subcommand for each step, and `plan`, `status` and `show` to inspect a build."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from curation.build import Build
from curation.cli.build_own import build_own
from curation.cli.diff import diff
from curation.cli.evaluations import app as evaluations_app
from curation.cli.export import export
from curation.cli.import_release import import_release
from curation.cli.langid import app as langid_app
from curation.cli.options import (
    HELP,
    Address,
    AsJson,
    Count,
    DryRun,
    Engine,
    Params,
    ProfileName,
    run_program,
    with_version,
    with_volume,
)
from curation.cli.publish import publish
from curation.cli.run import run
from curation.cli.verify import verify
from curation.pipeline.lock import alone
from curation.pipeline.opening import PARAMS, open_build
from curation.pipeline.outcome_printing import ended
from curation.pipeline.run import run_step
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.printing import print_json, print_text
from open_ml_embed.core.terminal import Terminal
from open_ml_embed.core.words import counted

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__, context_settings=HELP)
with_version(app)

sources_app = typer.Typer(no_args_is_help=False)
app.add_typer(sources_app, name="sources")
app.add_typer(langid_app, name="langid")
app.add_typer(evaluations_app, name="evaluations")

Collection = Annotated[
    str | None, typer.Option(help="ml-embed, f2llm-v2 (which includes it), kalm, community or offline.")
]
Language = Annotated[str | None, typer.Option(help="A code, a tag or a programming language: deu, srp-Cyrl, python.")]
Family = Annotated[str | None, typer.Option(help="retrieval, clustering or classification.")]
Task = Annotated[str | None, typer.Option(help="Task type, for example question-answering.")]
License = Annotated[str | None, typer.Option(help="commercial, redistribution, or a license identifier.")]
Access = Annotated[str | None, typer.Option(help="open, gated, manual or dead; separate several by commas.")]


def _run(step: str, build: Build, *, dry_run: bool, as_json: bool, of: str = "") -> None:
    """Run a step while no other run of the profile does, and print its outcome; or print what a run would do.

    Args:
        step: the name of its file.
        build: the profile.
        dry_run: only print.
        as_json: print JSON.
        of: what it works on, for a dry run; empty: the sources of the profile.

    """
    if dry_run:
        from curation.pipeline.dry_run import planned

        ((name, plan),) = planned(build, [step]).items()
        if as_json:
            print_json({"step": name, "profile": build.name, "plan": plan.as_json()})
            return
        if not of:
            sources = build.manifests()
            of = f"{counted(len(sources), 'source')}, {counted(sum(len(m.subsets) for m in sources), 'subset')}"
        print_text(f"{name}, profile {build.name}, {of}: {plan}")
        return
    with alone(build):
        ended(lambda: run_step(build, step), build, as_json=as_json)


def _verb(name: str, what: str) -> None:
    def command(
        profile: ProfileName = None,
        params: Params = PARAMS,
        workers: Count = 0,
        engine: Engine = "local",
        ray_address: Address = None,
        *,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        build = open_build(profile, params, workers, engine, ray_address)
        _run(name, build, dry_run=dry_run, as_json=as_json)

    app.command(name, help=what)(command)


_verb("fetch", "Download the raw files of every source.")
_verb("normalize", "Convert raw files to rows.")
_verb("identify", "Identify the language of every text.")
_verb("measure", "Measure the quality of every row: near-empty, repeating and equal texts.")
_verb("dedup", "Find exact and near-duplicates across all sources.")


@app.command()
def decontaminate(
    profile: ProfileName = None,
    params: Params = PARAMS,
    workers: Count = 0,
    engine: Engine = "local",
    ray_address: Address = None,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(help="An additional set: a folder with queries.jsonl, corpus.jsonl and qrels/."),
    ] = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Find rows that overlap with evaluation sets; `curate evaluations` lists the known sets."""
    from curation.decontamination.origins import chosen_sets
    from curation.pipeline.overrides import with_folders
    from curation.pipeline.validation import check_evaluation_sets

    build = with_folders(open_build(profile, params, workers, engine, ray_address), evaluation or [])
    check_evaluation_sets(build, "--evaluation")
    sets = chosen_sets(build.profile.decontaminate, build.root)
    _run("decontaminate", build, dry_run=dry_run, as_json=as_json, of=counted(len(sets), "evaluation set"))


@app.command()
def mine(
    profile: ProfileName = None,
    params: Params = PARAMS,
    workers: Count = 0,
    engine: Engine = "local",
    ray_address: Address = None,
    teacher: Annotated[
        str | None,
        typer.Option(help="Overrides the profile: bm25, owner/name@COMMIT, a folder, package:NAME or vectors:FOLDER."),
    ] = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Find hard negatives for every row."""
    from curation.pipeline.overrides import with_teacher

    build = open_build(profile, params, workers, engine, ray_address)
    build = with_teacher(build, teacher) if teacher else build
    _run("mine", build, dry_run=dry_run, as_json=as_json)


@app.command()
def mix(
    name: str,
    profile: ProfileName = None,
    params: Params = PARAMS,
    workers: Count = 0,
    engine: Engine = "local",
    ray_address: Address = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Build one mix of the profile (retrieval, instruction, or your own) from the results of the other steps."""
    from curation.mixing.recipe import built_mixes, load_recipe

    build = open_build(profile, params, workers, engine, ray_address)
    recipe = load_recipe(name, build.root)
    if name not in built_mixes(build.profile, build.root):
        raise SettingsError(
            f"the profile does not build the mix {name}",
            where=f"profile {build.name}: mixes",
            remedy=f"add `{name}: {{}}` to the profile's section `mixes`",
        )
    names = [m.name for m in build.sources() if recipe.holds(m.name)] if dry_run else []
    of = ", ".join(names) or "no source of this profile"
    _run(f"mix-{name}", build, dry_run=dry_run, as_json=as_json, of=of)


app.command("run")(run)
app.command("build")(build_own)
app.command()(export)
app.command()(publish)
app.command("import-release")(import_release)
app.command()(verify)


@app.command()
def report(
    profile: ProfileName = None,
    params: Params = PARAMS,
    data: Annotated[
        Path | None,
        typer.Option(help="Write every table of the report to this folder instead, as JSON, CSV and Parquet."),
    ] = None,
    *,
    with_runs: Annotated[
        bool,
        typer.Option("--runs", help="With --data: also the table of runs, what each step took on this machine."),
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write the statistics report: one self-contained HTML file; or its tables as data."""
    if with_runs and data is None:
        raise SettingsError(
            "the runs are no part of the page",
            where="curate report --runs",
            remedy="give --data FOLDER with it; `curate status` shows the last run of each step",
        )
    build = open_build(profile, params)
    path = str(data or build.out / "report.html")
    if dry_run:
        print_text(f"report: {path}")
        return
    if data is None:
        run_step(build, "report")
    else:
        from curation.pipeline.report_tables import report_tables

        report_tables(build, with_runs=with_runs).write(data)
    print_json({"step": "report", "profile": build.name, "path": path}, indent=None) if as_json else print_text(path)


app.command()(diff)


@app.command()
def plan(
    profile: ProfileName = None,
    params: Params = PARAMS,
    language: Language = None,
    family: Family = None,
    task: Task = None,
    license: License = None,
    access: Access = None,
    workers: Annotated[
        int, typer.Option(help="Workers for the estimate of hours; 0: one per core.", envvar="CURATE_WORKERS")
    ] = 1,
    *,
    without_gated: Annotated[bool, typer.Option("--without-gated", help="Leave gated sources out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show rows, download, hours and licenses of a build, from the manifests, before any work."""
    from curation.pipeline.plan import make_plan, print_plan
    from curation.pipeline.source_filter import Filter

    build = open_build(profile, params, workers)
    chosen = Filter(language, family, task, license, access)
    if without_gated:
        chosen = chosen.without("gated")
    result = make_plan(build, chosen, workers=build.workers.number)
    print_json(result) if as_json else print_plan(result)


@app.command()
def probe(
    source: Annotated[list[str] | None, typer.Argument(help="Sources; default: all of the profile.")] = None,
    profile: ProfileName = None,
    params: Params = PARAMS,
    workers: Annotated[int, typer.Option(help="Concurrent requests; 0: eight.", envvar="CURATE_WORKERS")] = 0,
    *,
    again: Annotated[bool, typer.Option("--again", help="Ignore the results of earlier probes.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Read the first records of remote raw files and check them against the manifests, before a long download."""
    from curation.probe.run import ProbeFailedError, ProbeFailedForNowError, chosen_sources, run_probe, unprobed_sources
    from curation.probe.table import print_probed

    build = open_build(profile, params, workers)
    if dry_run:
        chosen = chosen_sources(build, source or ())
        todo = unprobed_sources(build, chosen, again=again)
        print_text(
            f"probe: {len(todo)} of {len(chosen)} sources, the others are kept from before; profile {build.name}"
        )
        return
    try:
        result = run_probe(build, source or (), again=again, threads=workers)
    except (ProbeFailedError, ProbeFailedForNowError) as error:
        print_probed(error.result, as_json=as_json, closely=bool(source))
        raise
    print_probed(result, as_json=as_json, closely=bool(source))


@app.command()
def lock(
    profile: ProfileName = None, params: Params = PARAMS, *, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Resolve the Hub revisions of the profile's sources to commits, and write the lock file."""
    from curation.fetch.lock import locked_sources, run_lock
    from curation.raw_files import lock_path

    build = open_build(profile, params)
    if dry_run:
        print_text(f"lock: {len(locked_sources(build))} sources of the Hub, to {lock_path(build)}")
        return
    ended(lambda: run_lock(build), build, as_json=as_json)


@app.command()
def status(
    profile: ProfileName = None,
    params: Params = PARAMS,
    *,
    as_json: AsJson = False,
    watch: Annotated[
        float | None, typer.Option("--watch", metavar="SECONDS", min=0.5, help="Show it again and again, until Ctrl-C.")
    ] = None,
) -> None:
    """Show the state of a build: steps, rows, languages, mixes, model, and what is at work now."""
    from curation.pipeline.status import make_status, print_status

    while True:
        result = make_status(open_build(profile, params))
        if watch is not None and not as_json:
            Terminal().clear()  # nothing where this is no terminal
        print_json(result, indent=1 if watch is None else None) if as_json else print_status(result)
        if watch is None:
            return
        sys.stdout.flush()
        time.sleep(watch)


@app.command()
def settings(
    profile: ProfileName = None, params: Params = PARAMS, *, as_json: AsJson = False, dry_run: DryRun = False
) -> None:
    """Check every name in a profile, and write the settings that each step reads, defaults included."""
    from curation.pipeline.dvc_files import check_pipeline
    from curation.pipeline.dvc_inputs import step_inputs, write_step_inputs
    from curation.pipeline.part import check_whole
    from curation.pipeline.validation import trained_on
    from curation.settings import load_profile

    build = open_build(profile, params)
    check_whole(build, "a list of the settings that each step reads")
    check_pipeline(build, params, trained_on(build, str(params)))
    as_written = replace(build, profile=load_profile(params, build.name)[1])  # with the paths as written in the file
    inputs = step_inputs(as_written) if dry_run else write_step_inputs(as_written)
    print_json(inputs) if as_json else print_text(f"{build.name}: {', '.join(inputs)}")


@app.command("dvc")
def write_dvc(profile: ProfileName = None, params: Params = PARAMS, *, dry_run: DryRun = False) -> None:
    """Write the DVC pipelines of all profiles, or of one: pipelines/<profile>/dvc.yaml."""
    from curation.pipeline.dvc_files import write_pipelines
    from curation.pipeline.part import check_whole
    from open_ml_embed.core.params import read_profiles

    builds = [open_build(name, params) for name in ([profile] if profile else read_profiles(params)[0])]
    for build in builds:
        check_whole(build, "a pipeline")
    for line in write_pipelines(builds, params, dry_run=dry_run):
        print_text(line)


@app.command("init")
def new_project(
    folder: Annotated[Path, typer.Argument(help="Folder of the project; default: the current one.")] = Path(),
    *,
    dry_run: DryRun = False,
) -> None:
    """Create a new project with example settings, a mix, a source and pipelines."""
    from curation.pipeline.dvc_files import write_pipelines
    from curation.pipeline.new_project import PIPELINES, write_project

    written = write_project(folder, dry_run=dry_run)
    params = folder / "params.yaml"
    if dry_run:
        print_text("\n".join(f"{folder / name}: would be written" for name in (*written, *PIPELINES)))
        return
    lines = [f"{name}: written" for name in written]
    print_text("\n".join([*lines, *write_pipelines([open_build(None, params)], params, dry_run=False)]))
    where = "" if folder == Path() else f"cd {folder}; "
    print_text(f"next: {where}curate plan; curate fetch; curate normalize; curate status")


@app.command()
def show(
    source: str,
    subset: Annotated[str | None, typer.Argument()] = None,
    profile: ProfileName = None,
    params: Params = PARAMS,
    rows: Annotated[int, typer.Option("--rows", "-n")] = 3,
    row_id: Annotated[str | None, typer.Option(help="Show this row only.")] = None,
    *,
    quarantined: Annotated[
        bool, typer.Option(help="Show quarantined records and unread files instead of rows.")
    ] = False,
    disagreements: Annotated[
        bool, typer.Option("--disagreements", help="Show texts whose declared and identified languages differ.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show rows of a source with the results of all steps for them."""
    from curation.pipeline.show import show_disagreements, show_quarantine, show_rows

    build = open_build(profile, params)
    if disagreements:
        show_disagreements(build, source, as_json=as_json)
    elif quarantined:
        show_quarantine(build, source, subset, rows, as_json=as_json)
    else:
        show_rows(build, source, subset, rows, row_id, as_json=as_json)


@sources_app.callback(invoke_without_command=True)
def sources(
    context: typer.Context,
    language: Language = None,
    family: Family = None,
    task: Task = None,
    license: License = None,
    access: Access = None,
    collection: Collection = None,
    params: Params = PARAMS,
    *,
    as_json: AsJson = False,
) -> None:
    """List all or some sources, including those in `manifests/` next to the settings file."""
    from curation.pipeline.source_filter import Filter
    from curation.pipeline.source_listing import list_sources

    if context.invoked_subcommand is None:
        list_sources(Filter(language, family, task, license, access, collection), params.parent, as_json=as_json)


@sources_app.command("show")
def show_source(name: str, params: Params = PARAMS, *, as_json: AsJson = False) -> None:
    """Show the manifest of one source."""
    from curation.pipeline.source_listing import show_source

    show_source(name, params.parent, as_json=as_json)


@sources_app.command("new")
def new_source(
    dataset: Annotated[str, typer.Argument(metavar="owner/name|FILE|FOLDER", help="Of the Hub, or of this machine.")],
    name: Annotated[str | None, typer.Option(help="Of the source; default: from the dataset's.")] = None,
    params: Params = PARAMS,
    *,
    dry_run: DryRun = False,
) -> None:
    """Draft a manifest from a dataset: its files, the head of one, its card; what is guessed says why."""
    from curation.probe.drafting import manifest_path, next_steps, place_of, write_draft

    place = place_of(params)
    if dry_run:
        print_text(f"{manifest_path(place, dataset, name)}: would be drafted from {dataset}")
        return
    draft, path = write_draft(place, dataset, name)
    print_text("\n".join(next_steps(place, draft, path)))


@sources_app.command("check")
def check_source(name: str, params: Params = PARAMS, *, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Try one manifest on the head of its files: the first rows as they would become, and what is wrong."""
    from curation.probe.drafting import check_source, place_of
    from curation.probe.run import ProbeFailedError, ProbeFailedForNowError
    from curation.probe.table import print_probed
    from sources import registry

    place = place_of(params)
    if dry_run:
        print_text(f"sources check: {registry.load(name, place.root).name}")
        return
    try:
        found = check_source(place, name)
    except (ProbeFailedError, ProbeFailedForNowError) as error:
        print_probed(error.result, as_json=as_json, closely=True)
        raise
    print_probed(found, as_json=as_json, closely=True)


with_volume(app)


def main() -> None:
    """Run the command; see `curation.cli.options.run_program` for errors and exit codes."""
    run_program(app)


if __name__ == "__main__":
    main()
