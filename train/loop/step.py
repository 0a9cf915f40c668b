"""One step's numbers: encode a batch, score it, back-propagate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from train.data.batch import Batch
from train.data.packing import share_out
from train.distributed.parallel import Replica
from train.model.presets import Form
from train.objective.gradcache import encode_cached
from train.objective.loss import Loss, Taught, objective


def backward(
    replica: Replica,
    batch: Batch,
    form: Form,
    *,
    whole_tokens: int,
    weight: float = 1.0,
    taught: Taught | None = None,
) -> Loss:
    """Encode, score and back-propagate one batch; gradients are added to the parameters'.

    Every process encodes a part of the texts and scores a part of the queries against all documents. The loss and
    the gradient are those of one process that does it all.

    Args:
        replica: the model.
        batch: the same on every process.
        form: of the objective.
        whole_tokens: a step is kept whole if no process has more tokens than that, and is encoded twice otherwise.
        weight: of the batch among those whose gradients make up one move of the optimizer. Adding batches up adds no
            negatives: each is scored by itself. A larger batch does.
        taught: the teacher's vectors, where the form has a teacher.

    Returns:
        The loss of the whole batch, detached.

    """
    model, group = replica.model, replica.group
    lengths = batch.segments.lengths
    shares = share_out(lengths, tokens=model.chunk_tokens, processes=group.size)
    rows = [np.concatenate(chunks) for chunks in shares]
    own = shares[group.rank]
    cached = None
    if max(int(lengths[some].sum()) for some in rows) > whole_tokens:
        cached = encode_cached(replica.encode, batch.segments, own)
    states_LNH = group.gather(cached.states_LNH if cached else replica.encode(batch.segments, own), rows)
    targets = batch.targets.share(group.rank, group.size).to(states_LNH.device)
    loss = objective(states_LNH[:, : batch.queries], states_LNH[:, batch.queries :], targets, form, taught)
    (loss.total * (weight * group.size)).backward()  # type: ignore[no-untyped-call] # torch has no type for it
    if cached:
        cached.backward(replica.deferred)
    return replace(loss, **{name: group.total(value.detach()) for name, value in vars(loss).items()})
