"""Options that the commands `curate` and `train3d` share, and how an error ends them.

Both commands work in the folder of the file that `--params` names: it holds `work/`, `out/` and `mixes/`, and relative
paths in the settings start there, whatever the current directory is. docs/outcome.md lists the exit codes.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
import typer.core

from open_ml_embed.core.errors import CorpusError, exit_code
from open_ml_embed.core.os_errors import in_words
from open_ml_embed.core.printing import print_text, say
from open_ml_embed.core.processes import ended_by_signals
from open_ml_embed.core.terminal import Terminal
from open_ml_embed.core.version import code_commit, version

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


SIGNALED = 128
"""Exit codes above are those of signals."""
STOPPED = "stopped; what is finished is kept: run the same command again to go on"


HELP = {"help_option_names": ["-h", "--help"]}
"""Settings of a command's context."""


def _show_version(context: typer.Context, asked: bool) -> None:  # noqa: FBT001 (as typer calls it)
    if asked:
        commit = code_commit()
        print_text(f"{context.info_name} {version()}{f', commit {commit}' if commit else ''}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Show the version and end.", callback=_show_version, is_eager=True)
]


NARROW = 80
"""Columns below which help is plain text."""


def with_version(app: typer.Typer) -> None:
    """Give a program the option `--version`."""

    def about(*, show_version: Version = False) -> None:
        del show_version  # the callback has done it

    app.callback(help=app.info.help)(about)


def run_program(app: typer.Typer) -> None:
    """Run a command.

    A `CorpusError`, and what the system refuses (`open_ml_embed.core.os_errors`), is printed as a message and ends with
    its exit code, without a traceback.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if shutil.get_terminal_size().columns < NARROW:
        typer.core.HAS_RICH = False  # help in boxes cuts the names of options there
    try:
        with ended_by_signals(), in_words():
            app()
    except CorpusError as error:
        terminal = Terminal(stderr=True, soft_wrap=True)
        terminal.print("error", style="bold red", end=" ")
        terminal.print(str(error))
        sys.exit(exit_code(error))
    except KeyboardInterrupt:  # before typer has begun to handle it
        say(STOPPED)
        sys.exit(SIGNALED + signal.SIGINT)
    except SystemExit as end:  # typer exits with 2 for a wrong option, but here 2 means "try again later"
        if isinstance(end.code, int) and end.code > SIGNALED:
            say(STOPPED)
        sys.exit(1 if end.code == 2 else end.code)
