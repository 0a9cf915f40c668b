"""The whole build by its commands: the same bytes whatever happens on the way."""

import json
import random

import pytest

from tests.support import project


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    root = project.make(tmp_path_factory.mktemp("reference"))
    project.build(root, "--workers", "1")
    return root


def test_status_says_what_there_is(reference):
    status = json.loads(project.curate(reference, "status", "--json").stdout)
    assert status["languages"] == 1
    assert status["rows"] == 3 * 398 + 399 + 400
    assert status["mixes"]["instruction"] == 450
    assert all(
        status["stages"][s] == "done"
        for s in ("fetch", "normalize", "identify", "measure", "dedup", "mine", "mix-retrieval")
    )


def test_bad_records_are_counted_and_can_be_looked_at(reference):
    counts = json.loads((reference / "out/tiny/steps/normalize.json").read_text())["stats"]["sources"]
    assert sum(counts["pairs"]["quarantined"].values()) == 6
    assert sum(counts["classes"]["quarantined"].values()) == 1
    shown = project.curate(reference, "show", "pairs", "--quarantined", "-n", "9").stdout
    assert "part-0.jsonl" in shown
    assert "empty-query" in shown


def test_show_has_all_that_is_known_of_a_row(reference):
    shown = project.curate(reference, "show", "pairs", "all", "-n", "1").stdout
    for part in ("query", "positive", "declared", "identified", "dedup", "negative, mined"):
        assert part in shown


@pytest.mark.parametrize("options", [("--workers", "4"), pytest.param(("--engine", "ray"), marks=pytest.mark.slow)])
def test_the_same_bytes_from_any_workers(reference, tmp_path, options):
    root = project.make(tmp_path)
    project.build(root, *options)
    ours, theirs = project.tree(root), project.tree(reference)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


@pytest.mark.slow
def test_the_same_bytes_after_being_killed(reference, tmp_path):
    root = project.make(tmp_path)
    assert project.build_killed(root, random.Random(7), kills=6) == 6
    ours, theirs = project.tree(root), project.tree(reference)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_the_same_rows_whatever_the_shard_size(reference, tmp_path):
    root = project.make(tmp_path, normalize={"shard_rows": 1000})
    project.build(root, "--workers", "1")
    mixes = [{name: data for name, data in project.tree(r).items() if "/mixes/" in name} for r in (root, reference)]
    assert mixes[0] == mixes[1]


def test_a_second_run_does_nothing(reference):
    before = project.tree(reference)
    line = project.curate(reference, "normalize").stderr.splitlines()[0]
    progress = json.loads(line)
    assert progress["resumed"] == progress["total"]
    assert project.tree(reference) == before


def test_errors_of_the_user_are_messages(reference, tmp_path):
    wrong = project.curate(reference, "show", "pears", check=False)
    assert wrong.returncode == 1
    assert "did you mean pairs" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    early = project.curate(project.make(tmp_path), "dedup", check=False)
    assert early.returncode == 1
    assert "curate fetch" in early.stderr, "the first of the chain"


def test_a_source_whose_tool_is_missing_is_skipped_with_a_line(tmp_path, monkeypatch):
    root = project.make(
        tmp_path, rows=40, sources={"include": ["pairs", "packages"], "local_root": str(tmp_path / "raw")}
    )
    project.manifest(root, "packages", origin={"kind": "apt", "indexes": ["Packages"]})
    monkeypatch.setenv("PATH", str(tmp_path / "nothing-here"))
    fetched = project.curate(root, "fetch")
    assert "skipped packages" in fetched.stderr
    assert "apt-get is not installed" in fetched.stderr
    project.curate(root, "normalize", "--workers", "1")
    status = json.loads(project.curate(root, "status", "--json").stdout)
    assert status["sources"] == ["pairs"]
    assert list(status["skipped"]) == ["packages"]
    project.curate(root, "report")
    assert "apt-get is not installed" in (root / "out/tiny/report.html").read_text()
