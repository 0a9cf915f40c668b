"""Options and functions that the commands `curate` and `train3d` share: opening a profile, errors, exit codes.

Both commands work in the folder of the file that `--params` names: it holds `work/`, `out/` and `mixes/`, and relative
paths in the settings start there, whatever the current directory is. docs/outcome.md lists the exit codes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from curation.build import Build
from curation.settings import Profile, load_profile
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.errors import CorpusError, SettingsError, exit_code
from open_ml_embed.core.params import from_root

ProfileName = Annotated[
    str | None,
    typer.Option("--profile", help="Section of params.yaml; default: the one that it names.", envvar="CURATE_PROFILE"),
]
Params = Annotated[
    Path, typer.Option("--params", help="The settings file; its folder holds work/, out/ and your own mixes.")
]
Count = Annotated[int, typer.Option("--workers", help="Concurrent tasks; 0: one per core.", envvar="CURATE_WORKERS")]
Engine = Annotated[str, typer.Option("--engine", help="local or ray.", envvar="CURATE_ENGINE")]
Address = Annotated[
    str | None, typer.Option("--ray-address", help="Address of a running Ray cluster.", envvar="RAY_ADDRESS")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]

PARAMS = Path("params.yaml")


def open_build(
    profile: str | None, params: Path, workers: int = 0, engine: str = "local", ray_address: str | None = None
) -> Build:
    """Load a profile, check all its names, and return its build.

    Args:
        profile: name; null: the default profile of the settings file.
        params: the settings file.
        workers: concurrent tasks; 0: one per core.
        engine: `local` or `ray`.
        ray_address: of a running Ray cluster.

    Raises:
        SettingsError: the engine or the number of workers is not valid.
        CorpusError: see `curation.settings.load_profile` and `curation.pipeline.validation.check_profile`.

    """
    if engine not in ("local", "ray"):
        raise SettingsError(f"unknown engine {engine!r}", where="--engine", remedy="local or ray")
    if workers < 0:
        raise SettingsError(f"{workers} is not a number of workers", where="--workers", remedy="at least 0 (all cores)")
    name, settings = load_profile(params, profile)
    kind: Any = engine
    root = params.resolve().parent
    options = (f" --profile {name}" if profile else "") + ("" if params == PARAMS else f" --params {params}")
    build = Build(name, _rooted(settings, root), root, Workers(kind, workers, ray_address), options=options)
    from curation.pipeline.validation import check_profile  # imported here because it loads the readers

    check_profile(build, f"{params}, profile {name}")
    return build


def _rooted(profile: Profile, root: Path) -> Profile:
    """Return the profile with the paths of its models changed to paths from the current directory (see `from_root`)."""
    languages, mining = profile.languages, profile.mining
    if languages.model is not None:
        languages = languages.model_copy(update={"model": from_root(languages.model, root)})
    teacher = mining.teacher
    if teacher.dense:
        _, vectors, folder = teacher.model.rpartition("vectors:")
        teacher = teacher.model_copy(update={"model": vectors + from_root(folder, root)})
    second_opinion = mining.second_opinion and from_root(mining.second_opinion, root)
    mining = mining.model_copy(update={"teacher": teacher, "second_opinion": second_opinion})
    return profile.model_copy(update={"languages": languages, "mining": mining})


def say(text: str) -> None:
    """Print a line to standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def run_program(app: typer.Typer) -> None:
    """Run a command. A `CorpusError` is printed as a message and ends with its exit code, without a traceback."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        app()
    except CorpusError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]error[/] {escape(str(error))}")
        sys.exit(exit_code(error))
    except SystemExit as end:  # typer exits with 2 for a wrong option, but here 2 means "try again later"
        sys.exit(1 if end.code == 2 else end.code)
