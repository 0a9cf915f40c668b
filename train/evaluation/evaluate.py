"""Retrieval metrics on held-out pairs at every depth × dimension × rank, for the trained and the untrained model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.text import Text

from open_ml_embed.core.array_types import I32, I64
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.fitting_table import Table
from train.config import TrainSettings
from train.data.mix import Mix
from train.data.token_store import HERE, Store
from train.evaluation.retrieval_metrics import Pool, make_pool, metrics, ranks
from train.loop.run import DIGESTS, Shape, configure, finished_key, load, store_of
from train.model.embedder import Embedder

HEADLINE = "ndcg@10"


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
    report["measured_on"] = {
        "mix": {"folder": mix.root.name, "identity": mix.identity},
        "settings": settings.evaluation.model_dump(mode="json", exclude={"mix"}),
        "model": {"key": finished_key(folder), "named": named},
    }
    return report


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


def show(report: dict[str, Any], console: Console, metric: str = HEADLINE) -> None:
    """Print a heat map for each embedding rank: layers × dimensions, the untrained model's value in brackets."""
    trained, untrained = report["trained"], {_size_of(c): c[metric] for c in report["untrained"]}
    top = max(c[metric] for c in trained) or 1.0
    dims = sorted({c["dim"] for c in trained})
    for rank in sorted({c["rank"] for c in trained}):
        table = Table(title=f"{metric}, embedding rank {rank} (untrained in brackets)", title_justify="left")
        table.add_column("layers", justify="right")
        for dim in dims:
            table.add_column(f"dim {dim}", justify="right")
        for layers in sorted({c["layers"] for c in trained}):
            cells = [c for c in trained if (c["layers"], c["rank"]) == (layers, rank)]
            cells.sort(key=lambda cell: int(cell["dim"]))
            shown = [
                Text.assemble((f"{c[metric]:.3f}", _heat(c[metric] / top)), f" ({untrained[_size_of(c)]:.3f})")
                for c in cells
            ]
            table.add_row(str(layers), *shown)
        console.print(table)
    before, after = untrained[_size_of(trained[-1])], trained[-1][metric]
    console.print(
        f"{report['queries']} queries in {report['documents']} documents; "
        f"full size: {after:.4f}, untrained {before:.4f}" + (f", {after / before:.1f} times as much" if before else "")
    )


def _size_of(cell: dict[str, Any]) -> tuple[int, int, int]:
    return cell["layers"], cell["dim"], cell["rank"]


def _heat(share: float) -> str:
    """Return the color for a share (0 … 1) of the best value: from blue over green to red."""
    steps = ("blue", "cyan", "green", "yellow", "red")
    return steps[min(len(steps) - 1, int(share * len(steps)))]
