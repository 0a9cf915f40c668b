"""Checkpoints written while training goes on: the same files, errors in their words, and a whole one after a kill."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from open_ml_embed.core.errors import StorageError
from tests.support import processes
from tests.support.synthetic import params_for, write_params
from tests.train.loop.test_loop import facts, fresh
from train.config_file import load_settings
from train.distributed.parallel import ALONE
from train.loop import checkpoint
from train.loop.background import staged_bytes
from train.loop.loop import Trainer
from train.loop.run import Run


def changed(settings, **values):
    return settings.model_copy(update={"checkpoint_async": True, **values})


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "train3d-checkpoint"]


@pytest.fixture(autouse=True)
def _nothing_stays():
    yield
    assert not threads()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_steps_and_checkpoints_are_the_same_bits(settings, work, tmp_path: Path) -> None:
    plain = Trainer(fresh(settings, work, tmp_path / "plain"))
    wanted = facts(plain.steps())
    run = fresh(changed(settings), work, tmp_path / "async")
    half = facts(itertools.islice(Trainer(run).steps(), 7))
    trainer = Trainer(run)
    assert trainer.position.done == 4
    assert half[:4] + facts(trainer.steps()) == wanted
    assert plain.run.key == run.key
    names = [folder.name for folder in checkpoint.complete(plain.checkpoints)]
    assert [folder.name for folder in checkpoint.complete(trainer.checkpoints)] == names
    for name in names:
        assert files(trainer.checkpoints / name) == files(plain.checkpoints / name)


def test_training_goes_on_while_a_copy_is_written(settings, work, tmp_path: Path, monkeypatch) -> None:
    plain = Trainer(fresh(settings, work, tmp_path / "plain"))
    next(itertools.islice(plain.steps(), 4, None))
    go, own = threading.Event(), checkpoint.write_tensors

    def held(*arguments, **named) -> None:
        assert go.wait(60)
        own(*arguments, **named)

    monkeypatch.setattr(checkpoint, "write_tensors", held)
    trainer = Trainer(fresh(changed(settings), work, tmp_path / "async"))
    steps = trainer.steps()
    assert [next(steps)["step"] for _ in range(7)] == list(range(7))
    assert threads()
    assert not checkpoint.complete(trainer.checkpoints), "it is being written, three steps later"
    go.set()
    assert next(steps)["step"] == 7
    steps.close()
    folder = trainer.checkpoints / "00000004"
    assert files(folder) == files(plain.checkpoints / "00000004"), "what later steps did is not in it"


def test_a_full_disk_is_told_and_the_checkpoint_before_stays(settings, work, tmp_path: Path, monkeypatch) -> None:
    trainer = Trainer(fresh(changed(settings), work, tmp_path))
    steps = trainer.steps()
    list(itertools.islice(steps, 6))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    trainer.background.join()
    monkeypatch.setattr(checkpoint, "write_tensors", full)
    with pytest.raises(StorageError, match="no space left for a checkpoint"):
        list(steps)
    assert [path.name for path in trainer.checkpoints.iterdir()] == ["00000004"]
    monkeypatch.undo()
    assert Trainer(fresh(changed(settings), work, tmp_path)).position.done == 4


def test_the_copy_is_counted(settings, work, tmp_path: Path) -> None:
    plain, other = (Trainer(fresh(one, work, tmp_path)) for one in (settings, changed(settings)))
    assert staged_bytes(plain.model) == 3 * plain.memory.weights
    assert other.memory.training - plain.memory.training == staged_bytes(plain.model)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.35, 0.8])
def test_a_kill_leaves_a_whole_checkpoint(mix: Path, work: Path, tmp_path: Path, seconds: float) -> None:
    section = params_for(mix, checkpoint_async=True, checkpoint_every=1)
    section["stages"] = [section["stages"][0] | {"steps": 20_000}]
    params = write_params(tmp_path / "params.yaml", section)
    for folder in ("stores", "tokenizers"):
        if (work / folder).is_dir():
            shutil.copytree(work / folder, tmp_path / "w" / folder)
    run = Run(load_settings(params, None)[1], tmp_path / "w")
    root = run.folder / "checkpoints"
    program = "import sys; from train.cli import main; sys.argv[0] = 'train3d'; main()"
    options = ["fit", "--params", str(params), "--work", str(tmp_path / "w"), "--out", str(tmp_path / "model")]
    process = subprocess.Popen([sys.executable, "-c", program, *options], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 100
        while not checkpoint.complete(root):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        time.sleep(seconds)
    finally:
        process.kill()
        process.wait()
    said: list[str] = []
    latest = checkpoint.latest_whole(root, ALONE, said.append)
    assert latest == checkpoint.complete(root)[-1]
    assert not said
    trainer = Trainer(run)
    assert trainer.position.done == int(latest.name)
    steps = trainer.steps()
    assert next(steps)["step"] == int(latest.name)
    steps.close()


@pytest.mark.slow
def test_shards_are_written_alike(settings, work, tmp_path: Path) -> None:
    """Two processes with a sharded model: the same steps, and checkpoints with the same tensors."""
    roots = []
    for background in (False, True):
        folder = tmp_path / str(background)
        section = settings.model_dump(mode="json") | {"parallel": "fsdp", "checkpoint_every": 2}
        section |= {"checkpoint_async": background}
        section["stages"] = [settings.model_dump(mode="json")["stages"][0] | {"steps": 5, "warmup_steps": 1}]
        for kept in ("stores", "tokenizers"):
            if (work / kept).is_dir():
                shutil.copytree(work / kept, folder / "work" / kept)
        folder.mkdir(exist_ok=True)
        params = write_params(folder / "params.yaml", section)
        script = "import sys; from train.cli import main; sys.argv[0] = 'train3d'; main()"
        options = ["--params", str(params), "--out", str(folder / "model"), "--work", str(folder / "work")]
        processes.run(2, "-c", script, "fit", *options)
        roots.append(next((folder / "work" / "runs").iterdir()))
    logs = [[json.loads(line) for line in (root / "log.jsonl").read_text("utf-8").splitlines()] for root in roots]
    assert facts(logs[0]) == facts(logs[1])
    names = [[folder.name for folder in checkpoint.complete(root / "checkpoints")] for root in roots]
    assert names == [["00000004", "00000005"]] * 2
    assert not [path for root in roots for path in (root / "checkpoints").iterdir() if path.name.startswith(".")]
    run = Run(settings, work)
    for name in names[0]:
        states = []
        for root in roots:
            folder = checkpoint.latest_whole(root / "checkpoints", ALONE, pytest.fail)
            assert folder is not None
            model = run.model()[0]
            checkpoint.restore_weights(root / "checkpoints" / name, model)
            states.append({key: value.clone() for key, value in model.state_dict().items()})
        assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
