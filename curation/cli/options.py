"""Options that the commands `curate` and `train3d` share, and how an error ends them.

Both commands work in the folder of the file that `--params` names: it holds `work/`, `out/` and `mixes/`, and relative
paths in the settings start there, whatever the current directory is. docs/outcome.md lists the exit codes.
"""

from __future__ import annotations

import inspect
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
import typer.core

from open_ml_embed.core.errors import CorpusError, exit_code
from open_ml_embed.core.os_errors import in_words
from open_ml_embed.core.printing import Volume, print_text, say, set_volume, volume
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


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress: results, warnings and errors only.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Every finished task; with an error, where in the program it came from.")
]


def with_volume(app: typer.Typer) -> None:
    """Give all commands of a program the options `--quiet` and `--verbose`; called when it has all of them."""
    for command in app.registered_commands:
        assert command.callback is not None, "a command has a function"
        command.callback = _with_volume(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            with_volume(group.typer_instance)


def _with_volume(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command's function with two parameters more, which are handled here."""

    @wraps(function)
    def command(*, quiet: bool = False, verbose: bool = False, **options: Any) -> Any:
        set_volume(Volume.VERBOSE if verbose else Volume.QUIET if quiet else Volume.USUAL)
        return function(**options)

    hints = get_type_hints(function, include_extras=True)
    more = {"quiet": Quiet, "verbose": Verbose}
    own = inspect.signature(function)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=more[name]) for name in more
    ]
    parameters = [each.replace(annotation=hints[name]) for name, each in own.parameters.items()]
    command.__signature__ = own.replace(parameters=[*parameters, *added])  # type: ignore[attr-defined] # typer reads it
    command.__annotations__ = hints | more
    return command


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
        if volume() is Volume.VERBOSE:
            print_text("".join(traceback.format_exception(error)), error=True)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:  # before typer has begun to handle it
        say(STOPPED)
        sys.exit(SIGNALED + signal.SIGINT)
    except SystemExit as end:  # typer exits with 2 for a wrong option, but here 2 means "try again later"
        if isinstance(end.code, int) and end.code > SIGNALED:
            say(STOPPED)
        sys.exit(1 if end.code == 2 else end.code)
