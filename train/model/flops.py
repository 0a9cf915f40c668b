"""Arithmetic operations of a step and of the device per second; their ratio is the model FLOPs utilization (MFU)."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from open_ml_embed.core.array_types import I32
from train.model.architectures import WINDOWED, layers_of

SIZE = {"cuda": 8192, "cpu": 1024}
REPEATS = 5


@dataclass(frozen=True)
class Cost:
    """Arithmetic cost of a backbone.

    Attributes:
        weights: parameters of the layers; token embedding and norms cost almost nothing.
        attention: layers × heads × head size, times 2 for causal and 4 for bidirectional attention; of the layers whose
            tokens attend to all of their text.
        windowed: the same of the layers whose tokens attend to a window.
        window: tokens of the window.

    """

    weights: int
    attention: int
    windowed: int = 0
    window: int = 1

    @classmethod
    def of(cls, backbone: Any) -> Cost:
        """Return the cost of a transformers backbone."""
        config = backbone.config
        head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        causal = all(getattr(m, "is_causal", True) for m in backbone.modules())
        weights = sum(parameter.numel() for parameter in layers_of(backbone).parameters())
        layer = (2 if causal else 4) * config.num_attention_heads * head
        local = list(getattr(config, "layer_types", None) or ()).count(WINDOWED)
        window = 2 * config.sliding_window + 1 if local else 1
        return cls(weights, layer * (config.num_hidden_layers - local), layer * local, window)

    def step(self, lengths: I32) -> float:
        """Return the operations of a step over texts of these lengths: the forward pass, and twice as many backward.

        Operations that gradient caching repeats are not counted, because they are no progress.

        >>> Cost(weights=100, attention=10).step(np.array([1, 3]))
        2700.0

        """
        wide = lengths.astype(np.float64)
        pairs, near = np.square(wide).sum(), (wide * np.minimum(wide, self.window)).sum()
        return float(3 * (2 * self.weights * wide.sum() + self.attention * pairs + self.windowed * near))


@lru_cache(maxsize=4)
def measured_peak(device: str, dtype: torch.dtype) -> float:
    """Return the operations per second of one large matrix product, the best of several runs."""
    kind = torch.device(device).type
    size = SIZE.get(kind, SIZE["cpu"])
    matrix = torch.ones(size, size, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(REPEATS):
        began = time.perf_counter()
        product = matrix @ matrix
        float(product[0, 0])  # waits until the device is done
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def memory_used(device: torch.device) -> int:
    """Return the peak memory in bytes: allocated on a GPU, or resident memory of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
