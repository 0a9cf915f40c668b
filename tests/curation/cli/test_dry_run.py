"""`--dry-run` says what is done already, what would be done and why, what earlier runs left, bytes and minutes."""

import json

import pytest
import yaml

from curation.pipeline.estimate import load_rates, size_of, worker_seconds
from tests.support import project
from tests.support.workshop import RATES


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = project.make(tmp_path_factory.mktemp("dry"), rows=60)
    (root / "manifests/rates.yaml").write_text(yaml.safe_dump(RATES))
    return root


def planned(root, *words):
    said = json.loads(project.run(root, *words, "--dry-run", "--json"))
    return said["plan"]


def test_what_has_not_run_would_run_and_what_is_current_would_not(root):
    project.run(root, "fetch")
    project.run(root, "normalize")
    plan = planned(root, "run")
    assert [step for step, found in plan.items() if found["state"] == "done"] == ["fetch", "normalize"]
    assert plan["dedup"]["why"] == "step dedup has not been run"
    assert project.run(root, "normalize", "--dry-run") == (
        "normalize, profile tiny, 3 sources, 3 subsets: is current\n"
    )
    assert project.run(root, "identify", "--dry-run").startswith(
        "identify, profile tiny, 3 sources, 3 subsets: would run: step identify has not been run"
    )


def test_minutes_are_those_of_the_rows_that_are_there(root):
    project.run(root, "fetch")
    project.run(root, "normalize")
    stats = json.loads((root / "out/tiny/steps/normalize.json").read_text())["stats"]["sources"]
    tasks = {"pairs": "title-matching", "classes": "topic-classification", "opinions": "sentiment"}
    rates = load_rates(root)
    size = size_of(rates, [(tasks[name], counts["rows"], 1) for name, counts in stats.items()])
    found = planned(root, "run", "--workers", "1")
    measured = {step for step in found if step in rates.steps}
    assert measured
    for step in measured - {"normalize"}:
        assert found[step]["seconds"] == pytest.approx(worker_seconds(rates.steps[step], size)), step
    halved = planned(root, "run", "--workers", "2")
    assert all(
        halved[step]["seconds"] == pytest.approx(found[step]["seconds"] / 2) for step in measured - {"normalize"}
    )


def test_what_an_interrupted_run_left_is_counted(root):
    project.run(root, "fetch")
    project.run(root, "normalize")
    project.run(root, "identify")
    (root / "out/tiny/steps/identify.json").unlink()
    kept = sum(1 for _ in (root / "work/tiny/languages").rglob("*.done.json"))
    assert planned(root, "identify")["tasks_kept"] == kept > 0
    assert f"{kept} tasks of earlier runs here" in project.run(root, "identify", "--dry-run")
    project.run(root, "identify")


def test_fetching_states_the_bytes_that_manifests_state(root):
    path = root / "manifests/sources/pairs.yaml"
    manifest = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(manifest | {"download": 3_000_000}))
    (root / "out/tiny/steps/fetch.json").unlink(missing_ok=True)
    assert planned(root, "fetch")["bytes"] == 3_000_000
    assert "about 3 MB of raw files, less those that are here" in project.run(root, "fetch", "--dry-run")
    path.write_text(yaml.safe_dump(manifest))
    assert not (root / "out/tiny/steps/fetch.json").exists(), "it did nothing"


def test_the_end_of_a_plan_adds_up_what_has_a_rate(root):
    assert "in all, without fetching; `curate plan` says how that is reckoned" in project.run(root, "run", "--dry-run")
