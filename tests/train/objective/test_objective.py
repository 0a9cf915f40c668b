from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch.utils._python_dispatch import TorchDispatchMode

from tests.support import reference
from train.config import Distillation, Objective
from train.data.batch import Targets, make_targets
from train.model.presets import Form
from train.objective.loss import Loss, Taught, objective

DIMS, LAYERS, H = (4, 8, 12), 3, 12


def form_of(depth: int = LAYERS, prefixes: tuple[int, ...] = DIMS, **settings: Any) -> Form:
    return Form.of(Objective.model_validate(settings), dims=prefixes, layers=range(1, depth + 1))


def make(*, b: int, n: int, k: int, seed: int, in_batch: bool, mask: bool = True) -> tuple[Targets, int]:
    """Return targets of a step in which documents, clusters and queries repeat, and how many documents it has."""
    rng = np.random.default_rng(seed)
    targets, documents = make_targets(
        positive=rng.integers(0, n, b),
        negatives=rng.integers(0, n, (b, k)),
        present=rng.random((b, k)) < 0.8,
        query_cluster=rng.integers(0, max(2, b - 1), b),
        cluster=rng.integers(0, max(2, n - 2), n),
        mask_repeats=mask,
        in_batch=in_batch,
    )
    return targets, len(documents)


def states(*sizes: int, dtype: torch.dtype = torch.float64, seed: int = 7) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(LAYERS, n, H, generator=generator, dtype=torch.float64).to(dtype).requires_grad_() for n in sizes
    ]


def teacher(width: int, *sizes: int) -> Taught:
    generator = torch.Generator().manual_seed(1)
    return Taught(*(torch.randn(n, width, generator=generator, dtype=torch.float64) for n in sizes))


def assert_same(got: torch.Tensor, wanted: torch.Tensor, leaves: list[torch.Tensor], tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance)
    pairs = zip(*(torch.autograd.grad(loss, leaves, allow_unused=True) for loss in (got, wanted)), strict=True)
    for ours, theirs in pairs:
        zero = torch.zeros(())
        both = torch.broadcast_tensors(*(zero if g is None else g for g in (ours, theirs)))
        torch.testing.assert_close(*both, rtol=tolerance, atol=tolerance)


@given(
    st.integers(1, 6),
    st.integers(1, 9),
    st.integers(0, 4),
    st.integers(0, 99),
    st.tuples(*[st.booleans()] * 4),
    st.data(),
)
@hypothesis_settings(deadline=None, max_examples=60)
def test_blocks_equal_the_loop_for_all_switches(b: int, n: int, k: int, seed: int, switches, data) -> None:
    in_batch, mask, bidirectional, same_side = switches
    targets, n = make(b=b, n=n, k=k, seed=seed, in_batch=in_batch, mask=mask)
    leaves = states(b, n, seed=seed)
    extra: dict[str, Any] = {"bidirectional": bidirectional, "same_side": same_side}
    taught, own = None, {}
    if (on := data.draw(st.sampled_from([None, "scores", "embeddings"]))) is not None:
        extra["distillation"] = {"on": on, "teacher": "t", "weight": 0.3, "temperature": 0.1}
        taught = teacher(data.draw(st.sampled_from([3, 8, 20])), b, n)
        own = {"distillation": Distillation.model_validate(extra["distillation"]), "taught": taught}
    if data.draw(st.booleans()):
        extra |= {"dims": {4: 0.5, 8: 2.0, 12: 0.1}, "layers": {1: 1.0, 2: 3.0, 3: 0.5}, "temperature": 0.2}
        own |= {"dim_weights": [0.5, 2.0, 0.1], "layer_weights": [1.0, 3.0, 0.5], "temperature": 0.2}
    got = objective(*leaves, targets, form_of(**extra), taught).total
    own |= {"bidirectional": bidirectional, "same_side": same_side}
    assert_same(got, reference.loss(*leaves, targets, dims=DIMS, **own), leaves)


@pytest.mark.parametrize("processes", [2, 3, 7])
@pytest.mark.parametrize("on", ["scores", "embeddings"])
def test_the_shares_of_processes_add_up(processes: int, on: str) -> None:
    b, k = 5, 3
    targets, n = make(b=b, n=9, k=k, seed=0, in_batch=True)
    leaves, taught = states(b, n), teacher(8, b, n)
    form = form_of(bidirectional=True, same_side=True, distillation={"on": on, "teacher": "t"})
    parts = [objective(*leaves, targets.share(i, processes), form, taught) for i in range(processes)]
    whole = objective(*leaves, targets, form, taught)
    assert_same(torch.stack([part.total for part in parts]).sum(), whole.total, leaves)
    for name in ("hard_LM", "in_batch_LM", "distilled_LM"):
        torch.testing.assert_close(sum(getattr(part, name) for part in parts), getattr(whole, name))


@pytest.mark.parametrize(
    ("switches", "directions", "partition"),
    [
        ({}, ("query_to_doc",), "joint"),
        ({"same_side": True}, ("query_to_doc", "query_to_query"), "joint"),
        ({"bidirectional": True}, ("query_to_doc", "doc_to_query"), "per_direction"),
    ],
)
def test_at_full_size_and_without_repeats_it_is_the_common_contrastive_loss(switches, directions, partition) -> None:
    b = 6
    pairs = np.arange(b)
    targets, _ = make_targets(
        positive=pairs,
        negatives=np.zeros((b, 0), np.int64),
        present=np.zeros((b, 0), bool),
        query_cluster=pairs,
        cluster=pairs,
        mask_repeats=True,
        in_batch=True,
    )
    leaves = [t[:1].detach().requires_grad_() for t in states(b, b)]
    theirs = MultipleNegativesRankingLoss(torch.nn.Identity(), directions=directions, partition_mode=partition)
    wanted = theirs.compute_loss_from_embeddings([t[0] for t in leaves], torch.empty(0))
    got = objective(*leaves, targets, form_of(1, (H,), **switches)).total
    assert_same(got, wanted, leaves)


