"""Gradient caching: a step of any size in the memory of one chunk, with the gradient of the whole.

Texts are encoded once without a graph, the loss is computed on all pooled states together, and each chunk is encoded
again, with a graph, to carry its states' gradient on (Gao et al. 2021, "Scaling deep contrastive learning batch size
under memory limited setup", section 3). The second time draws the same random numbers, and chunks go through in the
order in which a whole graph would be walked back, so weights get the gradient that they would get without caching.
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
    """Pooled states whose graph was not kept.

    Attributes:
        states_LNH: a leaf, in the chunks' order; its gradient is asked for.
        backward: carries the leaf's gradient on to the weights. Its argument makes the context of all passes but the
            last, in which processes need not add up their gradients yet.

    """

    states_LNH: Tensor
    backward: Callable[[Callable[[], AbstractContextManager[None]]], None]


def encode_cached(encode: Encode, segments: Segments, chunks: Sequence[I64]) -> Cached:
    """Encode chunks one by one, keeping what is needed to do it again.

    Args:
        encode: gives layers × texts × hidden size states of some chunks, in their order.
        segments: all texts.
        chunks: indices of texts.

    """
    parts, before = [], []
    with torch.no_grad():
        for rows in chunks:
            before.append(_Generators.now())
            parts.append(encode(segments, [rows]))
    states_LNH = torch.cat(parts, dim=1).requires_grad_()

    def backward(deferred: Callable[[], AbstractContextManager[None]]) -> None:
        assert states_LNH.grad is not None
        gradients = torch.split(states_LNH.grad, [len(rows) for rows in chunks], dim=1)
        for i in reversed(range(len(chunks))):
            with deferred() if i else nullcontext(), before[i].again():
                torch.autograd.backward(encode(segments, [chunks[i]]), gradients[i])

    return Cached(states_LNH, backward)


@dataclass(frozen=True)
class _Generators:
    """Where torch's random generators stand."""

    host: Tensor
    device: Tensor | None

    @classmethod
    def now(cls) -> _Generators:
        on_device = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call] # torch
        return cls(torch.get_rng_state(), torch.cuda.get_rng_state() if on_device else None)

    @contextmanager
    def again(self) -> Iterator[None]:
        """Go back there, and afterwards to where the generators stand now."""
        with torch.random.fork_rng(devices=[] if self.device is None else [torch.cuda.current_device()]):
            torch.set_rng_state(self.host)
            if self.device is not None:
                torch.cuda.set_rng_state(self.device)
            yield
