"""`curate run` runs what is not current, and gives what the verbs give one by one."""

import json

import pytest

from curation.cli.app import app
from open_ml_embed.core.errors import UnknownNameError
from open_ml_embed.core.version import version
from tests.support import project

ONE = ("--workers", "1")
STEPS = [" ".join(step) for step in project.STEPS]


def last_line(printed: str) -> dict:
    return json.loads(printed.strip().splitlines()[-1])


def test_it_runs_what_the_verbs_run_and_goes_on_where_they_stopped(tmp_path):
    one_by_one = project.make(tmp_path / "one", rows=60)
    for step in project.STEPS:
        project.run(one_by_one, *step)
    project.run(one_by_one, "report")
    at_once = project.make(tmp_path / "all", rows=60)
    project.run(at_once, "fetch")
    said = last_line(project.run(at_once, "run", "--until", "dedup", "--json", *ONE))
    assert (said["ran"], said["current"], said["report"]) == (
        ["normalize", "identify", "measure", "dedup"],
        ["fetch"],
        None,
    )
    plan = json.loads(project.run(at_once, "run", "--dry-run", "--json"))["plan"]
    assert [step for step, found in plan.items() if found["state"] == "done"] == STEPS[:5]
    assert {*plan} == {*STEPS, "report"}
    printed = project.run(at_once, "run", *ONE)
    assert "fetch, normalize, identify, measure, dedup current before" in printed
    assert (at_once / "out/tiny/report.html").is_file()
    assert project.tree(at_once) == project.tree(one_by_one)
    assert last_line(project.run(at_once, "run", "--json"))["ran"] == []


def test_a_mix_may_be_the_last_step_and_another_name_may_not(tmp_path):
    root = project.make(tmp_path, rows=60)
    plan = json.loads(project.run(root, "run", "--until", "mix retrieval", "--dry-run", "--json"))["plan"]
    assert list(plan) == [*STEPS[:7], "mix retrieval"]
    with pytest.raises(UnknownNameError, match="did you mean mine"):
        project.run(root, "run", "--until", "mnie")


def test_the_version_and_the_short_form_of_help(capsys):
    from train.cli import app as trainer

    for program in (app, trainer):
        for option, wanted in (("--version", version()), ("-h", "--help")):
            with pytest.raises(SystemExit) as ended:
                program([option])
            assert ended.value.code == 0
            assert wanted in capsys.readouterr().out
