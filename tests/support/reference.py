"""The trainer's numbers as they are written down: one layer, one prefix, one query, one candidate at a time.

Slow on purpose, and shares nothing with the package but its data classes. Texts are encoded one at a time by
transformers' own model and attention, with the token embedding multiplied out.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModel

from open_ml_embed.factorized.embedding import FactorizedEmbedding
from train.config import Distillation
from train.data.batch import Batch, Targets
from train.data.segments import Segments
from train.model.embedder import Embedder


def split(segments: Segments) -> list[np.ndarray]:
    """Return the token ids of each text."""
    return np.split(segments.ids, np.cumsum(segments.lengths)[:-1])


def plain_backbone(model: Embedder) -> tuple[Any, dict[str, Tensor]]:
    """Return a transformers model of the same configuration, and the trained model's parameters under its names.

    The parameters are the trained model's own tensors, so gradients that go through them land there.
    """
    plain = AutoModel.from_config(copy.deepcopy(model.config), attn_implementation="sdpa").to(next(model.parameters()))
    own = {name.removeprefix("backbone."): p for name, p in model.named_parameters()}
    embedding = model.embedding
    if isinstance(embedding, FactorizedEmbedding):
        left, right = own.pop("embed_tokens.left"), own.pop("embed_tokens.right")
        own["embed_tokens.weight"] = left[:, : embedding.rank] @ right[: embedding.rank]
    norm = own.pop("norm.weight")
    return plain.train(model.training), {**own, "norm.weight": torch.ones_like(norm)}


def encode(model: Embedder, segments: Segments) -> Tensor:
    """Return normed last-token states, layers × texts × hidden size, one text at a time."""
    plain, parameters = plain_backbone(model)
    plain.norm = torch.nn.Identity()
    plain.embed_tokens.padding_idx = None  # or the end-of-text token, where it pads too, would not be trained
    del parameters["norm.weight"]
    texts = []
    for ids in split(segments):
        arguments = {"input_ids": torch.from_numpy(ids.astype(np.int64))[None], "output_hidden_states": True}
        output = torch.func.functional_call(plain, parameters, kwargs=arguments)
        texts.append(torch.stack([model.norm(output.hidden_states[layer][0, -1]) for layer in model.layers]))
    return torch.stack(texts, dim=1)


def unit(vector: Tensor) -> Tensor:
    return vector / vector.norm()


def loss(
    queries: Tensor,
    documents: Tensor,
    t: Targets,
    *,
    dims: Sequence[int],
    dim_weights: Sequence[float] | None = None,
    layer_weights: Sequence[float] | None = None,
    temperature: float = 0.05,
    exact: bool = True,
    bidirectional: bool = False,
    same_side: bool = False,
    distillation: Distillation | None = None,
    taught: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Compute the objective of layers × texts × hidden size states."""
    layers, width = len(queries), queries.shape[-1]
    layer_weights = layer_weights or [1.0] * layers
    total = torch.zeros((), dtype=queries.dtype)
    for layer in range(layers):
        for m, dim in enumerate(dims):
            k = len(dims) - m
            weight = dim_weights[m] if dim_weights else 1 / (k * math.sqrt(width / dim))
            q = [unit(row[:dim]) for row in queries[layer]]
            d = [unit(row[:dim]) for row in documents[layer]]
            term = _terms(q, d, t, temperature, exact=exact, bidirectional=bidirectional, same_side=same_side)
            if distillation is not None:
                assert taught is not None
                follow = _follow_scores if distillation.on == "scores" else _follow_vectors
                term = term + distillation.weight * follow(q, d, t, taught, temperature, distillation.temperature, dim)
            total = total + layer_weights[layer] / sum(layer_weights) * weight * term
    return total


def _softmax_loss(anchor: Tensor, positive: Tensor, negatives: list[Tensor], temperature: float) -> Tensor:
    scores = torch.stack([anchor @ candidate for candidate in (positive, *negatives)]) / temperature
    return -(scores[0] - torch.log(torch.exp(scores - scores.max()).sum()) - scores.max())


def _terms(
    q: list[Tensor],
    d: list[Tensor],
    t: Targets,
    temperature: float,
    *,
    exact: bool,
    bidirectional: bool,
    same_side: bool,
) -> Tensor:
    total = torch.zeros((), dtype=q[0].dtype)
    columns = [d[c] if exact else d[c].detach() for c in t.columns_C]
    for i in range(len(t.query_B)):
        anchor, at = q[t.query_B[i]], t.positive_B[i]
        hard = [d[n] for n, counts in zip(t.negatives_BK[i], t.negatives_mask_BK[i], strict=True) if counts]
        total = total + _softmax_loss(anchor, d[at], hard, temperature)
        if not t.in_batch:
            continue
        others = [c for c, counts in zip(columns, t.columns_mask_BC[i], strict=True) if counts]
        strangers = [c for c, counts in zip(q, t.queries_mask_BQ[i], strict=True) if counts]
        answer = columns[t.column_B[i]]
        term = _softmax_loss(anchor, answer, [*others, *(strangers if same_side else [])], temperature)
        if bidirectional:
            back = _softmax_loss(answer, anchor, [*strangers, *(others if same_side else [])], temperature)
            term = (term + back) / 2
        total = total + term
    return total / len(q)


def _follow_scores(
    q: list[Tensor],
    d: list[Tensor],
    t: Targets,
    taught: tuple[Tensor, Tensor],
    temperature: float,
    teachers: float,
    dim: int,
) -> Tensor:
    teacher_q, teacher_d = ([unit(row) for row in rows] for rows in taught)
    total = torch.zeros((), dtype=q[0].dtype)
    for i, at in enumerate(t.query_B):
        kept = [int(n) for n, counts in zip(t.negatives_BK[i], t.negatives_mask_BK[i], strict=True) if counts]
        pools = [[int(t.positive_B[i]), *kept]]
        if t.in_batch:
            others = [int(c) for c, counts in zip(t.columns_C, t.columns_mask_BC[i], strict=True) if counts]
            pools.append([int(t.positive_B[i]), *others])
        for pool in pools:
            own = torch.softmax(torch.stack([q[at] @ d[c] for c in pool]) / temperature, 0)
            wanted = torch.softmax(torch.stack([teacher_q[at] @ teacher_d[c] for c in pool]) / teachers, 0)
            total = total + sum(w * (w.log() - o.log()) for w, o in zip(wanted, own, strict=True))
    return total / len(q)


def _follow_vectors(
    q: list[Tensor],
    d: list[Tensor],
    t: Targets,
    taught: tuple[Tensor, Tensor],
    temperature: float,
    teachers: float,
    dim: int,
) -> Tensor:
    if dim > taught[0].shape[1]:
        return torch.zeros((), dtype=q[0].dtype)
    pairs = [(q[i], taught[0][i]) for i in t.query_B] + [(d[i], taught[1][i]) for i in t.document_D]
    return sum(1 - own @ unit(wanted[:dim]) for own, wanted in pairs) / (len(q) + len(d))


def batch_loss(model: Embedder, batch: Batch, **form: Any) -> Tensor:
    """Encode a batch and compute its objective."""
    states = encode(model, batch.segments)
    return loss(states[:, : batch.queries], states[:, batch.queries :], batch.targets, **form)
