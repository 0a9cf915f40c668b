"""Memory of the loss of a step, measured on tensors without data, so that any batch size can be measured anywhere."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from train.config import Stage
from train.data.batch import Targets
from train.loop.live_memory import LiveMemory
from train.model.presets import Form
from train.objective.loss import Taught, TaughtStates, objective

TEACHER_WIDTH = 4096
"""Width of a teacher's vectors where there is one; wider ones are rare."""


def loss_bytes(form: Form, stage: Stage, layers: int, hidden: int, *, processes: int = 1) -> int:
    """Return the peak memory of a step's states, scores and loss in one process, forward and backward, in bytes.

    Every query has all its negatives and all documents are distinct, in the family that takes most.

    Args:
        form: parameters of the objective.
        stage: gives batch size and negatives.
        layers: number of trained layers.
        hidden: hidden size.
        processes: number of processes that share the queries.

    """
    negatives = stage.negatives
    cases = [(True, negatives.retrieval), (False, negatives.clustering), (False, negatives.classification)]
    return max(
        _peak(form, -(-stage.batch_size // processes), stage.batch_size, count, layers, hidden, in_batch=in_batch)
        for in_batch, count in cases
    )


@lru_cache(maxsize=32)
def _peak(form: Form, scored: int, queries: int, negatives: int, layers: int, hidden: int, *, in_batch: bool) -> int:
    documents = queries * (1 + negatives)

    def ids(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.int64, device="meta")

    def mask(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.bool, device="meta")

    targets = Targets(
        query_B=ids(scored),
        document_D=ids(documents),
        positive_B=ids(scored),
        negatives_BK=ids(scored, negatives),
        negatives_mask_BK=mask(scored, negatives),
        columns_C=ids(queries),
        column_B=ids(scored),
        columns_mask_BC=mask(scored, queries),
        queries_mask_BQ=mask(scored, queries),
        in_batch=in_batch,
    )
    taught: Taught | TaughtStates | None = None
    if form.distillation is not None and form.distillation.on == "states":
        taught = TaughtStates(*(torch.empty(layers, n, hidden, device="meta") for n in (queries, documents)))
    elif form.distillation is not None:
        taught = Taught(*(torch.empty(n, TEACHER_WIDTH, device="meta") for n in (queries, documents)))
    with LiveMemory(meta=True) as memory:
        states_LNH = torch.empty(layers, queries + documents, hidden, device="meta", requires_grad=True)
        loss = objective(states_LNH[:, :queries], states_LNH[:, queries:], targets, form, taught)
        loss.total.backward()  # type: ignore[no-untyped-call] # torch has no type for it
    return int(memory.peak)
