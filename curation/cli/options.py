"""What the commands `curate` and `train3d` share: their options, and how an error ends.

Both work on the folder that `--params` lies in: `work/`, `out/`, `mixes/` and relative paths of the settings are there,
whatever the current directory is. Exit codes are those of docs/outcome.md.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from open_ml_embed.core.errors import CorpusError, exit_code

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
