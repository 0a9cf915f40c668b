"""What is damaged of a complete run is found by every command that reads it, and made again to the same bytes."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from open_ml_embed.core.recorded import DamagedFileError
from open_ml_embed.core.sealed import DamagedRecordError
from tests.support.corruption import corrupt
from train.cli import app
from train.config import TrainSettings
from train.loop import checkpoint
from train.loop.loop import Trainer
from train.loop.run import Run, load

OF_THE_MACHINE = ("README.md", "log.jsonl", "digests.json")


@pytest.fixture(scope="module")
def complete(params: Path, work: Path, fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run in a folder of its own."""
    root = tmp_path_factory.mktemp("complete")
    shutil.copytree(work, root / "work")
    shutil.copytree(fitted, root / "out" / "model")
    shutil.copytree(fitted.with_name("model-stages"), root / "out" / "model-stages")
    return root


@pytest.fixture
def copied(complete: Path, tmp_path: Path) -> Path:
    shutil.copytree(complete, tmp_path / "run")
    return tmp_path / "run"


def fit(params: Path, root: Path, *more: str, code: int = 0) -> str:
    arguments = ["fit", "--params", str(params), "--out", str(root / "out/model"), "--work", str(root / "work"), *more]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.exception
    return f"{result.output} {result.exception}"


def tree(root: Path, top: str = "out") -> dict[str, bytes]:
    files = (path for path in (root / top).rglob("*") if path.is_file() and path.name not in OF_THE_MACHINE)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


FILES = (
    "model/model.safetensors", "model/config.json", "model/tokenizer.json", "model/1_Pooling/config.json",
    "model/config_sentence_transformers.json", "model/train3d/trained.safetensors", "model/train3d/export.json",
    "model/train3d/untrained.safetensors", "model/train3d/files.json", "model/train3d/run.json",
    "model-stages/retrieval/model.safetensors", "model-stages/retrieval/tokenizer_config.json",
    "model-stages/retrieval/train3d/files.json", "model-stages/retrieval/train3d/run.json",
    "model-stages/retrieval/config_sentence_transformers.json",
)  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_fit_writes_again_what_is_damaged_of_a_complete_model(params, complete, copied, name) -> None:
    wanted = tree(complete)
    file = copied / "out" / name
    rng = random.Random(name)
    corrupt(file, rng)
    assert tree(copied) != wanted
    fit(params, copied)
    assert tree(copied) == wanted
    file.unlink()
    if rng.random() < 0.5:
        file.symlink_to(file.name)
    fit(params, copied)
    assert tree(copied) == wanted


def test_weights_that_are_damaged_come_from_the_last_checkpoint_or_are_said_to_be_lost(
    params, complete, copied, settings
) -> None:
    weights = copied / "out/model/train3d/trained.safetensors"
    corrupt(weights, random.Random(1))
    with pytest.raises(DamagedFileError, match="bytes") as caught:
        load(copied / "out/model", settings)
    assert caught.value.where == str(weights)
    assert "train3d fit" in caught.value.remedy
    shutil.rmtree(next((copied / "work/runs").glob("*/checkpoints")))
    before = tree(copied)
    assert "there is no checkpoint" in fit(params, copied, code=1)
    assert tree(copied) == before
    of_stage = copied / "out/model-stages/retrieval/train3d/trained.safetensors"
    shutil.copytree(complete / "out/model", copied / "out/model", dirs_exist_ok=True)
    corrupt(of_stage, random.Random(2))
    assert "delete the folder" in fit(params, copied, code=1)
    shutil.rmtree(of_stage.parent.parent)
    assert "nothing to do" in fit(params, copied)


@pytest.mark.parametrize("verb", ["evaluate", "export"])
def test_no_command_believes_a_damaged_model(params, copied, verb) -> None:
    corrupt(copied / "out/model/tokenizer.json", random.Random(3))
    more = ["--to", str(copied / "small"), "--layers", "1"] if verb == "export" else []
    arguments = [verb, "--params", str(params), "--model", str(copied / "out/model"), *more]
    if verb == "evaluate":
        arguments += ["--work", str(copied / "work"), "--report", str(copied / "report.json")]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, DamagedFileError)
    assert not (copied / "small").exists()
    assert not (copied / "report.json").exists()


def test_a_tokenizer_and_a_token_store_are_made_again(settings: TrainSettings, complete, copied) -> None:
    wanted = tree(complete, "work")
    (tokenizer,) = (copied / "work/tokenizers").glob("*/tokenizer.json")
    corrupt(tokenizer, random.Random(4))
    (store, *_) = sorted((copied / "work/stores").glob("*/"))
    next(store.glob("parts/train-*.done.json")).unlink()
    (store / "tokenizer.json").write_text("{}")
    run = Run(settings, copied / "work")
    for mix in run.mixes:
        run.store(mix)
    found = tree(copied, "work")
    assert {name for name in wanted if found.get(name) != wanted[name]} == set()


def test_a_position_that_was_changed_is_not_gone_on_from(settings, copied) -> None:
    """A digit of it would be another step."""
    run = Run(settings, copied / "work")
    shutil.rmtree(copied / "work/runs")
    trainer = Trainer(run)
    for entry in trainer.steps():
        if entry["step"] == 13:
            break
    file = trainer.checkpoints / "00000012" / checkpoint.POSITION
    assert json.loads(file.read_bytes())["done"] == 12
    file.write_bytes(file.read_bytes().replace(b'"done": 12', b'"done": 13'))
    with pytest.raises(DamagedRecordError):
        checkpoint.position_of(file.parent)
    said: list[str] = []
    assert Trainer(run, say=said.append).position.done == 8
    assert str(file.parent) in said[0]
