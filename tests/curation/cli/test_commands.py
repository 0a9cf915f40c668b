"""How both commands end, and what their options share."""

import importlib

import pytest
import typer
from typer.main import get_command

from curation.cli.options import run_program
from open_ml_embed.core.errors import SettingsError, TransientError

COMMON = {
    "profile": ("--profile", "CURATE_PROFILE"),
    "workers": ("--workers", "CURATE_WORKERS"),
    "engine": ("--engine", "CURATE_ENGINE"),
    "ray_address": ("--ray-address", "RAY_ADDRESS"),
    "params": ("--params", None),
    "dry_run": ("--dry-run", None),
    "as_json": ("--json", None),
}
DATA = {"plan", "status", "show", "settings", "evaluate", "sources", "evaluations"}
"""Verbs that print data."""
WORK = {
    "normalize",
    "identify",
    "measure",
    "dedup",
    "decontaminate",
    "mine",
    "mix",
    "fetch",
    "fit",
    "tokenize",
    "prune",
}
"""Verbs that run tasks."""


def ended(app: typer.Typer, monkeypatch, *arguments: str) -> int | None:
    monkeypatch.setattr("sys.argv", ["program", *arguments])
    with pytest.raises(SystemExit) as end:
        run_program(app)
    return end.value.code


@pytest.mark.parametrize(
    ("error", "code"),
    [(None, 0), (SettingsError("no such thing", where="[here]", remedy="look"), 1), (TransientError("later"), 2)],
)
def test_exit_codes_say_whether_to_try_again(monkeypatch, capsys, error, code):
    app = typer.Typer()

    @app.command()
    def verb() -> None:
        if error:
            raise error

    assert ended(app, monkeypatch) == code
    assert capsys.readouterr().err == (f"error {error}\n" if error else "")


@pytest.mark.parametrize("module", ["curation.cli.app", "train.cli"])
def test_an_option_that_there_is_not_is_not_worth_trying_again(monkeypatch, module):
    app = importlib.import_module(module).app
    assert ended(app, monkeypatch, "--no-such-option") == 1
    assert ended(app, monkeypatch, "--help") == 0


def verbs():
    for module in ("curation.cli.app", "train.cli"):
        app = get_command(importlib.import_module(module).app)
        yield from ((module, name, command) for name, command in app.commands.items() if name != "langid")


def test_both_commands_have_one_set_of_options():
    seen = set()
    for module, name, command in verbs():
        options = {parameter.name: parameter for parameter in command.params}
        for common in COMMON.keys() & options.keys():
            flag, variable = COMMON[common]
            assert (options[common].opts, options[common].envvar) == ([flag], variable), f"{module} {name}"
            seen.add((module, common))
        if name in WORK:
            assert {"profile", "params", "workers", "engine", "ray_address", "dry_run"} <= options.keys(), name
        if name in DATA:
            assert "as_json" in options, name
        if "profile" in options and name not in ("plan", "status", "show"):
            assert "dry_run" in options, name
    assert len(seen) == 2 * len(COMMON)
