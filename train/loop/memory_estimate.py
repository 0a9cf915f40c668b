"""Estimates the device memory of training before it starts, and decides which steps need gradient caching.

The memory that a backward pass needs is measured on two small streams, not computed from a formula for one
architecture. It grows in proportion to the tokens, because there is no padding and attention stores no matrix.
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
from train.model.architectures import layers_of
from train.model.embedder import Embedder
from train.model.sharding import local_part

PROBE_TEXTS, PROBE_TOKENS = (4, 12), 32
SHARE = 0.9
GIB = 1 << 30


@dataclass(frozen=True)
class Estimate:
    """Bytes of memory per process; the worst values over all processes.

    Attributes:
        weights: weights of the model, or of the shard.
        training: gradients and optimizer state, and what a step needs independent of its tokens: the copies of the
            weights that autocast makes, and states, scores and loss of the largest batch.
        per_token: what each token needs: saved for the backward pass, and created in it.
        available: memory that a process may use.
        chunk_tokens: number of tokens that go through the backbone at once.
        caching: the setting `memory.caching`.

    """

    weights: int
    training: int
    per_token: int
    available: int
    chunk_tokens: int
    caching: str

    @property
    def fitting_tokens(self) -> int:
        """Number of tokens that a process can keep for the backward pass."""
        return max(0, self.available - self.weights - self.training) // self.per_token

    @property
    def whole_tokens(self) -> int:
        """Maximum tokens per process of a step that is encoded once; larger steps are encoded twice, chunk by chunk."""
        return {"auto": self.fitting_tokens, "always": 0, "never": 1 << 62}[self.caching]

    def check(self) -> None:
        """Raise an error if training cannot fit into memory.

        Raises:
            SettingsError: not even a single chunk fits.

        """
        if self.caching != "never" and self.chunk_tokens > self.fitting_tokens:
            raise SettingsError(
                f"a chunk does not fit: {self}",
                where="train.chunk_tokens",
                remedy="lower it, shard the model (`parallel: fsdp`), or raise `memory.gib` if there is more",
            )

    def __str__(self) -> str:
        """Return the estimate as one line of text."""
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


def estimate(replica: Replica, memory: Memory, loss: int = 0, *, moments: float = 2.0) -> Estimate:
    """Estimate the memory of training, by running the model on a few hundred tokens; the model is not changed.

    A collective call: all processes get the same figures, the worst over all of them. The figures decide whether a step
    is encoded once or twice, and processes that decided differently would wait for each other forever.

    Args:
        replica: the model.
        memory: the setting.
        loss: bytes that states, scores and loss of a step take (`train.loop.loss_memory.loss_bytes`), and whatever
            else is there all the time.
        moments: memory of the optimizer's moments, as a share of that of the weights.

    """
    model = replica.model
    local = [(local_part(parameter), parameter.requires_grad) for parameter in model.parameters()]
    weights = sum(tensor.numel() * tensor.element_size() for tensor, _ in local)
    # One gradient and the optimizer's moments.
    trained_bytes = sum(tensor.numel() * tensor.element_size() for tensor, trained in local if trained)
    updates = round((1 + moments) * trained_bytes)
    with torch.random.fork_rng():
        few, many = (kept_bytes(model, probe(texts), [np.arange(texts)]) for texts in PROBE_TEXTS)
    if isinstance(model, FSDPModule):
        # A sharded root stays gathered until a backward pass. There is none here, so steps would use stale weights.
        model.reshard()
    per_token = (many - few) / (PROBE_TOKENS * (PROBE_TEXTS[1] - PROBE_TEXTS[0]))
    fixed = max(0, few - round(per_token * PROBE_TOKENS * PROBE_TEXTS[0]))
    # In the backward pass, a layer allocates about as much again as it saved.
    per_token *= 1 + 1 / len(layers_of(model.backbone))
    available = _available(memory, model.device, replica.group.size)
    values = [available, -weights, -updates - fixed - loss, -round(per_token)]
    available, *negated = replica.group.least(torch.tensor(values, device=model.device)).tolist()
    weights, training, most_per_token = (-bytes_ for bytes_ in negated)
    return Estimate(
        weights=weights,
        training=training,
        per_token=most_per_token,
        available=available,
        chunk_tokens=model.chunk_tokens,
        caching=memory.caching,
    )


def probe(texts: int) -> Segments:
    """Return texts of `PROBE_TOKENS` tokens each; every token is the first of the vocabulary."""
    return Segments(np.zeros(texts * PROBE_TOKENS, np.int32), np.full(texts, PROBE_TOKENS, np.int32))


def kept_bytes(model: Embedder, segments: Segments, chunks: Sequence[I64]) -> int:
    """Return the bytes that autograd saves in a forward pass over chunks of texts, without the parameters."""
    parameters = {local_part(parameter).untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}
    with _saved(kept):
        states = model(segments, chunks)
    del states
    return sum(size for pointer, size in kept.items() if pointer not in parameters)


@contextmanager
def _saved(kept: dict[int, int]) -> Iterator[None]:
    """Record the size of every storage that autograd saves, by its address, so that views count once."""

    def record(tensor: Tensor) -> Tensor:
        storage = local_part(tensor).untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(record, lambda tensor: tensor):
        yield


def _available(memory: Memory, device: torch.device, processes: int) -> int:
    if memory.gib is not None:
        return int(memory.gib * GIB)
    if device.type == "cuda":
        return int(SHARE * torch.cuda.get_device_properties(device).total_memory)
    return int(SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) // processes
