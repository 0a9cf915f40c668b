"""What a step costs in arithmetic, and what the device could do: their quotient is the share of it that is used."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from open_ml_embed.core.array_types import I32

SIZE = {"cuda": 8192, "cpu": 1024}
REPEATS = 5


@dataclass(frozen=True)
class Cost:
    """What a backbone costs a token.

    Attributes:
        weights: parameters of the layers; token embedding and norms cost next to nothing.
        attention: layers × heads × head size × 2 where a token sees the tokens before it, × 4 where it sees all.

    """

    weights: int
    attention: int

    @classmethod
    def of(cls, backbone: Any) -> Cost:
        """Read it off a transformers backbone."""
        config = backbone.config
        head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        causal = all(getattr(m, "is_causal", True) for m in backbone.modules())
        width = config.num_hidden_layers * config.num_attention_heads * head
        weights = sum(parameter.numel() for parameter in backbone.layers.parameters())
        return cls(weights, (2 if causal else 4) * width)

    def step(self, lengths: I32) -> float:
        """Return the operations of a step over texts of these lengths: forward, and twice that backward.

        What cached gradients or checkpoints compute again is not counted: it is no progress.

        >>> Cost(weights=100, attention=10).step(np.array([1, 3]))
        2700.0

        """
        wide = lengths.astype(np.float64)
        return float(3 * (2 * self.weights * wide.sum() + self.attention * np.square(wide).sum()))


@lru_cache(maxsize=4)
def measured_peak(device: str, dtype: torch.dtype) -> float:
    """Return the operations a second of one large matrix product, the best of a few."""
    kind = torch.device(device).type
    size = SIZE.get(kind, SIZE["cpu"])
    matrix = torch.ones(size, size, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(REPEATS):
        began = time.perf_counter()
        product = matrix @ matrix
        float(product[0, 0])  # waits for the device
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def memory_used(device: torch.device) -> int:
    """Return the most bytes held so far: of a GPU's memory, on a CPU of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
