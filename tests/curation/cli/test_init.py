"""`curate init` makes a project that runs as it is, and writes over nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from curation.cli.app import app
from curation.pipeline.new_project import PIPELINES, template_files
from curation.pipeline.opening import open_build
from open_ml_embed.core.errors import SettingsError
from sources import registry

MADE = sorted([*template_files(), *PIPELINES])


def invoke(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None:
        raise done.exception
    return done.stdout


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.fixture
def project(tmp_path) -> Path:
    invoke("init", str(tmp_path / "new"))
    return tmp_path / "new"


def test_it_writes_what_it_says_and_a_dry_run_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = invoke("init", "--dry-run")
    assert [line.removesuffix(": would be written") for line in sorted(said.splitlines())] == MADE
    assert files(tmp_path) == []
    lines = invoke("init").splitlines()
    assert sorted(line.removesuffix(": written") for line in lines[:-1]) == MADE == files(tmp_path)
    assert lines[-1].startswith("next: curate plan")


@pytest.mark.parametrize("name", MADE)
def test_a_file_that_is_there_is_named_and_none_is_written(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(SettingsError, match="is there already") as caught:
        invoke("init", str(tmp_path))
    assert caught.value.where == str(tmp_path / name)
    assert files(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "new").write_text("mine")
    with pytest.raises(SettingsError, match="is a file"):
        invoke("init", str(tmp_path / "new"))


def test_its_names_are_all_known_and_its_pipeline_current(project):
    build = open_build(None, project / "params.yaml")
    assert [m.name for m in build.manifests()] == ["example_questions", "python_docstrings"]
    assert "example_questions" not in registry.names(), "it is in no other project"
    invoke("settings", "--params", str(project / "params.yaml"))


def test_what_stands_in_comments_is_right_too(project):
    """Each section that is commented out is one that the profile can have."""
    text = (project / "params.yaml").read_text()
    for line in (
        "# languages:",
        "# dedup:",
        "# train:",
        "#   backbone:",
        "#   stages:",
        "#   evaluation:",
        "# - squad",
    ):
        assert text.count(line) == 1
        text = text.replace(line, line[2:])
    (project / "params.yaml").write_text(text)
    profile = open_build(None, project / "params.yaml").profile
    assert profile.dedup.threshold == 0.8
    assert profile.train["evaluation"] == {"mix": "example"}
    assert "squad" in profile.sources.include


def test_it_runs_to_its_mix(project):
    params = project / "params.yaml"
    settings = yaml.safe_load(params.read_text())
    settings["example"]["sources"]["include"] = ["example_questions"]
    params.write_text(yaml.safe_dump(settings))
    options = ("--params", str(params))
    assert "example_questions" in invoke("sources", *options, "--json")
    assert "example_questions" in invoke("plan", *options)
    for step in ("fetch", "normalize", "identify", "measure", "dedup", "decontaminate", "mine"):
        invoke(step, *options, "--workers", "1")
    invoke("mix", "example", *options)
    assert "16 samples" in invoke("status", *options)
    assert not (project / "manifests" / "sources" / "lock.json").exists()
