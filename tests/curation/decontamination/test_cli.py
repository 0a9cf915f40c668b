"""The commands on evaluation sets: listed, shown, fetched, compared with."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from curation.cli.app import app
from open_ml_embed.core.errors import FetchError, UnknownNameError
from tests.support.leaks import folder


def run(*arguments):
    done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_sets_are_listed_all_or_some():
    everything = json.loads(run("evaluations", "--json"))
    names = {entry["name"] for entry in everything}
    assert {"MKQARetrieval", "vendored_functions", "mediawiki_libraries"} <= names
    some = json.loads(run("evaluations", "--type", "STS", "--language", "spa-Latn", "--json"))
    assert 0 < len(some) < len(everything)
    assert {entry["type"] for entry in some} == {"STS"}
    assert "1 evaluation sets" in run("evaluations", "--task", "MKQA*")
    with pytest.raises(UnknownNameError, match="unknown benchmark"):
        run("evaluations", "--benchmark", "MTEB")


def test_a_set_is_shown_with_what_of_it_is_looked_for():
    told = json.loads(run("evaluations", "show", "STS22", "--json"))
    assert told["repo"] == "mteb/sts22-crosslingual-sts"
    assert told["texts"]["document"] == ["sentence2"]
    assert "MTEB(eng, v1)" in told["benchmarks"]
    assert json.loads(run("evaluations", "show", "vendored_functions"))["origin"]["distributions"] == [
        "pip",
        "setuptools",
    ]
    with pytest.raises(UnknownNameError) as caught:
        run("evaluations", "show", "STS2")
    assert "STS22" in str(caught.value)


@pytest.fixture
def params(workshop):
    path = workshop.root / "params.yaml"
    settings = {"sources": {"collection": "offline"}, "decontaminate": {"sets": ["./heldout"]}}
    path.write_text(yaml.safe_dump({"profile": "test", "test": settings}))
    return path


def test_sets_of_a_profile_are_fetched_and_counted_before_anything_runs(workshop, params):
    for verb in (["decontaminate", "--dry-run"], ["evaluations", "fetch"], ["plan"]):
        with pytest.raises(FetchError, match="no such folder"):
            run(*verb, "--params", params)
    home = folder(workshop.root)
    said = run("decontaminate", "--params", params, "--dry-run")
    assert said.startswith("decontaminate, profile test, 1 evaluation set: would run:")
    with pytest.raises(FetchError, match="no such folder"):
        run("decontaminate", "--params", params, "--dry-run", "--evaluation", workshop.root / "hledout")
    size = sum(path.stat().st_size for path in Path(home).rglob("*") if path.is_file())
    assert f"heldout 3 {size:,}" in " ".join(run("evaluations", "fetch", "--params", params).split())
    said = json.loads(CliRunner().invoke(app, ["evaluations", "fetch", "--params", str(params), "--json"]).stdout)
    assert said["sources"] == [{"source": "heldout", "files": 3, "bytes": size, "share": None}]


def test_the_verb_compares_with_folders_of_its_own(workshop, params):
    folder(workshop.root)
    workshop.manifest("leaky", ["x"])
    workshop.rows(
        workshop.build(), {("leaky", "x"): [{"query": "who wrote the other one", "positive": "nobody did it"}]}
    )
    other = folder(workshop.root, "mine", queries=["Who wrote the other one?"])
    run("decontaminate", "--params", params, "--evaluation", other, "--workers", "1")
    stats = json.loads((workshop.root / "out/test/steps/decontaminate.json").read_text())["stats"]
    assert {name: entry["found"] for name, entry in stats["tasks"].items()} == {"heldout": 0, "mine": 1}
    status = json.loads(run("status", "--params", params, "--json"))
    assert status["stages"]["decontaminate"] == "done"
    assert status["tasks_done"]["contamination"] == 1
