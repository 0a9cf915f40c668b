"""What the loop does with a step's numbers: moves of several batches, memory settings, additions, teachers."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.synthetic import params_for, write_params
from tests.train.loop.test_loop import facts, fresh
from train.config import TrainSettings
from train.config_file import load_settings
from train.export.export import choose
from train.loop.loop import Trainer
from train.model.embedder import Embedder


@pytest.fixture
def settings_of(mix: Path, tmp_path: Path):
    """Settings of a short run with changes; those of its stages under `stage`."""

    def make(*, stage: dict[str, Any] | None = None, **changes: Any) -> TrainSettings:
        section = params_for(mix, **changes)
        stages = [one | {"steps": 6, "warmup_steps": 2} | (stage or {}) for one in section["stages"]]
        return load_settings(write_params(tmp_path / "p.yaml", section | {"stages": stages}), None)[1]

    return make


def ran(settings: TrainSettings, work: Path, to: Path, *, stops: tuple[int, ...] = ()) -> tuple[list[Any], Trainer]:
    """Run to the end, through some stops; returns all entries and the last trainer."""
    seen: dict[int, Any] = {}
    for stop in (*stops, None):
        trainer = Trainer(fresh(settings, work, to))
        for entry in itertools.islice(trainer.steps(), None if stop is None else stop - trainer.position.done):
            seen[entry["step"]] = entry
    return [seen[i] for i in range(trainer.total_steps)], trainer


def state(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def test_caching_is_not_about_numbers(settings_of, work, run, tmp_path) -> None:
    run.store(run.mixes[0])
    outcomes = []
    for caching in ("never", "always"):
        settings = settings_of(memory={"caching": caching}, chunk_tokens=100)
        entries, trainer = ran(settings, work, tmp_path / caching)
        outcomes.append((trainer.run.key, facts(entries), state(trainer)))
    (key, whole, weights), (other_key, cached, other) = outcomes
    assert key == other_key
    assert whole == cached
    assert all(torch.equal(value, other[name]) for name, value in weights.items())


def test_a_move_takes_several_batches_and_resumes_between_moves(settings_of, work, tmp_path) -> None:
    settings = settings_of(stage={"accumulate": 3}, checkpoint_every=4)
    entries, trainer = ran(settings, work, tmp_path / "whole")
    assert trainer.total_steps == 2 * 6 * 3
    assert [e["gradient_norm"] is not None for e in entries] == [i % 3 == 2 for i in range(36)]
    moves = [entries[i : i + 3] for i in range(0, 36, 3)]
    assert all(len({(e["rank"], e["learning_rate"]) for e in move}) == 1 for move in moves)
    assert len({e["learning_rate"] for e in entries[:18]}) > 3
    stopped, again = ran(settings, work, tmp_path / "stopped", stops=(5, 7, 20))
    assert facts(stopped) == facts(entries)
    assert all(torch.equal(value, state(again)[name]) for name, value in state(trainer).items())


def test_a_plain_embedding_and_one_layer_and_dimension_train(settings_of, work, tmp_path) -> None:
    settings = settings_of(ranks=[], objective={"dims": [], "layers": []})
    entries, trainer = ran(settings, work, tmp_path)
    assert {name for name, _ in trainer.model.embedding.named_parameters()} == {"weight"}
    assert {e["rank"] for e in entries} == {32}
    assert entries[0]["hard"].keys() == {"3"}
    assert entries[0]["hard"]["3"].keys() == {"32"}
    assert choose(trainer.shape).rank == 32


def test_a_teacher_is_followed(settings_of, work, tmp_path, fitted) -> None:
    settings = settings_of(objective={"distillation": {"on": "scores", "teacher": str(fitted), "weight": 2.0}})
    entries, trainer = ran(settings, work, tmp_path)
    assert all(e["distilled"]["3"]["32"] > 0 for e in entries)
    assert any((trainer.run.work / "teachers").iterdir())


def test_additions_train_resume_and_finish_as_a_plain_model(settings_of, work, tmp_path) -> None:
    pytest.importorskip("peft", reason="peft is optional")
    settings = settings_of(lora={"rank": 2, "dropout": 0.3})
    entries, trainer = ran(settings, work, tmp_path / "whole")
    stopped, again = ran(settings, work, tmp_path / "stopped", stops=(5, 8))
    assert facts(stopped) == facts(entries)
    assert all(torch.equal(value, state(again)[name]) for name, value in state(trainer).items())
    plain = trainer.finished()
    assert isinstance(plain, Embedder)
    untrained = trainer.run.model()[0]
    assert plain.state_dict().keys() == untrained.state_dict().keys()
    moved = [n for n, value in plain.state_dict().items() if not torch.equal(value, untrained.state_dict()[n])]
    assert "backbone.layers.0.mlp.up_proj.weight" in moved
    assert not [name for name in moved if "norm" in name]


def test_half_precision_trains(settings_of, work, tmp_path) -> None:
    exact, _ = ran(settings_of(), work, tmp_path / "exact")
    half, trainer = ran(settings_of(precision="bfloat16"), work, tmp_path / "half")
    assert half[0]["loss"] == pytest.approx(exact[0]["loss"], rel=0.05)
    assert half[0]["loss"] != exact[0]["loss"]
    assert all(value.dtype == torch.float32 for value in state(trainer).values())
