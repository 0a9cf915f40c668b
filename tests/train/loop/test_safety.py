"""What must not be lost or written: diverged numbers, damaged checkpoints, signals, two processes, a full disk."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from open_ml_embed.core.errors import DivergenceError, StageError, StorageError
from tests.support.synthetic import params_for, write_params
from tests.train.loop.test_loop import facts, fresh
from train.config_file import load_settings
from train.loop import checkpoint, loop
from train.loop.fit import fit
from train.loop.loop import Trainer
from train.loop.run import Run

PROGRAM = "import sys; from train.cli import main; sys.argv[0] = 'train3d'; main()"


def changed(settings, **values):
    return settings.model_copy(update=values)


def spoiled(value: float, at: int):
    """Return a backward pass whose loss is `value` in batch `at`, but for which nothing changes before."""
    count = itertools.count()
    own = loop.backward

    def backward(*arguments, **named):
        loss = own(*arguments, **named)
        if next(count) == at:
            return type(loss)(torch.tensor(value), loss.hard_LM, loss.in_batch_LM, loss.distilled_LM)
        return loss

    return backward


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_run_at_the_last_good_checkpoint(
    settings, work, tmp_path, monkeypatch, value: float
) -> None:
    run = fresh(settings, work, tmp_path)
    monkeypatch.setattr(loop, "backward", spoiled(value, at=10))
    with pytest.raises(DivergenceError, match=f"the loss is {value} in batch 10") as caught:
        fit(run, tmp_path / "model", resume=True, say=print)
    assert caught.value.where == "stage retrieval"
    assert any(source in caught.value.what for source in ("alpha/all", "beta/all", "gamma/all"))
    assert "after batch 8" in caught.value.remedy
    assert "learning_rate" in caught.value.remedy
    assert not (tmp_path / "model").exists(), "nothing is exported"
    monkeypatch.undo()
    trainer = Trainer(fresh(settings, work, tmp_path))
    assert trainer.position.done == 8
    assert all(bool(torch.isfinite(value).all()) for value in trainer.model.state_dict().values())


def test_a_gradient_that_is_not_finite_is_not_applied(settings, work, tmp_path, monkeypatch) -> None:
    trainer = Trainer(fresh(settings, work, tmp_path))
    list(itertools.islice(trainer.steps(), 3))
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.model.norm.weight.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(DivergenceError, match="the norm of the gradient is nan in batch 3"):
        list(trainer.steps())
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())


def test_weights_that_are_not_finite_are_not_saved(settings, work, tmp_path) -> None:
    stages = tuple(stage.model_copy(update={"learning_rate": 1e38, "warmup_steps": 0}) for stage in settings.stages)
    run = fresh(changed(settings, stages=stages, checkpoint_every=1), work, tmp_path)
    with pytest.raises(DivergenceError) as caught:
        fit(run, tmp_path / "model", resume=True, say=print)
    assert "learning_rate" in caught.value.remedy
    for folder in (run.folder / "checkpoints").glob("[0-9]*"):
        model = run.model()[0]
        checkpoint.load_weights(folder / checkpoint.MODEL, model)
        assert all(bool(torch.isfinite(value).all()) for value in model.state_dict().values())
    assert not (tmp_path / "model").exists()


def test_as_many_checkpoints_are_kept_as_wanted(settings, work, tmp_path) -> None:
    trainer = Trainer(fresh(changed(settings, checkpoints_kept=3), work, tmp_path))
    list(itertools.islice(trainer.steps(), 18))
    assert sorted(p.name for p in trainer.checkpoints.iterdir()) == ["00000008", "00000012", "00000016"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "missing", "no json"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(settings, work, tmp_path, damage: str) -> None:
    trainer = Trainer(fresh(settings, work, tmp_path))
    entries = facts(itertools.islice(trainer.steps(), 14))
    last = trainer.checkpoints / "00000012"
    file = last / (checkpoint.POSITION if damage == "no json" else checkpoint.OPTIMIZER)
    data = bytearray(file.read_bytes())
    if damage == "missing":
        file.unlink()
    elif damage == "flipped":
        data[-9] ^= 1
        file.write_bytes(data)
    else:
        file.write_bytes(data[: len(data) // 2])
    said: list[str] = []
    again = Trainer(fresh(settings, work, tmp_path), say=said.append)
    assert again.position.done == 8
    assert len(said) == 1
    assert str(last) in said[0]
    assert facts(itertools.islice(again.steps(), 6)) == entries[8:]


def test_nothing_is_trained_again_silently_where_all_checkpoints_are_damaged(settings, work, tmp_path) -> None:
    trainer = Trainer(fresh(settings, work, tmp_path))
    list(itertools.islice(trainer.steps(), 10))
    for file in trainer.checkpoints.rglob(checkpoint.MODEL):
        file.write_bytes(b"")
    with pytest.raises(StageError, match="every checkpoint is damaged") as caught:
        Trainer(fresh(settings, work, tmp_path))
    assert "--no-resume" in caught.value.remedy


def test_a_full_disk_is_told_and_the_checkpoint_before_stays(settings, work, tmp_path, monkeypatch) -> None:
    trainer = Trainer(fresh(settings, work, tmp_path))
    steps = trainer.steps()
    list(itertools.islice(steps, 6))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint, "write_tensors", full)
    with pytest.raises(StorageError, match="no space left for a checkpoint") as caught:
        list(steps)
    assert "--work" in caught.value.remedy
    assert [p.name for p in trainer.checkpoints.iterdir()] == ["00000004"]
    monkeypatch.undo()
    assert Trainer(fresh(settings, work, tmp_path)).position.done == 4


def test_an_out_of_memory_run_goes_on_with_smaller_chunks(settings, work, tmp_path) -> None:
    said: list[str] = []
    trainer = Trainer(fresh(settings, work, tmp_path), say=said.append)
    before = list(itertools.islice(trainer.steps(), 8))
    again = Trainer(fresh(changed(settings, chunk_tokens=64), work, tmp_path), say=said.append)
    assert again.position.done == len(before) == 8
    assert said == ["resuming with chunk_tokens 64 (was 256): the same training up to rounding, not bit for bit"]
    whole = Trainer(fresh(settings, work, tmp_path / "whole"))
    for entry, wanted in zip(itertools.islice(again.steps(), 6), itertools.islice(whole.steps(), 8, 14), strict=True):
        assert entry["loss"] == pytest.approx(wanted["loss"], rel=1e-4)
        assert (entry["source"], entry["rank"]) == (wanted["source"], wanted["rank"])


@pytest.fixture
def started(mix: Path, work: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[str], Path]]:
    """A run of its own process that has written a checkpoint, its command, and its folder."""
    section = params_for(mix)
    section["stages"] = [section["stages"][0] | {"steps": 20_000}]
    params = write_params(tmp_path / "params.yaml", section)
    for folder in ("stores", "tokenizers"):
        if (work / folder).is_dir():
            shutil.copytree(work / folder, tmp_path / "w" / folder)
    command = [sys.executable, "-c", PROGRAM, "fit", "--params", str(params), "--work", str(tmp_path / "w"),
               "--out", str(tmp_path / "model")]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    folder = Run(load_settings(params, None)[1], tmp_path / "w").folder
    try:
        deadline = time.monotonic() + 100
        while not list((folder / "checkpoints").glob("[0-9]*")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield process, command, folder
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_signal_saves_and_a_second_process_is_refused(started) -> None:
    process, command, folder = started
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "another process is training this run" in second.stderr
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "run the same command again to go on" in said
    steps = len((folder / "log.jsonl").read_text("utf-8").splitlines())
    (position,) = [json.loads((path / checkpoint.POSITION).read_text("utf-8"))["done"]
                   for path in [checkpoint.latest(folder / "checkpoints")]]  # fmt: skip
    assert position == steps, "the checkpoint is that of the last step"
    assert f"a checkpoint was saved after batch {steps} of 20000" in said


def test_the_mean_of_the_last_checkpoints_is_exported(settings, work, tmp_path) -> None:
    settings = changed(settings, stages=settings.stages[1:], checkpoint_every=2, checkpoints_kept=3)
    plain = fresh(settings, work, tmp_path / "plain")
    fit(plain, tmp_path / "plain" / "model", resume=True, say=print)
    run = fresh(changed(settings, checkpoints_averaged=3), work, tmp_path / "mean")
    said: list[str] = []
    fit(run, tmp_path / "mean" / "model", resume=True, say=said.append)
    folders = checkpoint.complete(run.folder / "checkpoints")
    assert [folder.name for folder in folders] == ["00000002", "00000004", "00000005"]
    assert any("averaging the checkpoints after batches 2, 4, 5" in line for line in said)
    parts = [load_file(folder / checkpoint.MODEL) for folder in folders]
    found = load_file(tmp_path / "mean" / "model" / "train3d" / "trained.safetensors")
    last = load_file(tmp_path / "plain" / "model" / "train3d" / "trained.safetensors")
    for name, value in found.items():
        torch.testing.assert_close(value, sum(part[name].double() for part in parts).div(3).float())
        assert torch.equal(last[name], parts[-1][name])
    with pytest.raises(ValueError, match="more than checkpoints_kept"):
        type(settings).model_validate(settings.model_dump() | {"checkpoints_averaged": 4})
