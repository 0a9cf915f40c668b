"""One step's batch: texts to encode once each, and the index tensors that say who is scored against whom."""

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
    """Who is scored against whom: B of a step's Q queries, N distinct documents, C in-batch columns, K negatives.

    Attributes:
        query_B: int64, the queries that are scored here; those of one process, or all.
        document_D: int64, the documents that are here where each text counts once; likewise.
        positive_B: int64, each query's own positive among the N documents.
        negatives_BK: int64, each query's own negatives among the N documents.
        negatives_mask_BK: true where a negative counts.
        columns_C: int64, the documents that in-batch scores are taken against.
        column_B: int64, each query's own positive among the columns.
        columns_mask_BC: true where a column counts as a negative of the query; its own positive's is false.
        queries_mask_BQ: true where another query counts as a negative, of the query or of its positive.
        in_batch: the family has the in-batch term.

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
        """Return the same targets on a device."""
        moved: dict[str, Any] = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **moved)

    def share(self, at: int, of: int) -> Targets:
        """Return the part that one of several processes scores; the parts' losses add up to the whole's."""
        by_query = [name for name in vars(self) if "_B" in name]
        parts: dict[str, Any] = {name: getattr(self, name).tensor_split(of)[at] for name in (*by_query, "document_D")}
        return replace(self, **parts)


@dataclass(frozen=True)
class Batch:
    """What one step needs.

    Attributes:
        source: all queries are of one.
        family: of the source.
        segments: a stream of Q queries followed by N distinct documents.
        targets: who is scored against whom.
        query_rows: int64 (Q), rows of the mix's training samples.
        document_rows: int64 (N), rows of the mix's documents, ascending.

    """

    source: str
    family: Family
    segments: Segments
    targets: Targets
    query_rows: I64
    document_rows: I64

    @property
    def queries(self) -> int:
        """How many texts of the stream are queries."""
        return len(self.query_rows)


def make_batch(
    store: Store, plan: Plan, step: int, *, wanted: dict[str, int], preset: Preset, place: tuple[int, ...]
) -> Batch:
    """Assemble a step's batch.

    Args:
        store: the tokenized mix.
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
    return Batch(dataset.source, dataset.family, segments, targets, samples.row[rows], documents)


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
    """Index a step's documents and mask what is no negative.

    With `mask_repeats`, a document stands in one column however many queries have it as positive, and these are not
    scored as negatives: near-duplicates of the query's own positive, positives of near-duplicates of the query,
    queries that share an answer with the query, and second copies among its own negatives. Without, columns are the B
    positives as they come.

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
    cluster_N = cluster[documents]
    at_B = np.searchsorted(documents, positive)
    at_BK = np.searchsorted(documents, np.where(present, negatives, documents[0]))
    b = len(positive)
    columns = np.unique(at_B) if mask_repeats else at_B
    own = np.searchsorted(columns, at_B) if mask_repeats else np.arange(b)
    others = np.ones((b, len(columns)), bool)
    others[np.arange(b), own] = False
    strangers = ~np.eye(b, dtype=bool)
    counts = present.copy()
    if mask_repeats:
        _, asked = np.unique(query_cluster, return_inverse=True)
        _, said = np.unique(cluster_N[columns], return_inverse=True)
        answers = np.zeros((asked.max() + 1, said.max() + 1), bool)
        answers[asked, said[own]] = True
        others = ~answers[asked][:, said]
        strangers = others[:, own] & others[:, own].T
        counts &= cluster_N[at_BK] != cluster_N[at_B][:, None]
        k = negatives.shape[1]
        earlier = np.tril(np.ones((k, k), bool), -1)
        same = at_BK[:, :, None] == at_BK[:, None, :]
        counts &= ~(same & earlier & present[:, None, :]).any(axis=2)
    targets = Targets(
        query_B=torch.arange(b),
        document_D=torch.arange(len(documents)),
        positive_B=torch.from_numpy(at_B),
        negatives_BK=torch.from_numpy(at_BK),
        negatives_mask_BK=torch.from_numpy(counts),
        columns_C=torch.from_numpy(columns),
        column_B=torch.from_numpy(own),
        columns_mask_BC=torch.from_numpy(others),
        queries_mask_BQ=torch.from_numpy(strangers),
        in_batch=in_batch,
    )
    return targets, documents
