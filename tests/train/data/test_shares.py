from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from open_ml_embed.core.errors import SettingsError, UnknownNameError
from tests.support.synthetic import params_for, write_params
from train.config import Sampling
from train.config_file import load_settings
from train.data.mix import Dataset
from train.data.plan import Plan
from train.data.shares import batches_of
from train.loop.loop import Trainer
from train.loop.preflight import outline
from train.loop.run import Run

NAMES = [Dataset("web", "de", "retrieval"), Dataset("web", "en", "retrieval"), Dataset("code", "all", "retrieval")]
OWN = np.array([100, 400, 16])


def counts(**settings: object) -> list[int]:
    return batches_of(Sampling.model_validate(settings), NAMES, OWN).tolist()


def test_temperature_brings_sizes_together() -> None:
    assert counts() == counts(temperature=1) == [100, 400, 16]
    roots = np.sqrt(OWN)
    assert counts(temperature=2) == pytest.approx(roots / roots.sum() * 516, abs=1)
    flat = counts(temperature=1e9)
    assert max(flat) - min(flat) <= 1
    assert sum(counts(temperature=3)) == 516


def test_weights_are_by_source_or_subset() -> None:
    assert counts(weights={"web": 0}) == [0, 0, 516]
    halved = counts(weights={"web": 0.5, "web/en": 1.0})
    assert halved == pytest.approx(np.array([50, 400, 16]) / 466 * 516, abs=1)
    with pytest.raises(SettingsError, match="every dataset has the weight 0"):
        counts(weights={"web": 0, "code": 0})


@given(
    st.lists(st.tuples(st.integers(0, 300), st.floats(0, 9)), min_size=1, max_size=6).filter(
        lambda pairs: any(n and w for n, w in pairs)
    ),
    st.floats(1, 50),
)
def test_an_epoch_keeps_its_length_and_no_wanted_dataset_is_left_out(pairs, temperature: float) -> None:
    datasets = [Dataset("a", str(i), "retrieval") for i in range(len(pairs))]
    weights = {dataset.name: weight for dataset, (_, weight) in zip(datasets, pairs, strict=True)}
    own = np.array([n for n, _ in pairs])
    found = batches_of(Sampling(temperature=temperature, weights=weights), datasets, own)
    for count, (n, weight) in zip(found, pairs, strict=True):
        assert (count > 0) == (n > 0 and weight > 0)
    assert own.sum() <= found.sum() <= own.sum() + len(pairs)


def test_a_dataset_goes_through_its_rows_at_its_own_pace() -> None:
    rows = [np.arange(40), np.arange(40, 52)]
    plan = Plan(rows, 4, 0, 0, np.array([5, 6]))  # half as often, and twice as often
    drawn: dict[int, list[int]] = {0: [], 1: []}
    per_epoch = Counter()
    for step in range(4 * plan.steps_per_epoch):
        dataset, some = plan.step(step)
        per_epoch[step // plan.steps_per_epoch, dataset] += 1
    for epoch in range(4):
        batches: dict[int, list[np.ndarray]] = {0: [], 1: []}
        for step in range(epoch * 11, epoch * 11 + 11):
            dataset, some = plan.step(step)
            batches[dataset].append(some)
        assert (len(batches[0]), len(batches[1])) == (5, 6)
        for dataset, parts in batches.items():
            drawn[dataset] += np.concatenate(parts).tolist()
    assert Counter(drawn[0]) == dict.fromkeys(range(40), 2), "two epochs are one pass"
    assert Counter(drawn[1]) == dict.fromkeys(range(40, 52), 8), "an epoch is two passes"
    assert drawn[0][:40] != drawn[0][40:], "each pass has an order of its own"


def test_a_plan_with_its_own_counts_is_the_plan_without() -> None:
    rows = [np.arange(40), np.arange(40, 53)]
    plain = Plan(rows, 4, 7, 1)
    chosen = Plan(rows, 4, 7, 1, plain.own)
    for step in range(3 * plain.steps_per_epoch):
        assert plain.step(step)[1].tolist() == chosen.step(step)[1].tolist()


def test_a_run_draws_as_its_stage_says(mix: Path, work: Path, tmp_path: Path) -> None:
    section = params_for(mix)
    section["stages"][0]["sampling"] = {"weights": {"gamma": 0, "alpha/all": 3}}
    settings = load_settings(write_params(tmp_path / "p.yaml", section), None)[1]
    trainer = Trainer(Run(settings, work))
    stage = trainer.stages[0]
    drawn = Counter(stage.store.datasets[stage.plan.step(step)[0]].source for step in range(stage.plan.steps_per_epoch))
    assert drawn == {"alpha": 7, "beta": 2}


def test_an_unknown_dataset_is_refused_before_anything_is_loaded(mix: Path, tmp_path: Path) -> None:
    section = params_for(mix)
    section["stages"][1]["sampling"] = {"weights": {"alhpa": 2}}
    settings = load_settings(write_params(tmp_path / "p.yaml", section), None)[1]
    for start in (Trainer, outline):
        with pytest.raises(UnknownNameError, match="did you mean alpha") as caught:
            start(Run(settings, tmp_path / "work"))
        assert "instruction" in caught.value.where
    assert not (tmp_path / "work" / "stores").exists()
