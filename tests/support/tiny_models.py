"""Small models of the architectures that the trainer takes, in any precision, and texts for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, EuroBertConfig, Qwen3Config
from transformers.models.eurobert.modeling_eurobert import EuroBertRMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

from tests.support.encoders import config_of
from train.config import Objective
from train.data.batch import Batch, make_targets
from train.data.segments import Segments
from train.model.embedder import Embedder
from train.model.embedding import nest
from train.model.presets import Form

VOCABULARY = 60
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
ARCHITECTURES = {
    "qwen3": lambda: Qwen3Config(**SIZES, head_dim=8, pad_token_id=0, eos_token_id=0),
    "eurobert": lambda: EuroBertConfig(**SIZES, pad_token_id=0, eos_token_id=0, bos_token_id=1, mask_token_id=2),
}


def embedder(
    architecture: str = "qwen3",
    *,
    layers: Sequence[int] | None = None,
    ranks: Sequence[int] = (4, 12),
    chunk_tokens: int = 1000,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    dropout: float = 0.0,
) -> Embedder:
    """Return a model with random weights, norms included; also of the encoders of `tests.support.encoders`.

    Without `layers`, the states of the first and the last layer are returned.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = ARCHITECTURES[architecture]() if architecture in ARCHITECTURES else config_of(architecture)
        backbone = AutoModel.from_config(made)
        for name, parameter in backbone.named_parameters():
            torch.nn.init.normal_(parameter, 1.0 if "norm" in name.lower() else 0.0, 0.3)
    layers = layers or (1, made.num_hidden_layers)
    return Embedder(nest(backbone.to(dtype), ranks), layers=layers, chunk_tokens=chunk_tokens, dropout=dropout)


@contextmanager
def exact_norms() -> Iterator[None]:
    """Let norms compute in the precision of their input; transformers' round to float32, which hides our own errors."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.weight * states * torch.rsqrt(states.square().mean(-1, keepdim=True) + self.variance_epsilon)

    kept = {kind: kind.forward for kind in (Qwen3RMSNorm, EuroBertRMSNorm)}
    for kind in kept:
        kind.forward = forward
    try:
        yield
    finally:
        for kind, own in kept.items():
            kind.forward = own


def texts(lengths: Sequence[int], *, seed: int = 3, eos: int | None = 0) -> Segments:
    """Return random texts that end in the end-of-text token, which is also the padding token."""
    ids = np.random.default_rng(seed).integers(1, VOCABULARY, sum(lengths)).astype(np.int32)
    if eos is not None:
        ids[np.cumsum(lengths) - 1] = eos
    return Segments(ids, np.array(lengths, np.int32))


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Take the gradients off a model."""
    taken = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return taken


def batch_of(
    *, queries: int = 5, documents: int = 9, negatives: int = 3, in_batch: bool = True, seed: int = 0, mask: bool = True
) -> Batch:
    """Return a step's batch in which documents, clusters and queries repeat."""
    rng = np.random.default_rng(seed)
    targets, rows = make_targets(
        positive=rng.integers(0, documents, queries),
        negatives=rng.integers(0, documents, (queries, negatives)),
        present=rng.random((queries, negatives)) < 0.8,
        query_cluster=rng.integers(0, max(2, queries - 1), queries),
        cluster=rng.integers(0, max(2, documents - 2), documents),
        mask_repeats=mask,
        in_batch=in_batch,
    )
    lengths = rng.integers(1, 12, queries + len(rows)).tolist()
    family = "retrieval" if in_batch else "clustering"
    return Batch("source", "subset", family, texts(lengths, seed=seed), targets, np.arange(queries), rows)


def form_of(model: Embedder, **settings: Any) -> Form:
    """Return an objective over the model's layers and a few dimensions."""
    return Form.of(Objective.model_validate(settings), dims=(4, 8, 16), layers=model.layers)
