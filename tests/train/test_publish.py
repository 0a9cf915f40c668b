"""A model on the Hub: what loads it, a card with what the Hub reads, and nothing of this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from open_ml_embed.core.errors import PublishError, StageError
from open_ml_embed.core.recorded import DamagedFileError
from tests.support.hub.uploads import faults_of, publishing
from train.cli import app

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=")  # huggingface-hub's own call of its client
TO = "someone/small-model"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with publishing(tmp_path / "hub", monkeypatch, lfs_from=10_000) as running:
        yield running


def publish(params: Path, hub, *more: str):
    words = ["publish", "--params", str(params), "--to", TO, "--license", "apache-2.0", "--endpoint", hub.endpoint]
    return CliRunner().invoke(app, [*words, "--json", *more])


def test_a_published_model_loads_and_gives_the_same_vectors(params, fitted, hub, tmp_path):
    more = ["--model", str(fitted), "--dataset", "someone/our-mix"]
    planned = publish(params, hub, *more, "--dry-run")
    assert hub.received == []
    done = publish(params, hub, *more)
    assert done.exit_code == 0, done.exception
    said = json.loads(done.stdout)
    assert said["files"] == json.loads(planned.stdout)["files"]
    assert "train3d/untrained.safetensors" not in said["files"]
    assert (hub.private, hub.kinds) == ({TO: True}, {TO: "model"})
    arrived = huggingface_hub.snapshot_download(TO, endpoint=hub.endpoint, local_dir=tmp_path / "got", token=hub.token)
    card = (Path(arrived) / "README.md").read_text("utf-8")
    assert faults_of(card) == ""
    front = yaml.safe_load(card.split("---\n")[1])
    assert (front["license"], front["language"], front["datasets"]) == ("apache-2.0", ["eng"], ["someone/our-mix"])
    assert f'SentenceTransformer("{TO}")' in card
    from sentence_transformers import SentenceTransformer

    texts = ["kabel lodun", "mifir"]
    one, two = (SentenceTransformer(str(folder), device="cpu").encode(texts) for folder in (arrived, fitted))
    np.testing.assert_array_equal(one, two)
    for body in (*hub.received, *hub.contents.values()):
        assert str(tmp_path.parent).encode() not in body
        assert hub.token.encode() not in body


def test_metrics_are_those_of_the_full_model(params, fitted, hub, tmp_path):
    from train.publish import Facts, published_card

    cells = [{"layers": 1, "dim": 8, "rank": 8, "ndcg@10": 0.1}, {"layers": 3, "dim": 32, "rank": 16, "ndcg@10": 0.5}]
    facts = Facts("mit", evaluation={"trained": cells}, mix="retrieval")
    card = published_card((fitted / "README.md").read_text("utf-8"), fitted.name, TO, facts)
    (model,) = yaml.safe_load(card.split("---\n")[1])["model-index"]
    assert model["name"] == "small-model"
    assert model["results"][0]["metrics"] == [{"type": "ndcg_at_10", "value": 0.5}]
    assert huggingface_hub.ModelCard(card).data.eval_results[0].metric_value == 0.5
    assert faults_of(card) == ""


def test_what_is_damaged_or_no_model_or_private_is_refused(params, fitted, hub, tmp_path):
    refused = publish(params, hub, "--model", str(tmp_path))
    assert isinstance(refused.exception, StageError)
    folder = tmp_path / "copy"
    shutil.copytree(fitted, folder)
    (folder / "train3d/run.json").write_text(json.dumps({"teacher": f"{params.parent}/teacher"}))
    refused = publish(params, hub, "--model", str(folder))
    assert isinstance(refused.exception, PublishError)
    assert "train3d/run.json" in refused.exception.where
    (folder / "model.safetensors").write_bytes(b"cut")
    refused = publish(params, hub, "--model", str(folder))
    assert isinstance(refused.exception, DamagedFileError)
    assert hub.received == []
