"""The computation of one step: encode a batch, score it, and back-propagate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from train.data.batch import Batch
from train.data.packing import share_out
from train.distributed.parallel import Replica
from train.model.presets import Form
from train.objective.gradcache import encode_cached
from train.objective.loss import Loss, Taught, TaughtStates, objective


def backward(
    replica: Replica,
    batch: Batch,
    form: Form,
    *,
    whole_tokens: int,
    weight: float = 1.0,
    taught: Taught | TaughtStates | None = None,
) -> Loss:
    """Encode, score and back-propagate one batch; gradients are added to those of the parameters.

    Every process encodes a share of the texts, and scores a share of the queries against all documents. Loss and
    gradient equal those of a single process that does everything.

    Args:
        replica: the model.
        batch: equal on every process.
        form: parameters of the objective.
        whole_tokens: if a process has more tokens than this, the step uses gradient caching and is encoded twice.
        weight: weight of the batch in an optimizer step with gradient accumulation. Accumulation adds no in-batch
            negatives, because each batch is scored by itself; a larger batch does.
        taught: the teacher's vectors or states; required if the form has a teacher.

    Returns:
        The loss of the whole batch, detached.

    """
    model, group = replica.model, replica.group
    lengths = batch.segments.lengths
    shares = share_out(lengths, tokens=model.chunk_tokens, processes=group.size)
    rows = [np.concatenate(chunks) for chunks in shares]
    local = shares[group.rank]
    cached = None
    if max(int(lengths[some].sum()) for some in rows) > whole_tokens:
        cached = encode_cached(replica.encode, batch.segments, local)
    states_LNH = group.gather(cached.states_LNH if cached else replica.encode(batch.segments, local), rows)
    targets = batch.targets.share(group.rank, group.size).to(states_LNH.device)
    loss = objective(states_LNH[:, : batch.queries], states_LNH[:, batch.queries :], targets, form, taught)
    (loss.total * (weight * group.size)).backward()  # type: ignore[no-untyped-call] # torch has no type for it
    if cached:
        cached.backward(replica.deferred)
    return replace(loss, **{name: group.total(value.detach()) for name, value in vars(loss).items()})
