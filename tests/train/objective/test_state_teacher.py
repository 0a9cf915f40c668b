"""Distillation of hidden states: the published sum, the teacher's own states, and what is refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModel, AutoTokenizer, Qwen3Config

from open_ml_embed.core.errors import SettingsError
from tests.support import reference
from tests.support.synthetic import params_for, write_params
from tests.train.objective.test_objective import DIMS, LAYERS, H, assert_same, form_of, make, states
from train.config import Distillation
from train.config_file import load_settings
from train.data.batch import make_batch
from train.data.plan import Plan
from train.distributed.parallel import Group
from train.loop.loop import Trainer
from train.loop.run import Run
from train.model.presets import PRESETS
from train.objective.loss import TaughtStates, objective
from train.objective.state_teacher import check_state_teacher, followed_depths, load_state_teacher, open_stored_states


def taught_states(b: int, n: int, seed: int = 5) -> TaughtStates:
    generator = torch.Generator().manual_seed(seed)
    return TaughtStates(*(torch.randn(LAYERS, k, H, generator=generator, dtype=torch.float64) for k in (b, n)))


def published(queries, documents, targets, taught: TaughtStates) -> torch.Tensor:
    """The sum as the public trainer has it: torch's mean squared error over gathered batches, a mean over depths."""
    total = torch.zeros((), dtype=torch.float64)
    for layer in range(len(queries)):
        positives, negatives = targets.positive_B, targets.negatives_BK.flatten()
        total = total + torch.nn.functional.mse_loss(queries[layer], taught.queries_LQH[layer])
        total = total + torch.nn.functional.mse_loss(
            documents[layer][positives], taught.documents_LNH[layer][positives]
        )
        total = total + torch.nn.functional.mse_loss(
            documents[layer][negatives], taught.documents_LNH[layer][negatives]
        )
    return total / len(queries)


@pytest.mark.parametrize(("in_batch", "weight"), [(True, 1.0), (True, 0.3), (False, 1.0)])
def test_it_is_the_published_sum_in_float64(in_batch: bool, weight: float) -> None:
    b, n = 5, 12
    targets, n = make(b=b, n=n, k=3, seed=4, in_batch=in_batch, mask=False)
    targets = targets.__class__(**vars(targets) | {"negatives_mask_BK": torch.ones(b, 3, dtype=torch.bool)})
    leaves, taught = states(b, n), taught_states(b, n)
    form = form_of(distillation={"on": "states", "teacher": "t", "weight": weight})
    got = objective(*leaves, targets, form, taught)
    wanted = reference.loss(*leaves, targets, dims=DIMS) + weight * published(*leaves, targets, taught)
    assert_same(got.total, wanted, leaves)
    torch.testing.assert_close(got.distilled_LM[:, -1].mean(), published(*leaves, targets, taught).detach())
    assert not got.distilled_LM[:, :-1].any()


def test_a_query_with_fewer_negatives_counts_as_much() -> None:
    targets, n = make(b=6, n=9, k=4, seed=1, in_batch=True)
    leaves, taught = states(6, n), taught_states(6, n)
    got = objective(*leaves, targets, form_of(distillation={"on": "states", "teacher": "t"}), taught)
    wanted = reference.loss(*leaves, targets, dims=DIMS)
    for layer, i in itertools.product(range(LAYERS), range(6)):
        error = [
            (side[layer] - own).square().mean(1)
            for side, own in zip(leaves, (taught[0][layer], taught[1][layer]), strict=True)
        ]
        kept = targets.negatives_BK[i][targets.negatives_mask_BK[i]]
        parts = error[0][i] + error[1][targets.positive_B[i]] + (error[1][kept].mean() if len(kept) else 0.0)
        wanted = wanted + parts / (6 * LAYERS)
    assert_same(got.total, wanted, leaves)
    form = form_of(distillation={"on": "states", "teacher": "t"})
    parts = [objective(*leaves, targets.share(i, 4), form, taught) for i in range(4)]
    whole = objective(*leaves, targets, form, taught)
    assert_same(torch.stack([part.total for part in parts]).sum(), whole.total, leaves)


def run_with(mix: Path, fitted: Path, root: Path, teacher: Path, changes: dict[str, Any] | None = None, **more) -> Run:
    distillation = {"on": "states", "teacher": str(teacher), **(changes or {})}
    section = params_for(mix, objective={"distillation": distillation, **more.pop("objective", {})}, **more)
    section["backbone"] = {"kind": "pretrained", "path": str(fitted)}
    root.mkdir(exist_ok=True)
    return Run(load_settings(write_params(root / "params.yaml", section), None)[1], root / "work")


