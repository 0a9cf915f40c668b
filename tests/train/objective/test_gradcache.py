from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch

from open_ml_embed.core.array_types import I64
from open_ml_embed.core.errors import SettingsError
from tests.support import reference
from tests.support.tiny_models import ARCHITECTURES, batch_of, embedder, exact_norms, form_of, gradients, texts
from train.config import Memory
from train.data.batch import Batch
from train.data.packing import share_out
from train.data.segments import Segments
from train.distributed.parallel import Group, spread
from train.loop.memory_estimate import Estimate, estimate, kept_bytes
from train.loop.step import backward
from train.model.embedder import Embedder
from train.objective.gradcache import encode_cached
from train.objective.loss import Loss

WHOLE = 1 << 40


def step(model: Embedder, batch: Batch, *, cached: bool, **form: Any) -> tuple[Loss, dict[str, torch.Tensor]]:
    loss = backward(spread(model, Group()), batch, form_of(model, **form), whole_tokens=0 if cached else WHOLE)
    return loss, gradients(model)


def assert_same(got: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], tolerance: float) -> None:
    assert got.keys() == wanted.keys()
    for name, gradient in got.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=tolerance, atol=tolerance, msg=name)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("rank", [4, 12])
@pytest.mark.parametrize(
    ("batch", "form", "own"),
    [
        ({"negatives": 1}, {}, {}),
        ({"negatives": 7, "queries": 8, "documents": 20}, {}, {}),
        ({"in_batch": False}, {}, {}),
        ({}, {"bidirectional": True, "same_side": True}, {"bidirectional": True, "same_side": True}),
        ({"mask": False}, {"preset": "upstream"}, {"exact": False}),
        ({"mask": False, "negatives": 0}, {"temperature": 0.5}, {"temperature": 0.5}),
    ],
    ids=["one negative", "seven negatives", "clustering", "both sides", "upstream", "no negatives"],
)
@pytest.mark.parametrize("cached", [False, True], ids=["whole", "cached"])
def test_a_step_equals_the_reference(architecture: str, rank: int, batch, form, own, cached: bool) -> None:
    """Loss and every gradient of a whole step, from token ids on, against one text and one score at a time."""
    with exact_norms():
        model, made = embedder(architecture, chunk_tokens=20), batch_of(**batch)
        model.embedding.rank = rank
        loss, got = step(model, made, cached=cached, **form)
        wanted = reference.batch_loss(model, made, dims=(4, 8, 16), **own)
        wanted.backward()
        torch.testing.assert_close(loss.total, wanted.detach(), rtol=1e-9, atol=1e-9)
        assert_same(got, gradients(model), 1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("chunk_tokens", [5, 20, 1000])
def test_caching_changes_no_bit(dtype: torch.dtype, chunk_tokens: int) -> None:
    model, batch = embedder(dtype=dtype, chunk_tokens=chunk_tokens), batch_of(queries=8, documents=20)
    (whole, wanted), (cached, got) = (step(model, batch, cached=cached) for cached in (False, True))
    assert torch.equal(whole.total, cached.total)
    assert all(torch.equal(got[name], gradient) for name, gradient in wanted.items())


class Noisy(torch.nn.Module):
    """A layer's MLP with dropout behind it."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.dropout = inner, torch.nn.Dropout(0.3)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.inner(states))


def test_dropout_is_the_same_in_both_passes() -> None:
    model, batch = embedder(chunk_tokens=20), batch_of()
    for layer in model.backbone.layers:
        layer.mlp = Noisy(layer.mlp)
    outcomes = []
    for cached in (False, True):
        torch.manual_seed(5)
        loss, got = step(model, batch, cached=cached)
        outcomes.append((loss.total, got, torch.rand(1)))
    (whole, wanted, after), (replayed, got, after_cached) = outcomes
    assert torch.equal(whole, replayed)
    assert_same(got, wanted, 0)
    assert torch.equal(after, after_cached)
    model.eval()
    assert not torch.equal(step(model, batch, cached=False)[0].total, whole)


def test_batches_of_one_move_add_up_by_weight() -> None:
    model = embedder()
    batches = [batch_of(seed=seed) for seed in (0, 1)]
    separate = [step(model, batch, cached=False)[1] for batch in batches]
    for batch in batches:
        backward(spread(model, Group()), batch, form_of(model), whole_tokens=WHOLE, weight=0.5)
    assert_same(gradients(model), {n: (separate[0][n] + separate[1][n]) / 2 for n in separate[0]}, 1e-12)


def test_the_second_pass_keeps_a_chunk_at_a_time() -> None:
    model, segments = embedder(), texts([16] * 64)
    (chunks,) = share_out(segments.lengths, tokens=64)
    kept: list[int] = []

    def encode(some: Segments, rows: Sequence[I64]) -> torch.Tensor:
        kept.append(kept_bytes(model, some, rows) if torch.is_grad_enabled() else 0)
        return model(some, rows)

    cached = encode_cached(encode, segments, chunks)
    assert not any(kept)
    cached.states_LNH.sum().backward()
    cached.backward(nullcontext)
    assert 0 < max(kept) < kept_bytes(model, segments, chunks) / 8


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_estimate_foretells_what_a_step_keeps(architecture: str) -> None:
    model = embedder(architecture, dtype=torch.float32)
    said = estimate(spread(model, Group()), Memory(gib=1))
    segments = texts(np.random.default_rng(0).integers(3, 60, 100).tolist())
    kept = kept_bytes(model, segments, [np.arange(100)]) * (1 + 1 / 3)
    assert said.per_token * len(segments.ids) == pytest.approx(kept, rel=0.1)
    size = sum(p.numel() for p in model.parameters()) * 4
    assert said.weights == size
    assert size * 3 <= said.training < size * 3.5
    assert said.fitting_tokens * said.per_token + said.weights + said.training <= 1 << 30


def test_the_estimate_leaves_model_and_generator_alone() -> None:
    model = embedder()
    for layer in model.backbone.layers:
        layer.mlp = Noisy(layer.mlp)
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    estimate(spread(model, Group()), Memory())
    assert torch.equal(torch.rand(3), wanted)
    assert all(p.grad is None for p in model.parameters())


def test_what_is_kept_whole_follows_the_setting() -> None:
    sizes = {"weights": 100, "training": 300, "per_token": 7, "available": 1100, "chunk_tokens": 50}
    assert Estimate(**sizes, caching="auto").whole_tokens == 100
    assert Estimate(**sizes, caching="always").whole_tokens == 0
    assert Estimate(**sizes, caching="never").whole_tokens > 1 << 50
    Estimate(**sizes, caching="auto").check()
    Estimate(**sizes | {"available": 0}, caching="never").check()
    with pytest.raises(SettingsError, match="a chunk does not fit"):
        Estimate(**sizes | {"available": 600}, caching="auto").check()
    assert "up to 100 tokens" in str(Estimate(**sizes, caching="auto"))
