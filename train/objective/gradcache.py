"""Gradient caching: a step of any size in the memory of one chunk, with the exact gradient of the whole step.

Texts are encoded once without a graph, the loss is computed on all pooled states together, and each chunk is encoded
again with a graph to propagate the gradient of its states (Gao et al. 2021, "Scaling deep contrastive learning batch
size under memory limited setup", section 3). The second pass uses the same random numbers. Chunks are processed in
the order in which backward would visit them in one graph, so the weights get the gradient of a step without caching.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from open_ml_embed.core.array_types import I64
from train.data.segments import Segments

Encode = Callable[[Segments, Sequence[I64]], Tensor]


@dataclass(frozen=True)
class Cached:
    """Pooled states without a graph.

    Attributes:
        states_LNH: the states, in the order of the chunks; a leaf that requires a gradient.
        backward: propagates the gradient of the leaf to the weights. Its argument creates the context for all passes
            but the last, in which processes need not reduce their gradients yet.

    """

    states_LNH: Tensor
    backward: Callable[[Callable[[], AbstractContextManager[None]]], None]


def encode_cached(encode: Encode, segments: Segments, chunks: Sequence[I64]) -> Cached:
    """Encode chunks one by one without a graph, and keep what a second pass needs.

    Args:
        encode: returns the states of chunks, layers × texts × hidden size, in the order of the chunks.
        segments: all texts of the step.
        chunks: indices of the texts of each chunk.

    """
    parts, generators = [], []
    with torch.no_grad():
        for rows in chunks:
            generators.append(_Generators.now())
            parts.append(encode(segments, [rows]))
    states_LNH = torch.cat(parts, dim=1).requires_grad_()

    def backward(deferred: Callable[[], AbstractContextManager[None]]) -> None:
        assert states_LNH.grad is not None
        gradients = torch.split(states_LNH.grad, [len(rows) for rows in chunks], dim=1)
        for i in reversed(range(len(chunks))):
            with deferred() if i else nullcontext(), generators[i].again():
                torch.autograd.backward(encode(segments, [chunks[i]]), gradients[i])

    return Cached(states_LNH, backward)


@dataclass(frozen=True)
class _Generators:
    """The states of torch's random number generators."""

    host: Tensor
    device: Tensor | None

    @classmethod
    def now(cls) -> _Generators:
        on_device = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call] # torch
        return cls(torch.get_rng_state(), torch.cuda.get_rng_state() if on_device else None)

    @contextmanager
    def again(self) -> Iterator[None]:
        """Restore these states inside the context, and the present ones afterwards."""
        with torch.random.fork_rng(devices=[] if self.device is None else [torch.cuda.current_device()]):
            torch.set_rng_state(self.host)
            if self.device is not None:
                torch.cuda.set_rng_state(self.device)
            yield
