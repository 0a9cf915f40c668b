"""What the commands print at 80 and at 40 columns: no name of an option, no word of a table and no number is cut."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from curation.cli.app import app as curate
from tests.support import ROOT, project
from train.cli import app as train3d

APPS = {"curate": curate, "train3d": train3d}
MODULES = {"curate": "curation.cli.app", "train3d": "train.cli"}
WIDTHS = (40, 80)
_BROKEN = re.compile(r"[┃│]{2}|\d…|…\d")
"""An empty column, or a number that is cut."""


def verbs(command, path=()):
    """Every verb, and every group of verbs, as words."""
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from verbs(inner, (*path, name))


def options_of(command, path):
    for word in path:
        command = command.commands[word]
    return {name for parameter in command.params for name in parameter.opts if name.startswith("--")}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("program", "path"),
    [(name, path) for name, app in APPS.items() for path in verbs(typer.main.get_command(app))],
    ids=lambda value: value if isinstance(value, str) else " ".join(value) or "all",
)
def test_help_names_every_option(program, path, width, monkeypatch):
    monkeypatch.setattr("typer.core.HAS_RICH", width >= 80)  # as `run_program` sets it; below, by the command itself
    done = CliRunner().invoke(
        APPS[program], [*path, "--help"], env={"COLUMNS": str(width), "TERMINAL_WIDTH": str(width)}
    )
    assert done.exit_code == 0
    for option in options_of(typer.main.get_command(APPS[program]), path):
        assert re.search(rf"{re.escape(option)}(?![\w-])", done.output), option


@pytest.mark.parametrize("program", APPS)
def test_a_narrow_terminal_gets_help_as_plain_text(program):
    command = [sys.executable, "-m", MODULES[program], "--help"]
    shown = {}
    for width in WIDTHS:
        done = subprocess.run(
            command, env=os.environ | {"COLUMNS": str(width)}, capture_output=True, text=True, check=True
        )
        shown[width] = done.stdout
    assert "╭" not in shown[40]
    assert "╭" in shown[80]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    root = project.make(tmp_path_factory.mktemp("widths") / "made", rows=60)
    for step in project.STEPS:
        project.curate(root, *step)
    return root


OF_THE_CATALOG = (
    ("plan", "--profile", "full", "--params", str(ROOT / "params.yaml")), ("sources", "--collection", "ml-embed"),
    ("sources", "show", "mmarco"), ("evaluations", "--type", "STS"),
)  # fmt: skip
OF_A_BUILD = (
    ("status",), ("show", "classes"), ("show", "classes", "--quarantined"), ("verify",), ("mix", "retrieval"),
    ("dedup",), ("mine",), ("normalize",),
)  # fmt: skip


def printed(words, width) -> str:
    done = CliRunner().invoke(curate, list(words), env={"COLUMNS": str(width)})
    assert done.exit_code == 0, done.output
    return done.stdout


def check_widths(words):
    numbers = re.findall(r"\d[\d,.]*", printed(words, 400))
    assert numbers
    for width in WIDTHS:
        text = printed(words, width)
        assert not _BROKEN.search(text)
        assert all(len(line) <= width for line in text.splitlines() if line.startswith(("┃", "│", "┏", "└")))
        whole = text.replace("\n", "")
        assert [number for number in numbers if number not in whole] == []


@pytest.mark.parametrize("words", OF_THE_CATALOG, ids=" ".join)
def test_tables_of_the_catalog_are_whole_at_any_width(words):
    check_widths(words)


@pytest.mark.slow
@pytest.mark.parametrize("words", OF_A_BUILD, ids=" ".join)
def test_tables_of_a_build_are_whole_at_any_width(built, words, monkeypatch):
    monkeypatch.chdir(built)
    monkeypatch.setenv("CORPUS_MANIFESTS", str(built / "manifests"))
    check_widths(words)