def test_without_exact_columns_the_in_batch_term_trains_queries_only() -> None:
    targets, n = make(b=5, n=9, k=3, seed=0, in_batch=True)
    leaves = states(5, n)
    got = objective(*leaves, targets, form_of(preset="upstream")).total
    assert_same(got, reference.loss(*leaves, targets, dims=DIMS, exact=False), leaves)
    in_batch = objective(
        *leaves, replace(targets, negatives_mask_BK=targets.negatives_mask_BK & False), form_of(preset="upstream")
    )
    assert not torch.autograd.grad(in_batch.total, leaves)[1].any()


def test_the_scores_of_the_public_trainer_are_few_and_those_of_the_default_are_not() -> None:
    """bfloat16 has 8 bits of mantissa: cosines near 0.9 over 0.05 fall on a grid of 1/8."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(1, 1, H, generator=generator)
    near = (base + 0.35 * torch.randn(1, 512, H, generator=generator)).bfloat16()
    columns = torch.arange(512)
    targets, _ = make_targets(
        positive=columns.numpy(),
        negatives=np.zeros((512, 0), np.int64),
        present=np.zeros((512, 0), bool),
        query_cluster=columns.numpy(),
        cluster=columns.numpy(),
        mask_repeats=True,
        in_batch=True,
    )
    losses = {
        preset: objective(near, near, targets, form_of(1, (H,), preset=preset)) for preset in ("default", "upstream")
    }
    wide = objective(near.double(), near.double(), targets, form_of(1, (H,)))
    assert losses["default"].total.dtype == torch.float32
    assert losses["upstream"].total.dtype == torch.bfloat16
    error = {preset: abs(float(loss.total) - float(wide.total)) for preset, loss in losses.items()}
    assert error["default"] < 1e-5 < 1e-3 < error["upstream"]


def test_no_negatives_at_all_cost_nothing() -> None:
    targets, n = make(b=5, n=9, k=3, seed=0, in_batch=False)
    bare = replace(targets, negatives_mask_BK=torch.zeros_like(targets.negatives_mask_BK))
    none = replace(
        targets, negatives_BK=targets.negatives_BK[:, :0], negatives_mask_BK=targets.negatives_mask_BK[:, :0]
    )
    for t in (bare, none):
        assert float(objective(*states(5, n), t, form_of()).total.detach()) == 0.0


def test_a_model_that_agrees_with_its_teacher_has_nothing_to_follow() -> None:
    targets, n = make(b=5, n=9, k=3, seed=0, in_batch=True)
    queries, documents = states(5, n)
    taught = Taught(queries[0].detach(), documents[0].detach())
    for on in ("scores", "embeddings"):
        got = objective(
            queries[:1], documents[:1], targets, form_of(1, distillation={"on": on, "teacher": "t"}), taught
        )
        assert float(got.distilled_LM[0, -1]) == pytest.approx(0, abs=1e-12)
        assert (
            float(
                objective(
                    queries[1:2], documents[1:2], targets, form_of(1, distillation={"on": on, "teacher": "t"}), taught
                ).distilled_LM[0, -1]
            )
            > 0.1
        )


class Counted(TorchDispatchMode):
    """Counts the operations that compute."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        free = (
            "view",
            "transpose",
            "permute",
            "expand",
            "slice",
            "detach",
            "t.",
            "unsqueeze",
            "alias",
            "as_strided",
            "select.",
        )
        self.calls += not str(func).removeprefix("aten.").startswith(free)
        return func(*args, **(kwargs or {}))


def calls(layers: int, dims: tuple[int, ...]) -> int:
    generator = torch.Generator().manual_seed(0)
    targets, n = make(b=5, n=9, k=3, seed=0, in_batch=True)
    leaves = [torch.randn(layers, size, dims[-1], generator=generator, requires_grad=True) for size in (5, n)]
    with Counted() as counted:
        objective(*leaves, targets, form_of(layers, dims)).total.backward()
    return counted.calls


def test_a_step_takes_few_kernels_whatever_the_layers() -> None:
    dims = tuple(8 << i for i in range(8))
    assert calls(7, dims) <= 260
    assert calls(7, dims) == calls(2, dims)
    per_prefix = {(calls(2, dims[: i + 1]) - calls(2, dims[:i])) for i in range(2, 8)}
    assert max(per_prefix) <= 12


def test_losses_are_reported_unweighted_by_layer_and_prefix() -> None:
    targets, n = make(b=5, n=9, k=3, seed=0, in_batch=True)
    leaves = states(5, n)
    got: Loss = objective(*leaves, targets, form_of())
    for (layer, m), term in itertools.product(itertools.product(range(LAYERS), range(3)), ("hard", "in_batch")):
        alone = [t[layer : layer + 1, :, : DIMS[m]] for t in leaves]
        t = replace(targets, in_batch=term == "in_batch")
        if term == "in_batch":
            t = replace(t, negatives_mask_BK=t.negatives_mask_BK & False)
        wanted = reference.loss(*alone, t, dims=DIMS[m : m + 1], dim_weights=[1.0])
        torch.testing.assert_close(getattr(got, f"{term}_LM")[layer, m], wanted.detach())
