"""One step's batch: texts to encode once each, and the index tensors that say who is scored against whom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from train.mix import Family
from train.plan import Ints, Plan, choose_negatives
from train.presets import Preset
from train.segments import Segments
from train.store import Store


@dataclass(frozen=True)
class Targets:
    """Who is scored against whom: B queries, N distinct documents, C in-batch columns, K negatives.

    Attributes:
        positive_B: int64, each query's own positive among the N documents.
        negatives_BK: int64, each query's own negatives among the N documents.
        negatives_mask_BK: true where a negative counts.
        columns_C: int64, the documents that in-batch scores are taken against.
        column_B: int64, each query's own positive among the columns.
        columns_mask_BC: true where a column counts as a negative of the query; its own positive's is false.
        in_batch: the family has the in-batch term.

    """

    positive_B: Tensor
    negatives_BK: Tensor
    negatives_mask_BK: Tensor
    columns_C: Tensor
    column_B: Tensor
    columns_mask_BC: Tensor
    in_batch: bool

    def to(self, device: torch.device) -> Targets:
        """Return the same targets on a device."""
        moved: dict[str, Any] = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **moved)


@dataclass(frozen=True)
class Batch:
    """What one step needs: a stream of B queries followed by N distinct documents, and the targets."""

    source: str
    family: Family
    segments: Segments
    queries: int
    targets: Targets


def make_batch(
    store: Store, plan: Plan, step: int, *, wanted: dict[str, int], preset: Preset, place: tuple[int, ...]
) -> Batch:
    """Assemble a step's batch.

    Args:
        store: the tokenised mix.
        plan: of the stage.
        step: of the stage, from 0.
        wanted: negatives a query, by family.
        preset: whether repeats are masked, whether negatives are drawn for each sample.
        place: the seed and the stage that the draw of the negatives belongs to.

    """
    code, rows = plan.step(step)
    dataset = store.datasets[code]
    samples = store.train
    stored = [samples.negatives[int(row)] for row in rows]
    drawn, taken = choose_negatives(
        [len(s) for s in stored],
        wanted[dataset.family],
        *place,
        step,
        per_sample=preset.negatives_per_sample,
    )
    negatives_BK = np.zeros_like(drawn)
    for i, (own, at, n) in enumerate(zip(stored, drawn, taken, strict=True)):
        negatives_BK[i, :n] = own[at[:n]]
    targets, documents = make_targets(
        positive=samples.positive[rows],
        negatives=negatives_BK,
        present=np.arange(drawn.shape[1])[None, :] < taken[:, None],
        query_cluster=samples.query_cluster[rows],
        cluster=store.cluster,
        mask_repeats=preset.mask_repeats,
        in_batch=dataset.family == "retrieval",
    )
    segments = Segments.concatenate([samples.queries.gather(rows), store.documents.gather(documents)])
    return Batch(dataset.source, dataset.family, segments, len(rows), targets)


def make_targets(
    *,
    positive: Ints,
    negatives: Ints,
    present: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    query_cluster: Ints,
    cluster: Ints,
    mask_repeats: bool,
    in_batch: bool,
) -> tuple[Targets, Ints]:
    """Index a step's documents and mask what is no negative.

    With `mask_repeats`, a document stands in one column however many queries have it as positive, and these are not
    scored as negatives: near-duplicates of the query's own positive, positives of near-duplicates of the query,
    and second copies among its own negatives. Without, columns are the B positives as they come.

    Args:
        positive: int64 (B), document rows.
        negatives: int64 (B × K), document rows; anything where `present` is false.
        present: bool (B × K).
        query_cluster: int64 (B).
        cluster: int64, cluster of every document of the mix.
        mask_repeats: as said.
        in_batch: the family has the in-batch term.

    Returns:
        The targets, and the N distinct document rows they index (int64, ascending).

    """
    documents = np.unique(np.concatenate([positive, negatives[present]]))
    b = len(positive)
    columns = np.unique(positive) if mask_repeats else positive
    own = np.searchsorted(columns, positive) if mask_repeats else np.arange(b)
    others = np.ones((b, len(columns)), bool)
    others[np.arange(b), own] = False
    counts = present.copy()
    if mask_repeats:
        _, asked = np.unique(query_cluster, return_inverse=True)
        _, said = np.unique(cluster[columns], return_inverse=True)
        answers = np.zeros((asked.max() + 1, said.max() + 1), bool)
        answers[asked, said[own]] = True
        others = ~answers[asked][:, said]
        counts &= cluster[negatives] != cluster[positive][:, None]
        k = negatives.shape[1]
        earlier = np.tril(np.ones((k, k), bool), -1)
        same = negatives[:, :, None] == negatives[:, None, :]
        counts &= ~(same & earlier & present[:, None, :]).any(axis=2)
    at = np.searchsorted(documents, np.where(present, negatives, documents[0]))
    targets = Targets(
        positive_B=torch.from_numpy(np.searchsorted(documents, positive)),
        negatives_BK=torch.from_numpy(at),
        negatives_mask_BK=torch.from_numpy(counts),
        columns_C=torch.from_numpy(np.searchsorted(documents, columns)),
        column_B=torch.from_numpy(own),
        columns_mask_BC=torch.from_numpy(others),
        in_batch=in_batch,
    )
    return targets, documents
