"""Reference pages are those of the code: settings, manifests, tables, environment variables."""

import ast
import re

import pytest
import typer

from curation.cli.app import app as curate
from tests.support import ROOT
from tools import manifest_reference, settings_reference, table_reference
from train.cli import app as train3d


@pytest.mark.parametrize(
    "reference", [settings_reference, manifest_reference, table_reference], ids=lambda r: r.__name__
)
def test_the_page_is_that_of_the_code(reference):
    assert reference.PAGE.read_text("utf-8") == reference.page(), f"run `python -m {reference.__name__}`"


def variables_in_the_code():
    """Variables that the code reads or sets by a literal name: `os.environ[...]`, `.get(...)` and their like."""
    found = set()
    for folder in ("curation", "sources", "train", "open_ml_embed"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
                    found |= constants(node.slice)
                if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("os.environ.", "os.getenv")):
                    found |= constants(node.args[0]) if node.args else set()
                if isinstance(node, ast.Call):
                    found |= {n for k in node.keywords if k.arg == "envvar" for n in constants(k.value)}
    return found


def constants(node):
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def variables_of(command):
    for parameter in command.params:
        variable = getattr(parameter, "envvar", None)
        yield from [variable] if isinstance(variable, str) else variable or ()
    for inner in getattr(command, "commands", {}).values():
        yield from variables_of(inner)


def test_every_environment_variable_is_on_its_page():
    page = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (ROOT / "docs/environment.md").read_text("utf-8")))
    options = {name for app in (curate, train3d) for name in variables_of(typer.main.get_command(app))}
    assert {"CURATE_PROFILE", "CURATE_WORKERS", "CURATE_ENGINE", "RAY_ADDRESS"} <= options
    read = variables_in_the_code()
    assert "CORPUS_MANIFESTS" in read
    assert options | read <= page
