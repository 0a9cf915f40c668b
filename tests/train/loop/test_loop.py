from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pytest
import torch

from open_ml_embed.core.errors import StageError
from train.config import TrainSettings
from train.loop import checkpoint
from train.loop.loop import Trainer
from train.loop.run import Run
from train.loop.schedule import learning_rate

STEPS = 65  # 60 of the first stage, 5 of the second


def fresh(settings: TrainSettings, work: Path, tmp_path: Path) -> Run:
    """Return a run of its own that shares what is already tokenized."""
    for folder in ("stores", "tokenizers"):
        if (work / folder).is_dir() and not (tmp_path / folder).exists():
            shutil.copytree(work / folder, tmp_path / folder)
    return Run(settings, tmp_path)


def facts(entries) -> list[tuple[object, ...]]:
    return [(e["step"], e["stage"], e["source"], e["rank"], e["loss"], e["gradient_norm"]) for e in entries]


@pytest.fixture(scope="module")
def whole(settings: TrainSettings, work: Path, tmp_path_factory: pytest.TempPathFactory):
    """Log entries and final weights of a run that nothing interrupted."""
    run = fresh(settings, work, tmp_path_factory.mktemp("whole"))
    trainer = Trainer(run)
    return facts(trainer.steps()), {k: v.clone() for k, v in trainer.model.state_dict().items()}


@pytest.mark.parametrize("stops", [[1], [6], [4, 5, 61], [59], [60], [64, 65]])
def test_a_stopped_run_goes_on_to_the_same_bits(settings, work, tmp_path, whole, stops: list[int]) -> None:
    seen: dict[int, tuple[object, ...]] = {}
    for stop in [*stops, STEPS]:
        trainer = Trainer(fresh(settings, work, tmp_path))
        assert trainer.position.done <= min([s for s in stops if s < stop], default=0) + stop
        for fact in facts(itertools.islice(trainer.steps(), stop - trainer.position.done)):
            assert seen.setdefault(fact[0], fact) == fact
    assert [seen[i] for i in range(STEPS)] == whole[0]
    assert all(torch.equal(value, whole[1][name]) for name, value in trainer.model.state_dict().items())
    lines = [json.loads(line) for line in trainer.log.read_text("utf-8").splitlines()]
    assert facts(lines) == whole[0]


def test_a_change_that_is_not_about_numbers_goes_on_to_the_same_bits(settings, work, tmp_path, whole) -> None:
    half = list(itertools.islice(Trainer(fresh(settings, work, tmp_path)).steps(), 30))
    changed = settings.model_copy(
        update={
            "evaluation": settings.evaluation.model_copy(update={"queries": 7}),
            "export": settings.export.model_copy(update={"prompts": {"query": "Query: ", "document": ""}}),
            "watching": settings.watching.model_copy(update={"peak_tflops": 1.0}),
            "checkpoint_every": 13,
        }
    )
    trainer = Trainer(fresh(changed, work, tmp_path))
    assert trainer.position.done == 28
    assert facts(half)[:28] + facts(trainer.steps()) == whole[0]


def test_what_a_kill_leaves_half_written_does_not_count(settings, work, tmp_path, whole) -> None:
    trainer = Trainer(fresh(settings, work, tmp_path))
    list(itertools.islice(trainer.steps(), 9))
    torn = trainer.checkpoints / ".00000012.partial"
    torn.mkdir()
    (torn / checkpoint.MODEL).write_bytes(b"half")
    (trainer.checkpoints / "00000099").mkdir()
    again = Trainer(fresh(settings, work, tmp_path))
    assert again.position.done == 8
    assert facts(itertools.islice(again.steps(), 6)) == whole[0][8:14]


def test_training_lowers_the_loss(whole) -> None:
    losses = [fact[4] for fact in whole[0] if fact[1:3] == ("retrieval", "alpha")]
    assert sum(losses[-4:]) < 0.6 * sum(losses[:4])


def test_log_entries_say_the_loss_of_every_layer_and_dimension(settings, work, tmp_path) -> None:
    entry = next(e for e in Trainer(fresh(settings, work, tmp_path)).steps() if e["family"] == "retrieval")
    assert entry["hard"].keys() == entry["in_batch"].keys() == {"1", "2", "3"}
    assert entry["hard"]["2"].keys() == {"8", "16", "32"}
    weights = {"8": 1 / (3 * 2), "16": 1 / (2 * 2**0.5), "32": 1.0}
    total = sum(w * (entry[t][la][d]) for t in ("hard", "in_batch") for la in "123" for d, w in weights.items()) / 3
    assert total == pytest.approx(entry["loss"], rel=1e-4)


def test_checkpoints_hold_no_pickle_and_old_ones_go(settings, work, tmp_path) -> None:
    trainer = Trainer(fresh(settings, work, tmp_path))
    list(itertools.islice(trainer.steps(), 14))
    kept = sorted(p.name for p in trainer.checkpoints.iterdir())
    assert kept == ["00000008", "00000012"]
    files = {p.suffix for p in trainer.checkpoints.rglob("*") if p.is_file()}
    assert files == {".safetensors", ".json"}


def test_a_checkpoint_of_another_model_is_refused(settings, work, tmp_path) -> None:
    trainer = Trainer(fresh(settings, work, tmp_path))
    list(itertools.islice(trainer.steps(), 4))
    with pytest.raises(StageError, match="cannot load weights"):
        checkpoint.load_weights(checkpoint.latest(trainer.checkpoints) / checkpoint.MODEL, torch.nn.Linear(2, 2))


def test_the_key_follows_what_training_depends_on(settings: TrainSettings, mix: Path, work: Path, tmp_path) -> None:
    key = Run(settings, work).key
    shutil.copytree(mix, tmp_path / "copy")
    stages = tuple(s.model_copy(update={"mix": str(tmp_path / "copy")}) for s in settings.stages)
    assert Run(settings.model_copy(update={"stages": stages}), work).key == key
    assert Run(settings.model_copy(update={"checkpoint_every": 77}), work).key == key
    assert Run(settings.model_copy(update={"seed": 9}), work).key != key
    (tmp_path / "copy" / "samples" / "train-00001.parquet").unlink()
    assert Run(settings.model_copy(update={"stages": stages}), work).key != key


def test_the_rate_never_rises_again_after_the_horizon() -> None:
    rates = [learning_rate(s, peak=1e-3, warmup=10, steps=100) for s in range(300)]
    assert max(rates) == rates[9] == pytest.approx(1e-3)
    assert all(a >= b for a, b in itertools.pairwise(rates[9:]))
    assert not any(rates[100:])
