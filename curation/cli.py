"""The `curate` command: one verb a step, and verbs to look before (`plan`), during (`status`) and after (`show`)."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from curation.decontaminate.cli import app as evaluations_app
from curation.engine import Workers
from curation.langid.cli import app as langid_app
from curation.settings import load_profile
from curation.steps import Build, StepResult
from sources.errors import CorpusError, SettingsError, StageError, TransientError

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

sources_app = typer.Typer(no_args_is_help=False)
app.add_typer(sources_app, name="sources")
app.add_typer(langid_app, name="langid")
app.add_typer(evaluations_app, name="evaluations")

ProfileName = Annotated[str | None, typer.Option("--profile", help="Section of params.yaml.", envvar="CURATE_PROFILE")]
Params = Annotated[Path, typer.Option("--params", help="The settings file; its folder holds work/ and out/.")]
Count = Annotated[int, typer.Option("--workers", help="Tasks at once; 0: one per core.", envvar="CURATE_WORKERS")]
Engine = Annotated[str, typer.Option("--engine", help="local or ray.", envvar="CURATE_ENGINE")]
Address = Annotated[str | None, typer.Option("--ray-address", help="A running Ray cluster.", envvar="RAY_ADDRESS")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Language = Annotated[str | None, typer.Option(help="A code, a tag or a programming language: deu, srp-Cyrl, python.")]
Family = Annotated[str | None, typer.Option(help="retrieval, clustering or classification.")]
Task = Annotated[str | None, typer.Option(help="Task type, as question-answering.")]
Licence = Annotated[str | None, typer.Option(help="commercial, redistribution, or an identifier.")]
Access = Annotated[str | None, typer.Option(help="open, gated, manual, dead; several with commas.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]

PARAMS = Path("params.yaml")


def _build(profile: str | None, params: Path, workers: int = 0, engine: str = "local", ray: str | None = None) -> Build:
    if engine not in ("local", "ray"):
        raise SettingsError(f"unknown engine {engine!r}", where="--engine", remedy="local or ray")
    if workers < 0:
        raise SettingsError(f"{workers} workers cannot work", where="--workers", remedy="a number, or 0: one per core")
    name, settings = load_profile(params, profile)
    kind: Any = engine
    return Build(name, settings, params.resolve().parent, Workers(kind, workers, ray))


@contextmanager
def _alone(build: Build) -> Iterator[None]:
    """Hold the build's lock: two runs of one profile would write the same temporary files."""
    folder = build.root / "work" / build.name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StageError(
                "another run of this profile is at work", where=str(folder), remedy="wait for it, or end it"
            ) from None
        yield


def _step(run: Callable[[Build], StepResult], build: Build, *, dry_run: bool, what: str) -> None:
    if dry_run:
        sources = build.manifests()
        print(f"{what}: {len(sources)} sources, {sum(len(m.subsets) for m in sources)} subsets, profile {build.name}")
        return
    with _alone(build):
        run(build)


def _verb(name: str, what: str, load: Callable[[], Callable[[Build], StepResult]]) -> None:
    def command(
        profile: ProfileName = None, params: Params = PARAMS, workers: Count = 0, engine: Engine = "local",
        ray_address: Address = None, *, dry_run: DryRun = False,
    ) -> None:  # fmt: skip
        _step(load(), _build(profile, params, workers, engine, ray_address), dry_run=dry_run, what=what)

    app.command(name, help=what)(command)


def _fetch() -> Callable[[Build], StepResult]:
    from curation.fetching import run_fetch

    return run_fetch


def _normalise() -> Callable[[Build], StepResult]:
    from curation.normalising import run_normalise

    return run_normalise


def _identify() -> Callable[[Build], StepResult]:
    from curation.langid.step import run_identify

    return run_identify


def _dedup() -> Callable[[Build], StepResult]:
    from curation.dedup.step import run_dedup

    return run_dedup


_verb("fetch", "Bring the raw files of every source here.", _fetch)
_verb("normalise", "Turn raw files into rows.", _normalise)
_verb("identify", "Identify the language of every text.", _identify)
_verb("dedup", "Find exact and near-duplicates across all sources.", _dedup)


@app.command()
def decontaminate(
    profile: ProfileName = None, params: Params = PARAMS, workers: Count = 0, engine: Engine = "local",
    ray_address: Address = None,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(help="A folder with queries.jsonl, corpus.jsonl and qrels/, beside the profile's sets."),
    ] = None,
    *, dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Find the rows that evaluation sets have too; `curate evaluations` lists what there is."""
    from curation.decontaminate.origins import chosen_sets
    from curation.decontaminate.step import run_decontaminate, with_folders

    build = with_folders(_build(profile, params, workers, engine, ray_address), evaluation or [])
    if dry_run:
        sets = chosen_sets(build.profile.decontaminate, build.root)
        print(f"decontaminate: {len(sets)} evaluation sets, profile {build.name}")
        return
    with _alone(build):
        run_decontaminate(build)


@app.command()
def mine(
    profile: ProfileName = None, params: Params = PARAMS, workers: Count = 0, engine: Engine = "local",
    ray_address: Address = None,
    teacher: Annotated[
        str | None,
        typer.Option(help="Instead of the profile's: bm25, owner/name@COMMIT, a folder, package:NAME, vectors:FOLDER."),
    ] = None,
    *, dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Find hard negatives for every row."""
    from curation.mining.step import run_mine, with_teacher

    build = _build(profile, params, workers, engine, ray_address)
    _step(run_mine, with_teacher(build, teacher) if teacher else build, dry_run=dry_run, what="mine")


