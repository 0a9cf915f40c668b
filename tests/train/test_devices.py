"""A device that is not here: refused before anything is prepared for it, or done without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from open_ml_embed.core import devices
from open_ml_embed.core.errors import SettingsError
from tests.support.synthetic import params_for, write_params
from train.cli import app
from train.config_file import load_settings
from train.loop.run import load


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 0)


def gpus(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let this machine have some GPUs, as far as counting goes."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: number)


@pytest.fixture
def on_cuda(mix: Path, tmp_path: Path) -> Path:
    """The profile that the fitted model was made with, as on a machine with a GPU."""
    return write_params(tmp_path / "params.yaml", params_for(mix, device="cuda"))


def test_fitting_is_refused_before_anything_is_made(on_cuda: Path, tmp_path: Path) -> None:
    arguments = ["fit", "--params", str(on_cuda), "--out", str(tmp_path / "m"), "--work", str(tmp_path / "w")]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, SettingsError)
    assert "no cuda device" in result.exception.what
    assert "`device: cpu`" in result.exception.remedy
    assert not [path for path in (tmp_path / "w").rglob("*") if path.suffix in (".arrow", ".safetensors")]
    assert not (tmp_path / "m").exists()


def test_a_refusal_deletes_no_checkpoint(on_cuda: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("train.loop.run.Run.key", "k" * 32)
    kept = tmp_path / "w" / "runs" / ("k" * 16) / "checkpoints" / "00000004"
    kept.mkdir(parents=True)
    arguments = ["fit", "--params", str(on_cuda), "--out", str(tmp_path / "m"), "--work", str(tmp_path / "w")]
    assert isinstance(CliRunner().invoke(app, [*arguments, "--no-resume"]).exception, SettingsError)
    assert kept.is_dir()


def test_a_dry_run_warns_and_goes_on(on_cuda: Path, tmp_path: Path) -> None:
    arguments = ["fit", "--params", str(on_cuda), "--work", str(tmp_path / "w"), "--dry-run"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "60 steps of 24 queries" in result.stderr
    assert "there is no cuda on this machine" in result.stderr


def test_evaluating_and_exporting_go_to_the_cpu(fitted: Path, on_cuda: Path, params: Path, work, tmp_path) -> None:
    reports = []
    for file in (on_cuda, params):
        report = tmp_path / f"{len(reports)}.json"
        arguments = ["--params", str(file), "--model", str(fitted)]
        options = ["--work", str(work), "--report", str(report)]
        result = CliRunner().invoke(app, ["evaluate", *arguments, *options], catch_exceptions=False)
        assert ("on the CPU instead" in result.stderr) == (file is on_cuda)
        reports.append(json.loads(report.read_text("utf-8")))
    assert reports[0] == reports[1]
    arguments = ["export", "--params", str(on_cuda), "--model", str(fitted), "--to", str(tmp_path / "cut")]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "on the CPU instead" in result.stderr
    assert (tmp_path / "cut" / "modules.json").is_file()


def test_loading_says_what_to_do(fitted: Path, on_cuda: Path) -> None:
    with pytest.raises(SettingsError, match="no cuda device"):
        load(fitted, load_settings(on_cuda, None)[1])


@pytest.mark.parametrize("name", ["gpu", "cuda:x", ""])
def test_a_name_that_is_no_device_is_refused_everywhere(name: str) -> None:
    for ask in (devices.require, devices.present):
        with pytest.raises(SettingsError, match="is no device") as caught:
            ask(name)
        assert "device: cuda" in caught.value.remedy


def test_every_process_needs_a_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 2)
    devices.require("cuda")
    assert devices.present("cuda:1")
    assert not devices.present("cuda:2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    for rank in range(4):
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        assert devices.present("cuda") == (rank < 2)
        assert devices.present("cpu")
    with pytest.raises(SettingsError, match="this machine has 2") as caught:
        devices.require("cuda")
    assert "--nproc-per-node" in caught.value.remedy
