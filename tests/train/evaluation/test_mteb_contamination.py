"""Tasks that the training mixes contaminate are marked, from a build made by the real steps."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from curation.pipeline.run import run_step
from tests.support.leaks import LEAKS, NOISE, folder
from tests.support.synthetic import params_for
from tests.support.workshop import Workshop
from tests.train.evaluation.on_the_spot import retrieval, use
from train.cli import app
from train.evaluation.mteb.contamination import Mark, marks

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("mteb") is None, reason="mteb is optional"),
    pytest.mark.filterwarnings("ignore"),  # mteb's and its dependencies'
]
KEPT = {"distrust": {"found": 1.0, "at_least": 50, "contaminated": 1.0}}
"""No source is listed as not trustworthy."""


@pytest.fixture
def built(workshop: Workshop):
    """Return a function that builds a mix with leaks and returns the settings file and the mix."""

    def build(*, decontaminated: bool = True, mix_of: str = "all", **settings: object) -> tuple[Path, Path]:
        workshop.manifest("leaky", ["x"])
        workshop.manifest("clean", ["x"])
        workshop.mix("own", sources=mix_of if mix_of == "all" else [mix_of])
        folder(workshop.root)
        folder(
            workshop.root, "other", ("which of the two harbors is the deeper one",), ("The eastern one is, by far.",)
        )
        section = {
            "sources": {"collection": "offline"},
            "mixes": {"own": {"validation": 0.0}},
            "decontaminate": {"sets": ["./heldout", "./other"], **settings},
        }
        made = workshop.build(**section)
        workshop.rows(made, {("leaky", "x"): LEAKS, ("clean", "x"): NOISE})
        for step in ("dedup", *(["decontaminate"] if decontaminated else []), "mine", "mix-own"):
            run_step(made, step)
        section["train"] = params_for(workshop.root / "nowhere") | {"evaluation": {"mix": "own"}}
        section["train"]["stages"] = [stage | {"mix": "own"} for stage in section["train"]["stages"]]
        params = workshop.root / "params.yaml"
        params.write_text(yaml.safe_dump({"profile": "test", "test": section}))
        return params, made.mix("own")

    return build


@pytest.fixture
def tasks(mix: Path):
    return [retrieval(mix, "heldout"), retrieval(mix, "other"), retrieval(mix, "OnTheSpot")]


def test_rows_that_stay_contaminate_and_rows_left_out_do_not(built, tasks) -> None:
    params, mix = built(drop=["query"], **KEPT)
    found = marks(params, [str(mix)], tasks)
    # Two documents stay: a page with a sentence of the set, and a near-duplicate. The two queries are left out.
    assert found["heldout"] == Mark("contaminated", rows=2, rows_left_out=2, sources=("leaky",))
    assert found["other"] == Mark("clean")
    assert found["OnTheSpot"] == Mark("unchecked")


def test_rows_that_were_left_out_are_told(built, tasks) -> None:
    params, mix = built(**KEPT)
    assert marks(params, [str(mix)], tasks)["heldout"] == Mark("removed", 0, 4, ("leaky",))


def test_a_source_that_holds_much_of_a_task_makes_it_suspect(built, tasks) -> None:
    params, mix = built(distrust={"found": 0.1, "at_least": 1, "contaminated": 1.0})
    assert marks(params, [str(mix)], tasks)["heldout"].status == "suspect"


def test_sources_that_are_not_in_the_mix_do_not_count(built, tasks) -> None:
    params, mix = built(drop=["query"], mix_of="clean")
    assert marks(params, [str(mix)], tasks)["heldout"] == Mark("clean")


def test_a_mix_that_was_compared_with_nothing_is_unchecked(built, tasks, mix) -> None:
    params, own = built(decontaminated=False, sets=[])
    assert {mark.status for mark in marks(params, [str(own)], tasks).values()} == {"unchecked"}
    assert {mark.status for mark in marks(params, [str(mix)], tasks).values()} == {"unchecked"}
    # Of two mixes the worse counts.
    assert marks(params, [str(own), str(mix)], tasks)["other"].status == "unchecked"


def test_an_aggregate_is_as_contaminated_as_its_worst_part(built, tasks) -> None:
    params, mix = built(drop=["query"])

    class Both:
        class metadata:
            name, tasks = "Both", ()

        is_aggregate = True

    Both.metadata.tasks = tuple(tasks[:2])
    assert marks(params, [str(mix)], [Both()])["Both"].status == "contaminated"


def test_the_command_marks_tasks_and_gives_the_mean_without_them(built, fitted, tasks, tmp_path, monkeypatch) -> None:
    import mteb

    params, _ = built(drop=["query"])
    use(monkeypatch, tasks, [mteb.Benchmark(name="Spots", tasks=tasks)])
    report = tmp_path / "mteb.json"
    arguments = ["evaluate", "--params", str(params), "--model", str(fitted), "--benchmark", "Spots"]
    result = CliRunner().invoke(app, [*arguments, "--report", str(report)], catch_exceptions=False)
    found = json.loads(report.read_text("utf-8"))
    statuses = {task: entry["contamination"]["status"] for task, entry in found["tasks"].items()}
    assert statuses == {"heldout": "contaminated", "other": "clean", "OnTheSpot": "unchecked"}
    spots = found["benchmarks"]["Spots"]
    assert (spots["contaminated"], spots["unchecked"]) == (1, 1)
    assert spots["cuts"][0]["mean_unseen"] is not None
    page = report.with_suffix(".md").read_text("utf-8")
    assert "| heldout | ndcg_at_10 | test/default | ! |" in page
    assert "| OnTheSpot | ndcg_at_10 | test/default | ~ |" in page
    assert "1 (1 unchecked)" in page
    assert "Spots" in result.stdout
    # mteb's own field for it, which its leaderboard reads.
    meta = next((tmp_path / "out" / "test" / "mteb" / "results").rglob("model_meta.json"))
    assert json.loads(meta.read_text("utf-8"))["training_datasets"] == ["heldout"]
