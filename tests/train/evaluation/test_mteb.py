from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from open_ml_embed.core.errors import SettingsError, UnknownNameError
from tests.support.synthetic import params_for, write_mix, write_params
from train.cli import app
from train.evaluation import mteb_model

needs_mteb = pytest.mark.skipif(importlib.util.find_spec("mteb") is None, reason="mteb is optional")
pytestmark = pytest.mark.filterwarnings("ignore")  # mteb's and its dependencies'

SHARED = {
    "description": "Made on the spot.", "reference": None, "dataset": {"path": "none", "revision": "none"},
    "category": "t2t", "eval_splits": ["test"], "eval_langs": ["eng-Latn"], "date": None, "domains": None,
    "task_subtypes": None, "license": None, "annotations_creators": None, "dialect": None, "sample_creation": None,
    "modalities": ["text"], "bibtex_citation": None,
}  # fmt: skip


def retrieval(mix: Path):
    """Return a retrieval task over the mix's held-out pairs."""
    from datasets import Dataset
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    pairs = pq.read_table(mix / "samples" / "validation-00000.parquet").to_pylist()
    pairs = [pair for pair in pairs if pair["family"] == "retrieval"]

    class OnTheSpot(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="OnTheSpot", type="Retrieval", main_score="ndcg_at_10", prompt="Find the cipher", **SHARED
        )

        def load_data(self, **_):
            queries = {"id": [f"q{i}" for i in range(len(pairs))], "text": [pair["query"] for pair in pairs]}
            corpus = {"id": [f"d{i}" for i in range(len(pairs))], "text": [pair["positive"] for pair in pairs]}
            corpus["title"] = [""] * len(pairs)
            split = {
                "queries": Dataset.from_dict(queries),
                "corpus": Dataset.from_dict(corpus),
                "relevant_docs": {f"q{i}": {f"d{i}": 1} for i in range(len(pairs))},
                "top_ranked": None,
            }
            self.dataset = {"default": {"test": split}}
            self.data_loaded = True

    return OnTheSpot()


@needs_mteb
@pytest.mark.parametrize("mode", ["compatible", "efficient"])
def test_the_interface_accepts_an_export(fitted: Path, params: Path, mix: Path, tmp_path: Path, mode: str) -> None:
    from mteb.models import EncoderProtocol

    to = tmp_path / "cut"
    arguments = ["export", "--params", str(params), "--model", str(fitted), "--to", str(to), "--mode", mode]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    model = mteb_model.open_model(to, instructed=False)
    assert isinstance(model, EncoderProtocol)
    report = mteb_model.evaluate_tasks(model, [retrieval(mix)], tmp_path / "cache")
    assert report["OnTheSpot"]["metric"] == "ndcg_at_10"
    # A guess among these few documents has about 0.3.
    assert 0.5 < report["OnTheSpot"]["scores"]["test/default"] <= 1
    assert list((tmp_path / "cache").rglob("OnTheSpot.json"))


@needs_mteb
def test_queries_get_the_tasks_instruction_and_documents_none(fitted: Path, mix: Path, tmp_path: Path) -> None:
    model = mteb_model.open_model(fitted, instructed=True)
    seen: dict[str | None, list[str]] = {}
    encode = model.model.encode

    def spy(texts, prompt=None, **rest):
        seen.setdefault(prompt, []).extend(texts)
        return encode(texts, prompt=prompt, **rest)

    model.model.encode = spy
    mteb_model.evaluate_tasks(model, [retrieval(mix)], tmp_path / "cache")
    pairs = pq.read_table(mix / "samples" / "validation-00000.parquet").to_pylist()
    asked = seen.pop("Instruct: Find the cipher\nQuery: ")
    assert sorted(asked) == sorted(pair["query"] for pair in pairs if pair["family"] == "retrieval")
    assert seen.keys() == {None}


@needs_mteb
def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="STS22") as caught:
        mteb_model.tasks_named(["STS22.v22"])
    assert "STS22" in caught.value.remedy


@needs_mteb
def test_the_command_writes_a_report(fitted, params, mix, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(mteb_model, "tasks_named", lambda names: [retrieval(mix)])
    report = tmp_path / "mteb.json"
    arguments = ["evaluate", "--params", str(params), "--model", str(fitted), "--work", str(tmp_path / "work"),
                 "--report", str(report), "--mteb", "OnTheSpot"]  # fmt: skip
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "ndcg_at_10" in result.stdout
    assert json.loads(report.read_text("utf-8"))["OnTheSpot"]["scores"].keys() == {"test/default"}


@needs_mteb
@pytest.mark.parametrize("before", ["Instruct: Find the cipher\nQuery: ", ""], ids=["instructed", "bare"])
def test_every_export_says_whether_it_knows_instructions(mix: Path, tmp_path: Path, monkeypatch, before: str) -> None:
    own = write_mix(tmp_path / "own", rows=80, before=before)
    section = params_for(own)
    section["stages"] = [stage | {"steps": 1, "warmup_steps": 0} for stage in section["stages"]]
    params = ["--params", str(write_params(tmp_path / "params.yaml", section))]
    whole, cut, work = tmp_path / "whole", tmp_path / "cut", ["--work", str(tmp_path / "work")]
    CliRunner().invoke(app, ["fit", *params, *work, "--out", str(whole)], catch_exceptions=False)
    arguments = ["export", *params, "--model", str(whole), "--to", str(cut), "--layers", "2", "--mode", "efficient"]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    given: set[str | None] = set()
    opened = mteb_model.open_model

    def spied(*arguments, **options):
        model = opened(*arguments, **options)
        encode = model.model.encode
        model.model.encode = lambda *texts, prompt=None, **rest: (
            given.add(prompt) or encode(*texts, prompt=prompt, **rest)
        )
        return model

    monkeypatch.setattr(mteb_model, "open_model", spied)
    monkeypatch.setattr(mteb_model, "tasks_named", lambda names: [retrieval(mix)])

    def instructed(folder: Path, *options: str) -> bool:
        given.clear()
        report = ["--report", str(tmp_path / "mteb.json"), "--mteb", "OnTheSpot", *options]
        result = CliRunner().invoke(
            app, ["evaluate", *params, *work, "--model", str(folder), *report], catch_exceptions=False
        )
        assert ("does not say" in result.stderr) == (not options and not (folder / "train3d").is_dir())
        assert given
        return "Instruct: Find the cipher\nQuery: " in given

    assert instructed(whole) is instructed(cut) is bool(before)
    # What was measured with other prompts is not taken for an answer.
    assert instructed(cut, "--no-instructions" if before else "--instructions") is not bool(before)
    shutil.rmtree(cut / "train3d")
    shutil.rmtree(tmp_path / "work" / "mteb")
    assert instructed(cut) is False


@needs_mteb
@pytest.mark.parametrize("made", [True, False])
def test_a_folder_without_an_export_is_not_looked_for_on_the_hub(params: Path, tmp_path: Path, *, made: bool) -> None:
    folder = tmp_path / "modle"
    if made:
        folder.mkdir()
    arguments = ["evaluate", "--params", str(params), "--model", str(folder), "--mteb", "STS22.v2"]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, SettingsError)
    assert str(folder) in result.exception.where
    assert "train3d export" in result.exception.remedy


def test_without_mteb_it_says_how_to_get_it(fitted: Path, params: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mteb", None)
    result = CliRunner().invoke(app, ["evaluate", "--params", str(params), "--model", str(fitted), "--mteb", "X"])
    assert isinstance(result.exception, SettingsError)
    assert "open-ml-embed[mteb]" in result.exception.remedy
