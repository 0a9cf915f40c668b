"""Read the model's evaluation, which `train3d evaluate` writes: scores for each depth, dimension and rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

METRICS = ("ndcg@10", "mrr@10", "accuracy@1")


@dataclass(frozen=True)
class Point:
    """Scores of one cut of the model (depth, dimension, rank); an axis that the evaluation did not vary is 0."""

    layers: int
    dim: int
    rank: int
    scores: dict[str, float]

    @property
    def size(self) -> tuple[int, int, int]:
        """Sort key: layers, dimension, rank."""
        return self.layers, self.dim, self.rank


@dataclass(frozen=True)
class Evaluation:
    """Scores of all cuts of the trained and the untrained model, sorted by size, and summary figures."""

    trained: list[Point]
    untrained: list[Point]
    queries: int | None
    documents: int | None
    ratio: float | None
    """nDCG@10 of the whole model, trained divided by untrained."""
    by_source: list[tuple[str, int, float, float | None]]
    """(source, queries, trained nDCG@10, untrained nDCG@10) of the whole model."""

    def full(self) -> tuple[float, float | None] | None:
        """Return nDCG@10 of the whole model, trained and untrained."""
        if not self.trained:
            return None
        best = self.trained[-1]
        before = next((p for p in self.untrained if p.size == best.size), None)
        return best.scores["ndcg@10"], before.scores["ndcg@10"] if before else None

    def metrics(self) -> list[str]:
        """Return the metrics that every trained point has."""
        return [name for name in METRICS if all(name in p.scores for p in self.trained)]


def read_evaluation(data: dict[str, Any] | None) -> Evaluation | None:
    """Parse the content of the evaluation's file; null if there is no file, or it has no nDCG."""
    if data is None:
        return None
    trained = _points(data.get("trained"))
    evaluation = Evaluation(
        trained,
        _points(data.get("untrained")),
        data.get("queries"),
        data.get("documents"),
        data.get("ratio_full_size"),
        _by_source(data.get("by_source") or {}),
    )
    return evaluation if trained else None


def _by_source(entries: dict[str, dict[str, dict[str, Any]]]) -> list[tuple[str, int, float, float | None]]:
    untrained = entries.get("untrained", {})
    return [
        (source, int(scores.get("queries", 0)), float(scores["ndcg@10"]), untrained.get(source, {}).get("ndcg@10"))
        for source, scores in sorted(entries.get("trained", {}).items())
    ]


def _points(entries: object) -> list[Point]:
    points = [
        Point(
            layers=int(entry.get("layers") or 0),
            dim=int(entry.get("dim") or 0),
            rank=int(entry.get("rank") or 0),
            scores={name: float(entry[name]) for name in METRICS if entry.get(name) is not None},
        )
        for entry in (entries if isinstance(entries, list) else [])
        if entry.get("ndcg@10") is not None
    ]
    return sorted(points, key=lambda p: p.size)
