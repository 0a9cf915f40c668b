"""Retrieval metrics on held-out pairs at every depth × dimension × rank, for the trained and the untrained model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from open_ml_embed.core.array_types import I32, I64
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.errors import StageError
from train.config import TrainSettings
from train.data.mix import Mix
from train.data.token_store import HERE, Store
from train.evaluation.results import HEADLINE, measured_on
from train.evaluation.retrieval_metrics import Pool, make_pool, metrics, ranks
from train.loop.record import DIGESTS
from train.loop.run import Shape, configure, load, store_of
from train.model.embedder import Embedder


def evaluate(
    settings: TrainSettings, folder: Path, work: Path, workers: Workers = HERE, *, named: bool = False
) -> dict[str, Any]:
    """Search the held-out queries in a pool of documents, with the trained and the untrained model.

    Args:
        settings: the `train` section of the profile.
        folder: the model folder that `fit` wrote.
        work: the work folder, where tokenized mixes are kept.
        workers: processes that tokenize.
        named: whether the model was named on the command line, and so may be another than the profile's.

    Returns:
        The content of `evaluation.json`: `queries` and `documents` (numbers), `untrained` and `trained` (lists of cells
        with layers, dim, rank and metrics; the full size comes last), `by_source` (both models, at full size),
        `ratio_full_size` (trained / untrained nDCG@10; null if the latter is 0), and `measured_on`: mix, settings and
        model.

    Raises:
        StageError: there is no finished model, or the mix holds no held-out retrieval pairs.

    """
    configure(settings)
    tokenizer = load(folder, settings)[2]
    mix = Mix(Path(settings.evaluation.mix), work / DIGESTS)
    store = store_of(mix, tokenizer, settings, work, workers)
    pool = make_pool(store, **settings.evaluation.model_dump(exclude={"mix"}))
    if not len(pool.queries):
        raise StageError(
            "no held-out retrieval pairs", where=settings.evaluation.mix, remedy="raise the mix's `validation` share"
        )
    report: dict[str, Any] = {"queries": len(pool.queries), "documents": len(pool.documents), "by_source": {}}
    for name in ("untrained", "trained"):
        model, shape, _ = load(folder, settings, weights=name)
        rows = list(cells(model, shape, store, pool))
        report[name] = [
            {"layers": layers, "dim": dim, "rank": rank, **metrics(positive_ranks)}
            for layers, dim, rank, positive_ranks in rows
        ]
        report["by_source"][name] = _by_source(store, pool, rows[-1][-1])
    before, after = (report[name][-1][HEADLINE] for name in ("untrained", "trained"))
    report["ratio_full_size"] = round(after / before, 4) if before else None
    return report | {"measured_on": measured_on(settings, folder, work, named=named)}


@torch.no_grad()
def cells(model: Embedder, shape: Shape, store: Store, pool: Pool) -> Iterator[tuple[int, int, int, I64]]:
    """Yield (layers, dim, rank, rank of each query's positive) for every size; the full size comes last."""
    queries, documents = store.validation.queries.gather(pool.queries), store.documents.gather(pool.documents)
    clusters = store.cluster[pool.documents]
    for rank in shape.ranks:
        model.embedding.rank = rank
        queries_LQH, documents_LNH = model(queries), model(documents)
        for layer, left, right in zip(shape.layers, queries_LQH, documents_LNH, strict=True):
            for dim, positive_ranks in zip(shape.dims, ranks(left, right, pool, clusters, shape.dims), strict=True):
                yield layer, dim, rank, positive_ranks


def _by_source(store: Store, pool: Pool, positive_ranks: I64) -> dict[str, dict[str, float]]:
    codes = store.validation.dataset[pool.queries]
    of = {source: [c for c, d in enumerate(store.datasets) if d.source == source] for source in _sources(store, codes)}
    chosen = {source: np.isin(codes, some) for source, some in of.items()}
    return {s: {"queries": int(rows.sum()), **metrics(positive_ranks[rows])} for s, rows in chosen.items()}


def _sources(store: Store, codes: I32) -> list[str]:
    return sorted({store.datasets[code].source for code in np.unique(codes)})
