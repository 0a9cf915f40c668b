"""What training takes of a device's memory, estimated before it starts, and which steps are kept whole.

What the backward pass needs is not computed from a formula of one architecture but measured, on two small streams:
it grows in proportion to the tokens, because nothing is padded and attention keeps no matrix.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.distributed.fsdp import FSDPModule

from open_ml_embed.core.array_types import I64
from open_ml_embed.core.errors import SettingsError
from train.config import Memory
from train.data.segments import Segments
from train.distributed.parallel import Replica
from train.model.embedder import Embedder

PROBE_TEXTS, PROBE_TOKENS = (4, 12), 32
SHARE = 0.9
GIB = 1 << 30


@dataclass(frozen=True)
class Estimate:
    """Bytes that a process needs: of several, the one that needs most and has least.

    Attributes:
        weights: of the model, or of the shard.
        training: gradients and optimizer state of what is trained, and what a step keeps whatever its tokens.
        per_token: kept of each token for the backward pass, and made of it on the way back.
        available: what a process may use.
        chunk_tokens: tokens that go through the backbone at once.
        caching: the setting.

    """

    weights: int
    training: int
    per_token: int
    available: int
    chunk_tokens: int
    caching: str

    @property
    def fitting_tokens(self) -> int:
        """How many tokens a process can keep for the backward pass."""
        return max(0, self.available - self.weights - self.training) // self.per_token

    @property
    def whole_tokens(self) -> int:
        """Steps of so many tokens a process are kept whole; larger ones are encoded twice, a chunk at a time."""
        return {"auto": self.fitting_tokens, "always": 0, "never": 1 << 62}[self.caching]

    def check(self) -> None:
        """Refuse to start what cannot go well.

        Raises:
            SettingsError: not even a chunk fits.

        """
        if self.caching != "never" and self.chunk_tokens > self.fitting_tokens:
            raise SettingsError(
                f"a chunk does not fit: {self}",
                where="train.chunk_tokens",
                remedy="lower it, shard the model (`parallel: fsdp`), or say that there is more (`memory.gib`)",
            )

    def __str__(self) -> str:
        """Say it in words, for whoever starts a run."""
        kept = {
            "auto": f"up to {self.fitting_tokens:,} tokens a process are kept whole, larger steps encoded twice",
            "always": "every step is encoded twice",
            "never": "every step is kept whole",
        }[self.caching]
        return (
            f"memory: weights {self.weights / GIB:.2f} GiB, gradients and optimizer {self.training / GIB:.2f} GiB, "
            f"{self.per_token / 1024:.1f} KiB a token, {self.chunk_tokens * self.per_token / GIB:.2f} GiB a chunk of "
            f"{self.chunk_tokens:,}; {self.available / GIB:.1f} GiB available: {kept}"
        )


def estimate(replica: Replica, memory: Memory) -> Estimate:
    """Estimate what training takes; runs the model on a few hundred tokens, changes nothing.

    All processes must ask. They get the same figures, the worst that any of them found: whether a step is encoded once
    or twice is decided by them, and processes that decide otherwise would wait for each other for ever.
    """
    model = replica.model
    local = [(_local(parameter), parameter.requires_grad) for parameter in model.parameters()]
    weights = sum(tensor.numel() * tensor.element_size() for tensor, _ in local)
    # A gradient, and AdamW's two moments.
    updates = 3 * sum(tensor.numel() * tensor.element_size() for tensor, trained in local if trained)
    with torch.random.fork_rng():
        few, many = (kept_bytes(model, probe(texts), [np.arange(texts)]) for texts in PROBE_TEXTS)
    if isinstance(model, FSDPModule):
        # A sharded root stays whole until a backward pass, which these have not: steps would not see it move.
        model.reshard()
    per_token = (many - few) / (PROBE_TOKENS * (PROBE_TEXTS[1] - PROBE_TEXTS[0]))
    at_all = max(0, few - round(per_token * PROBE_TOKENS * PROBE_TEXTS[0]))
    # On the way back a layer makes about as much again as it kept.
    per_token *= 1 + 1 / len(model.backbone.layers)
    available = _available(memory, model.device, replica.group.size)
    found = [available, -weights, -updates - at_all, -round(per_token)]
    available, *taken = replica.group.least(torch.tensor(found, device=model.device)).tolist()
    weights, training, most_per_token = (-bytes_ for bytes_ in taken)
    return Estimate(
        weights=weights,
        training=training,
        per_token=most_per_token,
        available=available,
        chunk_tokens=model.chunk_tokens,
        caching=memory.caching,
    )


def probe(texts: int) -> Segments:
    """Return texts of a few tokens, all of them the first of the vocabulary."""
    return Segments(np.zeros(texts * PROBE_TOKENS, np.int32), np.full(texts, PROBE_TOKENS, np.int32))


def kept_bytes(model: Embedder, segments: Segments, chunks: Sequence[I64]) -> int:
    """Return what autograd keeps of a forward pass over some chunks of texts, besides the parameters."""
    own = {_local(parameter).untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}
    with _saved(kept):
        states = model(segments, chunks)
    del states
    return sum(size for place, size in kept.items() if place not in own)


@contextmanager
def _saved(kept: dict[int, int]) -> Iterator[None]:
    """Record every storage that autograd saves, by where it is: several views of one count once."""

    def note(tensor: Tensor) -> Tensor:
        storage = _local(tensor).untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        yield


def _local(tensor: Tensor) -> Tensor:
    """Return this process's part of a sharded tensor."""
    local: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return local


def _available(memory: Memory, device: torch.device, processes: int) -> int:
    if memory.gib is not None:
        return int(memory.gib * GIB)
    if device.type == "cuda":
        return int(SHARE * torch.cuda.get_device_properties(device).total_memory)
    return int(SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) // processes
