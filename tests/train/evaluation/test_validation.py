from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from open_ml_embed.core.errors import StageError
from tests.train.loop.test_loop import facts, fresh
from train.config import Validation
from train.evaluation.validation import Validator
from train.loop import stages
from train.loop.loop import Trainer
from train.loop.run import Run


def with_validation(settings, **values: object):
    return settings.model_copy(update={"validation": Validation.model_validate({"every": 10, "queries": 6} | values)})


@torch.no_grad()
def by_hand(run: Run, model, queries: int) -> dict[str, float]:
    """Rank every held-out positive among its candidates, one query at a time."""
    store = run.store(run.mixes[0])
    held, found = store.validation, {}
    validator = Validator(store, Validation(every=1, queries=queries))
    vector = lambda ids: torch.nn.functional.normalize(model(ids)[-1], dim=1)[0]  # noqa: E731
    for name, rows in validator.rows.items():
        family = next(d.family for d in store.datasets if d.name == name)
        gains = []
        for row in rows:
            positive = int(held.positive[np.array([row])][0])
            candidates = {int(n) for n in held.negatives[int(row)]}
            if family == "retrieval":
                candidates |= {int(held.positive[np.array([other])][0]) for other in rows}
            candidates.discard(positive)
            query = vector(held.queries.gather([int(row)]))
            score = float(query @ vector(store.documents.gather([positive])))
            ahead = sum(float(query @ vector(store.documents.gather([c]))) > score for c in candidates)
            gains.append(1 / math.log2(2 + ahead) if ahead < 10 else 0.0)
        found[name] = sum(gains) / len(gains)
    return found


def test_every_dataset_is_evaluated_as_by_hand(run: Run) -> None:
    model = run.model()[0].eval()
    store = run.store(run.mixes[0])
    found = Validator(store, Validation(every=1, queries=6)).evaluate(model)
    assert found.keys() == {"alpha/all", "beta/all", "gamma/all"}
    assert found == pytest.approx(by_hand(run, model, 6), abs=1e-5)


def test_a_model_that_says_one_thing_is_not_taken_for_a_good_one(run: Run, monkeypatch) -> None:
    model = run.model()[0]
    monkeypatch.setattr(type(model), "forward", lambda self, texts: torch.ones(3, len(texts), 32))
    found = Validator(run.store(run.mixes[0]), Validation(every=1, queries=12)).evaluate(model)
    assert max(found["alpha/all"], found["beta/all"]) < 0.5


def test_evaluations_change_no_step_and_are_logged(settings, work, tmp_path) -> None:
    plain = facts(itertools.islice(Trainer(fresh(settings, work, tmp_path / "a")).steps(), 32))
    said: list[str] = []
    trainer = Trainer(fresh(with_validation(settings, best=False), work, tmp_path / "b"), say=said.append)
    entries = list(itertools.islice(trainer.steps(), 32))
    assert facts(entries) == plain
    due = [entry["step"] + 1 for entry in entries if entry.get("validation")]
    assert due == [10, 20, 30]
    last = entries[29]["validation"]
    assert last["mean"] == pytest.approx(np.mean(list(last["sets"].values())), abs=1e-6)
    assert sum("ndcg@10" in line for line in said) == 3
    assert not (trainer.run.folder / "best").exists()


def test_the_best_weights_are_taken_also_after_a_stop(settings, work, tmp_path, monkeypatch) -> None:
    """The third of six evaluations is made the best; whoever is stopped after it goes on to the same end."""
    values = {10: 0.1, 20: 0.2, 30: 0.9, 40: 0.3, 50: 0.3, 60: 0.2}
    settings = with_validation(settings)

    def run(to: Path, *stops: int) -> tuple[Trainer, dict[int, dict[str, torch.Tensor]]]:
        seen: dict[int, dict[str, torch.Tensor]] = {}
        for stop in (*stops, 60):
            trainer = Trainer(fresh(settings, work, to))

            def found(self, model, trainer=trainer) -> dict[str, float]:
                step = trainer.position.step + 1
                seen[step] = {name: value.clone() for name, value in model.state_dict().items()}
                return {"alpha/all": values.get(step, 0.0)}

            monkeypatch.setattr(Validator, "evaluate", found)
            list(itertools.islice(trainer.steps(), stop - trainer.position.done))
        return trainer, seen

    whole, seen = run(tmp_path / "a")
    assert whole.position.stage == 1
    state = whole.model.state_dict()
    assert all(torch.equal(value, seen[30][name]) for name, value in state.items())
    assert not all(torch.equal(value, seen[60][name]) for name, value in state.items())
    stopped, _ = run(tmp_path / "b", 33, 45)
    assert all(torch.equal(value, state[name]) for name, value in stopped.model.state_dict().items())
    lines = [json.loads(line) for line in stopped.log.read_text("utf-8").splitlines()]
    assert [line["validation"]["best"] for line in lines if line.get("validation")] == [True] * 3 + [False] * 3


def test_a_stage_ends_when_nothing_becomes_better(settings, work, tmp_path, monkeypatch) -> None:
    values = iter([0.1, 0.5, 0.4, 0.5, 0.6, 0.7])
    monkeypatch.setattr(Validator, "evaluate", lambda self, model: {"alpha/all": next(values)})
    trainer = Trainer(fresh(with_validation(settings, patience=2, best=False), work, tmp_path))
    entries = list(itertools.islice(trainer.steps(), 41))
    assert [e["stage"] for e in entries] == ["retrieval"] * 40 + ["instruction"]
    assert entries[40]["learning_rate"] == pytest.approx(0.001), "the next stage begins with its warm-up"


def test_a_mix_without_held_out_samples_is_refused(settings, work, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(stages.Validator, "rows", {})
    with pytest.raises(StageError, match="no held-out samples"):
        Trainer(fresh(with_validation(settings), work, tmp_path))
