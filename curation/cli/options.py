"""What the commands `curate` and `train3d` share: their options, how a profile is opened, and how an error ends.

Both work on the folder that `--params` lies in: `work/`, `out/`, `mixes/` and relative paths of the settings are there,
whatever the current directory is. Exit codes are those of docs/outcome.md.
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
    typer.Option("--profile", help="Section of params.yaml; default: the one it names.", envvar="CURATE_PROFILE"),
]
Params = Annotated[
    Path, typer.Option("--params", help="The settings file; its folder holds work/, out/ and mixes of your own.")
]
Count = Annotated[int, typer.Option("--workers", help="Tasks at once; 0: one per core.", envvar="CURATE_WORKERS")]
Engine = Annotated[str, typer.Option("--engine", help="local or ray.", envvar="CURATE_ENGINE")]
Address = Annotated[str | None, typer.Option("--ray-address", help="A running Ray cluster.", envvar="RAY_ADDRESS")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]

PARAMS = Path("params.yaml")


def open_build(
    profile: str | None, params: Path, workers: int = 0, engine: str = "local", ray_address: str | None = None
) -> Build:
    """Return the build of a profile in which every name has been looked up.

    Raises:
        CorpusError: see `curation.settings.load_profile` and `curation.pipeline.validation.check_profile`.

    """
    if engine not in ("local", "ray"):
        raise SettingsError(f"unknown engine {engine!r}", where="--engine", remedy="local or ray")
    if workers < 0:
        raise SettingsError(f"{workers} workers cannot work", where="--workers", remedy="a number, or 0: one per core")
    name, settings = load_profile(params, profile)
    kind: Any = engine
    root = params.resolve().parent
    options = (f" --profile {name}" if profile else "") + ("" if params == PARAMS else f" --params {params}")
    build = Build(name, _rooted(settings, root), root, Workers(kind, workers, ray_address), options=options)
    from curation.pipeline.validation import check_profile  # it loads what reads raw files: not for those who only ask

    check_profile(build, f"{params}, profile {name}")
    return build


def _rooted(profile: Profile, root: Path) -> Profile:
    """Return a profile whose models are found from the current directory too (`from_root`)."""
    languages, mining = profile.languages, profile.mining
    if languages.model is not None:
        languages = languages.model_copy(update={"model": from_root(languages.model, root)})
    teacher = mining.teacher
    if teacher.dense:
        _, vectors, folder = teacher.model.rpartition("vectors:")
        teacher = teacher.model_copy(update={"model": vectors + from_root(folder, root)})
    opinion = mining.second_opinion and from_root(mining.second_opinion, root)
    mining = mining.model_copy(update={"teacher": teacher, "second_opinion": opinion})
    return profile.model_copy(update={"languages": languages, "mining": mining})


def say(text: str) -> None:
    """Tell whoever is watching: a line on standard error, which is for people."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def run_program(app: typer.Typer) -> None:
    """Run a command; a user's error is a message and an exit code, never a traceback."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        app()
    except CorpusError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]error[/] {escape(str(error))}")
        sys.exit(exit_code(error))
    except SystemExit as end:  # typer's own code for a wrong option is 2, which is "worth trying again" here
        sys.exit(1 if end.code == 2 else end.code)