def test_the_states_are_the_teachers_last_token_normed_and_cut(mix, fitted, teacher, tmp_path) -> None:
    run = run_with(mix, fitted, tmp_path, teacher)
    check_state_teacher(run)
    store = run.store(run.mixes[0])
    plan = Plan([store.train.dataset.of(code) for code in range(len(store.datasets))], 8, 0, 0)
    wanted = {"retrieval": 2, "clustering": 2}
    batch = make_batch(store, plan, 3, wanted=wanted, preset=PRESETS["default"], stream=(0, 0))
    found = load_state_teacher(run).read(batch, Group())
    assert run.shape.layers == (1, 2, 3)
    assert found.queries_LQH.shape == (3, batch.queries, 32)
    plain = AutoModel.from_pretrained(teacher)
    states_LNH = torch.cat(found, dim=1)
    for i, ids in enumerate(reference.split(batch.segments)):
        with torch.no_grad():
            output = plain(torch.from_numpy(ids.astype(np.int64))[None], output_hidden_states=True)
        for at, depth in enumerate((1, 2, 4)):  # the published depths of a teacher of five layers begin so
            one = plain.norm(output.hidden_states[depth][0, -1])[:32]
            torch.testing.assert_close(states_LNH[at, i], one, rtol=1e-5, atol=1e-5)
    kept = open_stored_states(run, store, run.mixes[0].identity)
    stored = kept.of(batch, torch.device("cpu"))
    for one, live in zip(stored, found, strict=True):
        torch.testing.assert_close(one, live, rtol=2e-3, atol=2e-3)
    before = {path: path.stat().st_mtime_ns for path in run.work.rglob("*.npy")}
    open_stored_states(run, store, run.mixes[0].identity)
    assert {path: path.stat().st_mtime_ns for path in run.work.rglob("*.npy")} == before


def test_depths_follow_in_their_order(mix, fitted, teacher, tmp_path) -> None:
    for chosen, wanted in ((None, (1, 2, 4, 5)), ([], (5,)), ([2], (2, 5)), ([1, 3], (1, 5))):
        run = run_with(mix, fitted, tmp_path, teacher, objective={"layers": chosen})
        assert followed_depths(run, 5) == wanted


@pytest.mark.parametrize("live", [True, False])
def test_a_student_comes_nearer_to_its_teacher_in_the_stage_that_has_one(mix, fitted, teacher, tmp_path, live) -> None:
    run = run_with(mix, fitted, tmp_path, teacher, {"live": live, "stages": ["retrieval"], "weight": 5})
    trainer = Trainer(run)
    entries = list(trainer.steps())
    errors = [e["distilled"]["3"]["32"] for e in entries if e["stage"] == "retrieval"]
    assert sum(errors[-5:]) < 0.9 * sum(errors[:5])
    assert all(e["distilled"] is None for e in entries if e["stage"] == "instruction")
    again = Trainer(
        run_with(mix, fitted, tmp_path / "again", teacher, {"live": live, "stages": ["retrieval"], "weight": 5})
    )
    assert [e["loss"] for e in itertools.islice(again.steps(), 6)] == [e["loss"] for e in entries[:6]]


def test_teachers_that_cannot_be_followed_are_refused_before_their_weights_are_read(
    mix, fitted, teacher, tmp_path, monkeypatch
) -> None:
    narrow, other = tmp_path / "narrow", tmp_path / "other"
    tokenizer = AutoTokenizer.from_pretrained(fitted)
    sizes = {"vocab_size": len(tokenizer), "intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 1}
    Qwen3Config(**sizes, hidden_size=16, num_key_value_heads=1, head_dim=16).save_pretrained(narrow)
    Qwen3Config(**sizes, hidden_size=64, num_key_value_heads=1, head_dim=16).save_pretrained(other)
    for folder in (narrow, other):
        tokenizer.save_pretrained(folder)

    def refused(folder: Path, **more: Any) -> SettingsError:
        with pytest.raises(SettingsError) as caught:
            Trainer(run_with(mix, fitted, tmp_path, folder, **more))
        assert caught.value.remedy
        assert str(folder) in caught.value.where
        return caught.value

    assert "have 16 numbers, the student's 32" in refused(narrow).what
    assert "trains 3 depths, the teacher has 2 to follow (1, 2)" in refused(other).what
    assert "no model" in refused(tmp_path / "nowhere").what
    tokenizer.backend_tokenizer.normalizer = None
    tokenizer.save_pretrained(other)
    assert "another tokenizer" in refused(other, objective={"layers": []}).what


def test_settings_that_contradict_are_refused(mix, fitted, teacher, tmp_path) -> None:
    with pytest.raises(ValidationError, match="without a query_prompt"):
        Distillation(on="states", teacher="t", query_prompt="query: ")
    with pytest.raises(SettingsError, match="there is no stage second; there are retrieval, instruction"):
        run_with(mix, fitted, tmp_path, teacher, {"stages": ["second"]})
