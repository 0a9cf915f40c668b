"""Trains and calibrates a model from collected texts (`python -m tools.langid train`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from curation.langid.codes import corpus_languages, fold
from curation.langid.features import CHARACTERS
from curation.langid.model import Bundled, Weights
from open_ml_embed.core.array_types import F32, I32, I64
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.progress import Progress
from tools.langid.train import Recipe, fit

PRECISION = 0.9
"""The threshold of a label is the confidence from which its answers on held-out texts have this precision."""
FEWEST = 20
"""Least held-out answers to measure a threshold; labels with fewer have none."""
FEWEST_OUTSIDE = 200
"""Least texts for a language outside the corpus's 282 to become a label, so that it is not mistaken for another one."""


@dataclass(frozen=True)
class Collected:
    """Labeled texts of several domains.

    Attributes:
        train: columns `text`, `label`, `domain`.
        test: the same columns, from documents that are not in `train`.

    """

    train: pl.DataFrame
    test: pl.DataFrame


def load(folder: Path, *, without: Sequence[str] = ()) -> Collected:
    """Read the texts that `python -m tools.langid collect` wrote.

    Args:
        folder: with one Parquet file per domain.
        without: domains to leave out of training; all their texts, of both splits, are used for testing.

    Raises:
        StageError: there are no texts, or there is no such domain.

    """
    paths = sorted(folder.glob("*.parquet"))
    names = [path.stem for path in paths]
    if not paths or set(without) - set(names):
        raise StageError(
            f"no collected texts of {', '.join(sorted(set(without) - set(names))) or 'any domain'}",
            where=str(folder),
            remedy=f"run `python -m tools.langid collect` first; there are: {', '.join(names) or 'none'}",
        )
    columns = [pl.col("text"), pl.col("label"), pl.col("split")]
    whole = pl.concat([pl.read_parquet(p).select(*columns, domain=pl.lit(p.stem)) for p in paths])
    for_training = (pl.col("split") == "train") & ~pl.col("domain").is_in(list(without))
    train = whole.filter(for_training)
    counts = train.group_by("label").len()
    inside = {label for label in counts["label"] if fold(label.partition("-")[0], "corpus") in corpus_languages()}
    kept = counts.filter((pl.col("len") >= FEWEST_OUTSIDE) | pl.col("label").is_in(list(inside)))["label"]
    train = train.filter(pl.col("label").is_in(kept.to_list()) & (pl.col("label").str.len_chars() == 8))
    return Collected(train.drop("split"), whole.filter(~for_training).drop("split"))


def train_model(data: Collected, recipe: Recipe) -> Weights:
    """Fit a model, calibrate it on the held-out texts, and return its weights."""
    labels = data.train["label"].to_list()
    steps = fit(data.train["text"].to_arrow().cast(pa.string()), labels, recipe)
    with Progress("langid train", total=recipe.draws) as progress:
        done = 0
        while True:
            try:
                seen, loss = next(steps)
            except StopIteration as stop:
                weights: Weights = stop.value
                break
            progress.advance(f"loss {loss:.3f}", by=seen - done)
            done = seen
    return calibrated(weights, balanced(data.test, weights.labels))


def model_without(folder: Path, domain: str) -> Bundled:
    """Return a model trained without a domain; it is trained once and cached in `<folder>/models`."""
    path = folder / "models" / f"without-{domain}.lid"
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        train_model(load(folder, without=[domain]), Recipe(threads=2)).save(path)
    return Bundled(path)


def balanced(texts: pl.DataFrame, labels: Sequence[str], most: int = 200) -> pl.DataFrame:
    """Return at most `most` texts of each of the labels, in a fixed order."""
    known = texts.filter(pl.col("label").is_in(list(labels)) & (pl.col("text").str.len_chars() <= CHARACTERS))
    shuffled = known.sort(pl.col("text").hash(seed=7), "text")
    return shuffled.filter(pl.int_range(pl.len()).over("label") < most)


def calibrated(weights: Weights, texts: pl.DataFrame) -> Weights:
    """Choose the temperature with the least loss on held-out texts, then the threshold of each label.

    Temperature scaling: Guo et al. 2017, On Calibration of Modern Neural Networks, ICML, section 4.2.
    """
    if not len(texts):
        return weights
    column = texts["text"].to_arrow().cast(pa.string())
    truth = np.array([weights.labels.index(label) for label in texts["label"]], np.int64)
    logits = Bundled.of(weights).logits(column)
    best = min(np.geomspace(0.5, 4.0, 43), key=lambda t: _loss(logits / np.float32(t), truth))
    cool = replace(weights, output=weights.output / np.float32(best), bias=weights.bias / np.float32(best))
    answers, scores = Bundled.of(cool).best(column)
    return replace(cool, threshold=_thresholds(answers[:, 0], scores[:, 0], truth, len(weights.labels)))


def _loss(logits: F32, truth: I64) -> float:
    top = logits.max(axis=1, keepdims=True)
    whole = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
    return float((whole - logits[np.arange(len(truth)), truth]).mean())


def _thresholds(answers: I32, scores: F32, truth: I64, labels: int) -> F32:
    """Return for each label the least confidence with the required precision of its answers (float32[labels])."""
    thresholds = np.zeros(labels, np.float32)
    for label in range(labels):
        rows = np.flatnonzero(answers == label)
        if len(rows) < FEWEST:
            continue
        order = rows[np.argsort(-scores[rows], kind="stable")]
        precision = np.cumsum(truth[order] == label) / np.arange(1, len(order) + 1)
        enough = np.flatnonzero(precision >= PRECISION)
        last = enough[-1] if len(enough) else 0
        if last < len(order) - 1:
            thresholds[label] = scores[order[last]]
    return thresholds
