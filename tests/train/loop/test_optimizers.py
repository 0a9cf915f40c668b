"""Optimizers of other packages: what is refused, and that their runs go on to the same bits."""

from __future__ import annotations

import itertools
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from open_ml_embed.core.errors import MissingPackageError, SettingsError
from tests.support.synthetic import params_for, write_params
from tests.train.loop.test_loop import facts, fresh
from train.config_file import load_settings
from train.loop import optimizers
from train.loop.loop import Trainer
from train.loop.optimizers import OTHERS, check_optimizer, moments_of


def settings_with(mix: Path, tmp_path: Path, name: str, **changes: Any):
    section = params_for(mix, optimizer={"name": name}, **changes)
    tmp_path.mkdir(exist_ok=True)
    return load_settings(write_params(tmp_path / "params.yaml", section), None)[1]


@pytest.mark.parametrize("name", OTHERS)
def test_without_its_package_it_says_what_to_install_before_anything_is_made(mix, tmp_path, monkeypatch, name) -> None:
    package = name.partition(".")[0]
    for module in (package, f"{package}.optim"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError) as caught:
        Trainer(fresh(settings_with(mix, tmp_path, name), tmp_path, tmp_path / "w"))
    assert f"pip install 'open-ml-embed[{package}]'" in caught.value.remedy
    assert "optimizer.name: adamw" in caught.value.remedy
    assert caught.value.where == "train.optimizer.name"
    assert not (tmp_path / "w").exists()


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both packages be there, as far as importing goes."""
    for package in ("torchao", "bitsandbytes"):
        for module in (package, f"{package}.optim"):
            monkeypatch.setitem(sys.modules, module, types.ModuleType(module))


@pytest.mark.usefixtures("present")
def test_what_does_not_fit_is_refused(mix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OTHERS:
        with pytest.raises(SettingsError, match="a sharded checkpoint cannot hold"):
            check_optimizer(settings_with(mix, tmp_path, name, parallel="fsdp"))
    with pytest.raises(SettingsError, match="the device is cpu") as caught:
        check_optimizer(settings_with(mix, tmp_path, "bitsandbytes.PagedAdamW8bit"))
    assert "bitsandbytes.AdamW8bit" in caught.value.remedy
    check_optimizer(settings_with(mix, tmp_path, "bitsandbytes.AdamW8bit"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    with pytest.raises(SettingsError, match=r"8\.9 or more, this one has 8\.0") as caught:
        check_optimizer(settings_with(mix, tmp_path, "torchao.AdamWFp8", device="cuda"))
    assert "torchao.AdamW8bit" in caught.value.remedy
    check_optimizer(settings_with(mix, tmp_path, "torchao.AdamW8bit", device="cuda"))


def test_the_memory_of_the_moments_is_counted(mix: Path, tmp_path: Path, monkeypatch, settings, work) -> None:
    before = Trainer(fresh(settings, work, tmp_path)).memory
    monkeypatch.setitem(OTHERS, "torchao.AdamW8bit", optimizers.Other("tests.support.small_moments", "Rounded", 0.5))
    small = settings.model_copy(
        update={"optimizer": settings.optimizer.model_copy(update={"name": "torchao.AdamW8bit"})}
    )
    after = Trainer(fresh(small, work, tmp_path)).memory
    assert before.training - after.training == pytest.approx(1.5 * before.weights, rel=0.01)
    assert (moments_of(settings.optimizer), moments_of(small.optimizer)) == (2.0, 0.5)


def goes_on(settings, work: Path, tmp_path: Path) -> None:
    """Run 66 batches at once, and in three pieces; the steps and the weights must be the same bits."""
    whole = Trainer(fresh(settings, work, tmp_path / "whole"))
    wanted = facts(whole.steps())
    seen: list[Any] = []
    for stop in (5, 62, 65):
        trainer = Trainer(fresh(settings, work, tmp_path / "pieces"))
        del seen[trainer.position.done :]
        seen += facts(itertools.islice(trainer.steps(), stop - trainer.position.done))
    assert seen == wanted
    state = whole.model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in trainer.model.state_dict().items())
    losses = [fact[4] for fact in wanted if fact[1:3] == ("retrieval", "alpha")]
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])


def test_a_state_of_bytes_and_numbers_goes_on_to_the_same_bits(settings, work, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(OTHERS, "torchao.AdamW8bit", optimizers.Other("tests.support.small_moments", "Rounded", 0.5))
    optimizer = settings.optimizer.model_copy(update={"name": "torchao.AdamW8bit"})
    stages = tuple(stage.model_copy(update={"learning_rate": 0.02}) for stage in settings.stages)
    goes_on(settings.model_copy(update={"optimizer": optimizer, "stages": stages}), work, tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["torchao.AdamW8bit", "bitsandbytes.AdamW8bit"])
def test_the_real_ones_go_on_to_the_same_bits(settings, work, tmp_path: Path, name: str) -> None:
    pytest.importorskip(name.partition(".")[0], reason="the package is optional")
    optimizer = settings.optimizer.model_copy(update={"name": name})
    goes_on(settings.model_copy(update={"optimizer": optimizer}), work, tmp_path)
