"""The batch of one step: distinct texts to encode, and index tensors that say which are scored against which."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from open_ml_embed.core.array_types import I64, Mask
from train.data.memmap_columns import Column
from train.data.mix import Family
from train.data.plan import Plan, choose_negatives
from train.data.segments import Segments
from train.data.token_store import Store
from train.model.presets import Preset


@dataclass(frozen=True)
class Targets:
    """Indices and masks for the scores of one step.

    Shape suffixes: Q queries of the step, B of them scored here, N distinct documents, D of them counted here, C
    in-batch columns, K hard negatives.

    Attributes:
        query_B: int64, the queries that are scored here: all of them, or the share of one process.
        document_D: int64, the documents that terms over texts count here: all of them, or a share.
        positive_B: int64, the positive of each query, as an index into the N documents.
        negatives_BK: int64, the hard negatives of each query, as indices into the N documents.
        negatives_mask_BK: bool, true where a hard negative counts.
        columns_C: int64, the documents of the in-batch columns, as indices into the N documents.
        column_B: int64, the column of each query's positive.
        columns_mask_BC: bool, true where a column is a negative of the query; false at the query's positive.
        queries_mask_BQ: bool, true where another query is a negative of the query or of its positive.
        in_batch: whether the family has an in-batch term.

    """

    query_B: Tensor
    document_D: Tensor
    positive_B: Tensor
    negatives_BK: Tensor
    negatives_mask_BK: Tensor
    columns_C: Tensor
    column_B: Tensor
    columns_mask_BC: Tensor
    queries_mask_BQ: Tensor
    in_batch: bool

    def to(self, device: torch.device) -> Targets:
        """Return the targets with all tensors on a device; from pinned memory without waiting for the copy."""
        moved: dict[str, Any] = {
            k: v.to(device, non_blocking=v.is_pinned()) for k, v in vars(self).items() if isinstance(v, Tensor)
        }
        return replace(self, **moved)

    def pinned(self) -> Targets:
        """Return the targets in memory that a GPU can copy from by itself."""
        moved: dict[str, Any] = {k: v.pin_memory() for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **moved)

    def share(self, at: int, of: int) -> Targets:
        """Return the share of process `at` of `of` processes; the losses of all shares add up to the whole loss."""
        by_query = [name for name in vars(self) if "_B" in name]
        parts: dict[str, Any] = {name: getattr(self, name).tensor_split(of)[at] for name in (*by_query, "document_D")}
        return replace(self, **parts)


@dataclass(frozen=True)
class Batch:
    """The batch of one step.

    Attributes:
        source: the source of all queries.
        subset: their subset.
        family: loss family of the dataset.
        segments: token ids of the Q queries, followed by those of the N distinct documents.
        targets: which texts are scored against which.
        query_rows: int64 (Q), rows of the mix's training samples.
        document_rows: int64 (N), rows of the mix's documents, ascending.

    """

    source: str
    subset: str
    family: Family
    segments: Segments
    targets: Targets
    query_rows: I64
    document_rows: I64

    @property
    def queries(self) -> int:
        """Number of queries Q, which come first in `segments`."""
        return len(self.query_rows)


def make_batch(
    store: Store, plan: Plan, step: int, *, wanted: dict[str, int], preset: Preset, stream: tuple[int, ...]
) -> Batch:
    """Assemble the batch of a step.

    Args:
        store: the tokenized mix.
        plan: plan of the stage.
        step: step of the stage, from 0.
        wanted: hard negatives per query, by family.
        preset: decides whether repeats are masked and whether negatives are drawn for each sample.
        stream: seed and stage, which identify the random numbers that negatives are drawn with.

    """
    code, rows = plan.step(step)
    dataset = store.datasets[code]
    samples = store.train
    samples.prepare(rows)
    stored = [samples.negatives[int(row)] for row in rows]
    drawn, counts = choose_negatives(
        [len(s) for s in stored],
        wanted[dataset.family],
        *stream,
        step,
        per_sample=preset.negatives_per_sample,
    )
    negatives_BK = np.zeros_like(drawn)
    for i, (candidates, positions, n) in enumerate(zip(stored, drawn, counts, strict=True)):
        negatives_BK[i, :n] = candidates[positions[:n]]
    positive = samples.positive[rows]
    present = np.arange(drawn.shape[1])[None, :] < counts[:, None]
    store.cluster.prepare(np.concatenate([positive, negatives_BK[present]]))
    targets, documents = make_targets(
        positive=positive,
        negatives=negatives_BK,
        present=present,
        query_cluster=samples.query_cluster[rows],
        cluster=store.cluster,
        mask_repeats=preset.mask_repeats,
        in_batch=dataset.family == "retrieval",
    )
    store.documents.prepare(documents)
    segments = Segments.concatenate([samples.queries.gather(rows), store.documents.gather(documents)])
    return Batch(dataset.source, dataset.subset, dataset.family, segments, targets, samples.row[rows], documents)


def make_targets(
    *,
    positive: I64,
    negatives: I64,
    present: Mask,
    query_cluster: I64,
    cluster: I64 | Column,
    mask_repeats: bool,
    in_batch: bool,
) -> tuple[Targets, I64]:
    """Index the documents of a step, and mask pairs that must not count as negatives.

    With `mask_repeats`, a document has one column however many queries have it as positive, and these are not scored as
    negatives: near-duplicates of the query's positive, positives of near-duplicates of the query, queries that share a
    positive (or a near-duplicate of it) with the query, and repeated hard negatives of the query. Without it, the
    columns are the B positives in order, and only the query's own positive is masked.

    Args:
        positive: int64 (B), document rows.
        negatives: int64 (B × K), document rows; values where `present` is false are ignored.
        present: bool (B × K), where there is a negative.
        query_cluster: int64 (B), near-duplicate cluster of each query.
        cluster: int64, near-duplicate cluster of every document of the mix.
        mask_repeats: see above.
        in_batch: whether the family has an in-batch term.

    Returns:
        The targets, and the rows of the N distinct documents that they index (int64, ascending).

    """
    documents = np.unique(np.concatenate([positive, negatives[present]]))
    cluster_N = cluster[documents]
    at_B = np.searchsorted(documents, positive)
    at_BK = np.searchsorted(documents, np.where(present, negatives, documents[0]))
    b = len(positive)
    columns = np.unique(at_B) if mask_repeats else at_B
    own_column = np.searchsorted(columns, at_B) if mask_repeats else np.arange(b)
    others = np.ones((b, len(columns)), bool)
    others[np.arange(b), own_column] = False
    other_queries = ~np.eye(b, dtype=bool)
    valid = present.copy()
    if mask_repeats:
        _, query_group = np.unique(query_cluster, return_inverse=True)
        _, column_group = np.unique(cluster_N[columns], return_inverse=True)
        is_answer = np.zeros((query_group.max() + 1, column_group.max() + 1), bool)
        is_answer[query_group, column_group[own_column]] = True
        others = ~is_answer[query_group][:, column_group]
        other_queries = others[:, own_column] & others[:, own_column].T
        valid &= cluster_N[at_BK] != cluster_N[at_B][:, None]
        k = negatives.shape[1]
        earlier = np.tril(np.ones((k, k), bool), -1)
        same = at_BK[:, :, None] == at_BK[:, None, :]
        valid &= ~(same & earlier & present[:, None, :]).any(axis=2)
    targets = Targets(
        query_B=torch.arange(b),
        document_D=torch.arange(len(documents)),
        positive_B=torch.from_numpy(at_B),
        negatives_BK=torch.from_numpy(at_BK),
        negatives_mask_BK=torch.from_numpy(valid),
        columns_C=torch.from_numpy(columns),
        column_B=torch.from_numpy(own_column),
        columns_mask_BC=torch.from_numpy(others),
        queries_mask_BQ=torch.from_numpy(other_queries),
        in_batch=in_batch,
    )
    return targets, documents
