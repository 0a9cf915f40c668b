from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from train.batch import Targets
from train.objective import objective
from train.presets import PRESETS

DIMS = (4, 8, 12)
LAYERS, B, N, H, K = 3, 5, 9, 12, 3
TEMPERATURE = 0.05


def make_targets(*, in_batch: bool, seed: int = 0) -> Targets:
    generator = torch.Generator().manual_seed(seed)
    column_B = torch.tensor([0, 1, 2, 2, 3])
    mask_BC = torch.rand(B, 4, generator=generator) < 0.7
    mask_BC[torch.arange(B), column_B] = False
    return Targets(
        positive_B=torch.tensor([0, 3, 5, 5, 8]),
        negatives_BK=torch.randint(N, (B, K), generator=generator),
        negatives_mask_BK=torch.rand(B, K, generator=generator) < 0.7,
        columns_C=torch.tensor([0, 3, 5, 8]),
        column_B=column_B,
        columns_mask_BC=mask_BC,
        in_batch=in_batch,
    )


def slow(queries: torch.Tensor, documents: torch.Tensor, t: Targets, *, exact: bool = True) -> torch.Tensor:
    """Compute the objective as it is written down: one layer, one prefix, one query at a time."""
    total = torch.zeros((), dtype=queries.dtype)
    for layer in range(len(queries)):
        for k, dim in enumerate(reversed(DIMS), 1):
            weight = 1 / (k * math.sqrt(H / dim))
            q = functional.normalize(queries[layer, :, :dim], dim=1)
            d = functional.normalize(documents[layer, :, :dim], dim=1)
            for i in range(B):
                hard = [q[i] @ d[t.positive_B[i]]]
                hard += [q[i] @ d[n] for n, m in zip(t.negatives_BK[i], t.negatives_mask_BK[i], strict=True) if m]
                logits = torch.stack(hard) / TEMPERATURE
                term = -functional.log_softmax(logits, 0)[0]
                if t.in_batch:
                    columns = d if exact else d.detach()
                    own = columns[t.columns_C[t.column_B[i]]]
                    row = [q[i] @ own]
                    row += [q[i] @ columns[c] for c, m in zip(t.columns_C, t.columns_mask_BC[i], strict=True) if m]
                    term = term - functional.log_softmax(torch.stack(row) / TEMPERATURE, 0)[0]
                total = total + weight * term / B
    return total / len(queries)


def states(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return tuple(  # type: ignore[return-value]
        torch.randn(LAYERS, n, H, generator=generator, dtype=torch.float64).to(dtype).requires_grad_() for n in (B, N)
    )


def value_and_gradients(loss: torch.Tensor, *leaves: torch.Tensor) -> list[torch.Tensor]:
    return [loss.detach(), *torch.autograd.grad(loss, leaves)]


@pytest.mark.parametrize("in_batch", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-4)])
def test_blocks_equal_the_loop_over_layers_and_dims(in_batch: bool, dtype: torch.dtype, tolerance: float) -> None:
    leaves, targets = states(dtype), make_targets(in_batch=in_batch)
    got = objective(*leaves, targets, dims=DIMS, temperature=TEMPERATURE, preset=PRESETS["default"])
    for ours, theirs in zip(
        value_and_gradients(got.total, *leaves), value_and_gradients(slow(*leaves, targets), *leaves), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def test_without_exact_columns_the_in_batch_term_trains_queries_only() -> None:
    leaves, targets = states(torch.float64), make_targets(in_batch=True)
    got = objective(*leaves, targets, dims=DIMS, temperature=TEMPERATURE, preset=PRESETS["upstream"])
    expected = slow(*leaves, targets, exact=False)
    for ours, theirs in zip(
        value_and_gradients(got.total, *leaves), value_and_gradients(expected, *leaves), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    frozen = value_and_gradients(slow(*leaves, targets, exact=False), *leaves)
    assert not torch.allclose(value_and_gradients(slow(*leaves, targets), *leaves)[2], frozen[2])


def test_low_precision_in_the_model_does_not_reach_the_default_loss() -> None:
    queries, documents = (s.detach().bfloat16() for s in states(torch.float32))
    targets = make_targets(in_batch=True)
    arguments = {"dims": DIMS, "temperature": TEMPERATURE}
    default = objective(queries, documents, targets, **arguments, preset=PRESETS["default"])
    wide = objective(queries.double(), documents.double(), targets, **arguments, preset=PRESETS["default"])
    upstream = objective(queries, documents, targets, **arguments, preset=PRESETS["upstream"])
    assert default.total.dtype == torch.float32
    assert upstream.total.dtype == torch.bfloat16
    assert abs(float(default.total) - float(wide.total)) < 1e-4 < abs(float(upstream.total) - float(wide.total))


def test_no_negatives_at_all_cost_nothing() -> None:
    queries, documents = states(torch.float64)
    targets = make_targets(in_batch=False)
    bare = Targets(**{**vars(targets), "negatives_mask_BK": torch.zeros_like(targets.negatives_mask_BK)})
    none = Targets(
        **{
            **vars(targets),
            "negatives_BK": targets.negatives_BK[:, :0],
            "negatives_mask_BK": targets.negatives_mask_BK[:, :0],
        }
    )
    for t in (bare, none):
        loss = objective(queries, documents, t, dims=DIMS, temperature=TEMPERATURE, preset=PRESETS["default"])
        assert float(loss.total.detach()) == 0.0