@app.command()
def mix(name: str, profile: ProfileName = None, params: Params = PARAMS, *, dry_run: DryRun = False) -> None:
    """Build one mix (retrieval, instruction) from everything before it."""
    from curation.mix.recipe import load_recipe
    from curation.mix.step import run_mix

    build = _build(profile, params)
    recipe = load_recipe(name)
    if dry_run:
        held = [m.name for m in build.manifests() if recipe.holds(m.name)]
        print(f"mix {name}: {', '.join(held) or 'no source of this profile'}")
        return
    with _alone(build):
        run_mix(build, name)


@app.command()
def report(profile: ProfileName = None, params: Params = PARAMS) -> None:
    """Write the statistics report: one self-contained HTML file."""
    from curation.report.step import run_report

    print(run_report(_build(profile, params)))


@app.command()
def plan(
    profile: ProfileName = None, params: Params = PARAMS, language: Language = None, family: Family = None,
    task: Task = None, licence: Licence = None, access: Access = None,
    workers: Annotated[int, typer.Option(help="How many share the work, for the hours; 0: one per core.")] = 1,
    *, without_gated: Annotated[bool, typer.Option("--without-gated", help="Leave gated sources out.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say what a build will give, cost and be allowed for, from the manifests alone, before any work."""
    from curation.plan import make_plan, print_plan
    from curation.selection import Filter

    build = _build(profile, params, workers)
    chosen = Filter(language, family, task, licence, access)
    if without_gated:
        chosen = chosen.without("gated")
    made = make_plan(build, chosen, workers=build.workers.number)
    print(json.dumps(made, ensure_ascii=False, indent=1)) if as_json else print_plan(made)


@app.command()
def lock(profile: ProfileName = None, params: Params = PARAMS) -> None:
    """Resolve every Hub revision of the profile's sources to a commit, and write the lock file."""
    from curation.locking import run_lock

    print(run_lock(_build(profile, params)))


@app.command()
def status(profile: ProfileName = None, params: Params = PARAMS, *, as_json: AsJson = False) -> None:
    """Say how far a build is: steps done, shards, rows, languages, mixes."""
    from curation.status import make_status, print_status

    made = make_status(_build(profile, params))
    print(json.dumps(made, ensure_ascii=False, indent=1)) if as_json else print_status(made)


@app.command()
def show(
    source: str, subset: Annotated[str | None, typer.Argument()] = None, profile: ProfileName = None,
    params: Params = PARAMS, rows: Annotated[int, typer.Option("--rows", "-n")] = 3,
    row_id: Annotated[str | None, typer.Option(help="Show this row only.")] = None,
    *, quarantined: Annotated[bool, typer.Option(help="Show quarantined records instead.")] = False,
    disagreements: Annotated[
        bool, typer.Option("--disagreements", help="Show where declared and identified languages differ.")
    ] = False,
) -> None:  # fmt: skip
    """Look at rows of a source with everything the steps have found out about them."""
    from curation.show import show_disagreements, show_quarantine, show_rows

    build = _build(profile, params)
    if disagreements:
        show_disagreements(build, source)
    elif quarantined:
        show_quarantine(build, source, subset, rows)
    else:
        show_rows(build, source, subset, rows, row_id)


@sources_app.callback(invoke_without_command=True)
def sources(
    context: typer.Context, language: Language = None, family: Family = None, task: Task = None,
    licence: Licence = None, access: Access = None, *, as_json: AsJson = False,
) -> None:  # fmt: skip
    """List the sources, all or some."""
    from curation.catalogue import list_sources
    from curation.selection import Filter

    if context.invoked_subcommand is None:
        list_sources(Filter(language, family, task, licence, access), as_json=as_json)


@sources_app.command("show")
def show_source(name: str, *, as_json: AsJson = False) -> None:
    """Tell everything about one source."""
    from curation.catalogue import show_source

    show_source(name, as_json=as_json)


def main() -> None:
    """Run the command; a user's error is a message and exit code 1 (2: worth trying again), never a traceback."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        app()
    except CorpusError as error:
        Console(stderr=True, highlight=False).print(f"[bold red]error[/] {_escaped(str(error))}")
        sys.exit(2 if isinstance(error, TransientError) else 1)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


if __name__ == "__main__":
    main()
