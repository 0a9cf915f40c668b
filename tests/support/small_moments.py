"""An optimizer that keeps its state as those of other packages do: bytes, a scale, a number, and a rate in a tensor."""

from __future__ import annotations

from typing import Any

import torch


class Rounded(torch.optim.Optimizer):
    """Momentum whose state is rounded to a byte an element."""

    def __init__(self, params: Any, *, lr: float, betas: tuple[float, float]) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": 0.0})
        for group in self.param_groups:
            group["lr"] = torch.tensor(group["lr"])

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            assert isinstance(group["lr"], torch.Tensor)
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state |= {"step": 0, "codes": torch.zeros_like(p, dtype=torch.int8), "scale": torch.ones(())}
                moment = state["codes"].float() * state["scale"] * group["betas"][0] + p.grad
                state["scale"].copy_(moment.abs().max().clamp_min(1e-12) / 127)
                state["codes"].copy_((moment / state["scale"]).round())
                state["step"] += 1
                p.sub_(state["codes"].float() * state["scale"], alpha=float(group["lr"]) / state["step"] ** 0.5)
