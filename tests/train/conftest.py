"""The synthetic mix, a profile for it, and one model trained once for all tests that look at it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoTokenizer, Qwen3Config
from typer.testing import CliRunner

from tests.support.synthetic import params_for, write_mix, write_params
from train.cli import app
from train.config import TrainSettings
from train.config_file import load_settings
from train.loop.run import Run


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Threads over matrices as small as these only wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mix(tmp_path_factory.mktemp("mixes") / "mix")


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the tests, so that the mix is tokenized once."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="session")
def params(mix: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_params(tmp_path_factory.mktemp("params") / "params.yaml", params_for(mix))


@pytest.fixture(scope="session")
def settings(params: Path) -> TrainSettings:
    return load_settings(params, None)[1]


@pytest.fixture
def run(settings: TrainSettings, work: Path) -> Run:
    return Run(settings, work)


@pytest.fixture(scope="session")
def fitted(params: Path, work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of a run through the command line."""
    out = tmp_path_factory.mktemp("out") / "model"
    arguments = ["fit", "--params", str(params), "--out", str(out), "--work", str(work)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return out


@pytest.fixture(scope="session")
def teacher(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wider and deeper model with the student's tokenizer."""
    folder = tmp_path_factory.mktemp("teacher")
    tokenizer = AutoTokenizer.from_pretrained(fitted)
    config = Qwen3Config(vocab_size=len(tokenizer), hidden_size=40, intermediate_size=48, num_hidden_layers=5,
                         head_dim=16, num_attention_heads=2, num_key_value_heads=1)  # fmt: skip
    torch.manual_seed(1)
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
