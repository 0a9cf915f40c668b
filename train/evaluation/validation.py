"""Evaluation while training: how high held-out positives rank, dataset by dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.distributed.fsdp import FSDPModule

from open_ml_embed.core.array_types import I64
from train.config import Validation
from train.data.batch import Targets, make_targets
from train.data.plan import Draw, shuffled
from train.data.segments import Segments
from train.data.token_store import Store
from train.evaluation.retrieval_metrics import metrics
from train.model.embedder import Embedder

METRIC = "ndcg@10"


@dataclass(frozen=True)
class Validator:
    """Evaluates a model on the held-out samples of a mix.

    The positive of a query is ranked among the query's own hard negatives and, in retrieval datasets, the positives of
    the other queries of the dataset, with the masks of training.

    Attributes:
        store: the tokenized mix.
        settings: number of queries and seed.

    """

    store: Store
    settings: Validation

    @cached_property
    def rows(self) -> dict[str, I64]:
        """The chosen held-out samples of each dataset that has some."""
        chosen: dict[str, I64] = {}
        for code, dataset in enumerate(self.store.datasets):
            rows = self.store.validation.dataset.of(code)
            if len(rows):
                at = np.arange(min(len(rows), self.settings.queries))
                drawn = shuffled(Draw.POOL, len(rows), at, self.settings.seed, 3, code)
                chosen[dataset.name] = np.sort(rows[drawn])
        return chosen

    @torch.no_grad()
    def evaluate(self, model: Embedder) -> dict[str, float]:
        """Return the mean nDCG@10 of each dataset at the full size of the model.

        A collective call if the model is sharded: every process encodes all texts.

        """
        before, rank = model.training, model.embedding.rank
        model.eval()
        model.embedding.rank = _full_rank(model)
        found = {name: self._dataset(model, rows) for name, rows in self.rows.items()}
        if isinstance(model, FSDPModule):
            model.reshard()  # a sharded root stays gathered until a backward pass
        model.embedding.rank = rank
        model.train(before)
        return found

    def _dataset(self, model: Embedder, rows: I64) -> float:
        samples, store = self.store.validation, self.store
        stored = [samples.negatives[int(row)] for row in rows]
        counts = np.array([len(one) for one in stored], np.int64)
        negatives = np.zeros((len(rows), int(counts.max(initial=0))), np.int64)
        for i, one in enumerate(stored):
            negatives[i, : len(one)] = one
        family = store.datasets[int(samples.dataset[rows[:1]][0])].family
        targets, documents = make_targets(
            positive=samples.positive[rows],
            negatives=negatives,
            present=np.arange(negatives.shape[1])[None, :] < counts[:, None],
            query_cluster=samples.query_cluster[rows],
            cluster=store.cluster,
            mask_repeats=True,
            in_batch=family == "retrieval",
        )
        segments = Segments.concatenate([samples.queries.gather(rows), store.documents.gather(documents)])
        states_NH = torch.nn.functional.normalize(model(segments)[-1], dim=1)
        return metrics(ranks(states_NH[: len(rows)], states_NH[len(rows) :], targets))[METRIC]


def ranks(queries_BH: Tensor, documents_NH: Tensor, targets: Targets) -> I64:
    """Return the rank of each query's positive among its candidates, 1 being best; ties count against it.

    Args:
        queries_BH: unit vectors of the queries.
        documents_NH: unit vectors of the documents.
        targets: which documents are candidates of which query.

    """
    targets = targets.to(queries_BH.device)
    scores_BN = queries_BH.float() @ documents_NH.float().T
    positive_B1 = scores_BN.gather(1, targets.positive_B[:, None])
    ahead_BK = (scores_BN.gather(1, targets.negatives_BK) >= positive_B1) & targets.negatives_mask_BK
    ahead = ahead_BK.sum(1)
    if targets.in_batch:
        # A hard negative may also be the positive of another query; it counts once.
        columns_BC = (scores_BN[:, targets.columns_C] >= positive_B1) & targets.columns_mask_BC
        own_BN = torch.zeros_like(scores_BN, dtype=torch.bool).scatter(1, targets.negatives_BK, ahead_BK)
        ahead = ahead + (columns_BC & ~own_BN[:, targets.columns_C]).sum(1)
    found: I64 = 1 + ahead.cpu().numpy()
    return found


def mean(found: Mapping[str, float]) -> float:
    """Return the mean over datasets, each counting alike."""
    return round(float(np.mean(list(found.values()))), 6) if found else 0.0


def is_over(history: Sequence[float], patience: int | None) -> bool:
    """Return whether the last `patience` evaluations brought nothing better than what was before.

    >>> [is_over([0.1, 0.3, 0.2, 0.3][:n], 2) for n in range(1, 5)]
    [False, False, False, True]

    """
    if patience is None or len(history) <= patience:
        return False
    return max(history[-patience:]) <= max(history[:-patience])


def _full_rank(model: Embedder) -> int:
    left = getattr(model.embedding, "left", None)
    return model.embedding.rank if left is None else int(left.shape[1])
