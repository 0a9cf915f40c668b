"""Another installed distribution adds sources, shapes, formats, identifiers and teachers by entry points."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, plugin

PROGRAM = """
import json, sys
from typer.testing import CliRunner
from curation.cli.app import app
for words in json.loads(sys.argv[1]):
    done = CliRunner().invoke(app, words)
    error = None if done.exception is None else f"{type(done.exception).__name__}: {done.exception}"
    print(json.dumps([done.exit_code, error, done.stdout, done.stderr]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    return plugin.install(tmp_path_factory.mktemp("site"))


def commands(site: Path, root: Path, *lines: str) -> list[tuple[int, str | None, str, str]]:
    """Run commands of `curate` in one process that has the distributions; code, error and both outputs of each."""
    path = os.pathsep.join(map(str, (site, ROOT)))
    environment = {k: v for k, v in os.environ.items() if k != "CORPUS_MANIFESTS"} | {"PYTHONPATH": path}
    words = json.dumps([line.split() for line in lines])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, words], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_distribution_adds_one_of_everything(site, tmp_path):
    root = plugin.project(tmp_path)
    one = " --workers 1"
    said = commands(
        site, root, "sources --json", "fetch" + one, "normalize" + one, "identify" + one, "measure" + one,
        "dedup" + one, "mine" + one,
        "show harbour_log -n 1 --json", "status --json",
    )  # fmt: skip
    assert [error for _, error, *_ in said] == [None] * len(said)
    listed, *_, shown, status = said
    assert "harbour_log" in {entry["name"] for entry in json.loads(listed[2])}
    assert "when did boat 0 come in" in shown[2]
    assert "identify" in status[2]
    rows = json.loads((root / "out/own/steps/normalize.json").read_text())["stats"]["sources"]["harbour_log"]
    assert (rows["rows"], rows["quarantined"]) == (30, {})
    languages = json.loads((root / "out/own/steps/identify.json").read_text())
    assert "fao" in json.dumps(languages["stats"]), "the identifier of the distribution was asked"
    assert json.loads((root / "out/own/steps/mine.json").read_text())["made_from"]["models"]["teacher"] == "letters-1"


def test_what_cannot_be_loaded_is_one_line_that_names_the_distribution(site, tmp_path):
    root = plugin.project(tmp_path)
    source = site / "harbour_tools" / "catalog" / "sources" / "harbour_log.yaml"
    (root / "manifests" / "sources").mkdir(parents=True)
    (root / "manifests" / "sources" / "own_log.yaml").write_text(
        source.read_text().replace("kind: swapped", "kind: halved").replace("name: harbour_log", "name: own_log")
    )
    profile = json.loads((root / "params.yaml").read_text())
    profile["own"]["sources"]["include"] = ["own_log"]
    (root / "params.yaml").write_text(json.dumps(profile))
    listed, planned = commands(site, root, "sources --json", "plan")
    assert listed[:2] == (0, None)
    assert {"harbour_log", "own_log", "squad"} <= {entry["name"] for entry in json.loads(listed[2])}
    warned = sorted(line for line in listed[3].splitlines() if line.startswith("warning"))
    assert len(warned) == 2
    assert "open_ml_embed.sources 'empty' of old-tools 0.9: harbour_tools is no package with a folder" in warned[0]
    assert (
        "'gone' of old-tools 0.9: cannot be loaded: ModuleNotFoundError: No module named 'no_such_package'" in warned[1]
    )
    assert planned[1] is not None
    assert planned[1].startswith(
        "SettingsError: own_log: shape.kind: the shape 'halved' of old-tools 0.9 cannot be loaded"
    )
