"""What the memory estimate counts besides tokens: copies that autocast makes, and states, scores and loss."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch

from tests.support.tiny_models import embedder, texts
from train.config import Memory, Negatives, Objective, Stage
from train.data.batch import make_targets
from train.distributed.parallel import Group, spread
from train.loop.live_memory import LiveMemory
from train.loop.loss_memory import loss_bytes
from train.loop.memory_estimate import estimate, kept_bytes
from train.model.presets import Form
from train.objective.loss import objective

DIMS = (8, 16, 32, 64)


def form(**settings: object) -> Form:
    return Form.of(Objective.model_validate(settings), dims=DIMS, layers=(1, 2, 4))


def stage(batch_size: int, **negatives: int) -> Stage:
    values = {"retrieval": 3, "clustering": 3, "classification": 1} | negatives
    return Stage(name="a", mix="m", steps=1, batch_size=batch_size, negatives=Negatives(**values))


@pytest.mark.parametrize("settings", [{}, {"preset": "upstream"}, {"bidirectional": True, "same_side": True}], ids=str)
def test_the_loss_takes_what_is_counted_without_data(settings) -> None:
    queries, negatives = 24, 3
    said = loss_bytes(form(**settings), stage(queries), 3, 64)
    rows = np.arange(queries * (1 + negatives)).reshape(queries, 1 + negatives)
    targets, _ = make_targets(
        positive=rows[:, 0],
        negatives=rows[:, 1:],
        present=np.ones((queries, negatives), bool),
        query_cluster=np.arange(queries),
        cluster=np.arange(rows.size),
        mask_repeats=True,
        in_batch=True,
    )
    gc.collect()
    with LiveMemory() as memory:
        states = torch.randn(3, queries + rows.size, 64, requires_grad=True)
        objective(states[:, :queries], states[:, queries:], targets, form(**settings)).total.backward()
    assert said == pytest.approx(memory.peak, rel=0.02)


def test_the_loss_of_a_large_batch_grows_with_its_square_and_is_shared_by_processes() -> None:
    small, large = (loss_bytes(form(), stage(size), 3, 64) for size in (2048, 4096))
    scores = len(DIMS) * 3 * 4096 * 4096 * 4
    assert large > 3 * scores, "the scores of all prefixes and layers are held several times"
    assert 3.5 < large / small < 4.1
    assert loss_bytes(form(), stage(4096), 3, 64, processes=8) < large / 4


def test_the_estimate_counts_the_loss() -> None:
    replica = spread(embedder(dtype=torch.float32), Group())
    plain, counted = (estimate(replica, Memory(gib=4), loss) for loss in (0, 1 << 30))
    assert counted.training - plain.training == 1 << 30
    assert counted.fitting_tokens < plain.fitting_tokens


def test_autocast_converts_the_weights_once_for_all_chunks() -> None:
    model = embedder(dtype=torch.float32)
    model.autocast = torch.bfloat16
    segments = texts([7] * 32)
    rows = np.arange(32)
    one, four = (kept_bytes(model, segments, np.split(rows, parts)) for parts in (1, 4))
    copies = sum(p.numel() * 2 for p in model.backbone.layers.parameters() if p.ndim == 2)
    assert four - one < copies / 2, "a copy for each chunk would be three more"
    said = estimate(spread(model, Group(), precision="bfloat16"), Memory(gib=4))
    weights = sum(p.numel() * 4 for p in model.parameters())
    assert said.training >= 3 * weights + copies


def test_results_do_not_depend_on_who_converts_the_weights() -> None:
    model = embedder(dtype=torch.float32)
    model.autocast = torch.bfloat16
    segments = texts([7] * 8)
    together = model(segments, np.split(np.arange(8), 4))
    apart = torch.cat([model(segments, [rows]) for rows in np.split(np.arange(8), 4)], dim=1)
    assert torch.equal(together, apart)


def test_live_memory_is_the_sum_of_what_is_there() -> None:
    with LiveMemory() as memory:
        first = torch.zeros(1000)
        second = first + 1
        view = second[:10]
        assert memory.live == 8000
        del first
        gc.collect()
        assert memory.live == 4000
        assert view.numel() == 10
    assert memory.peak == 8000
