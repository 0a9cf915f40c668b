"""`python -m tools.langid train`: from collected texts to a model file, its calibration and its figures."""

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
"""A label's threshold is the confidence from which its answers on held-out texts are right this often."""
FEWEST = 20
"""Held-out answers a threshold is measured on; labels with fewer have none."""
FEWEST_OUTSIDE = 200
"""Texts of a language outside the corpus's 282 that make it a label, so that its texts are not taken for others."""


@dataclass(frozen=True)
class Collected:
    """Labeled texts of some domains.

    Attributes:
        train: `text`, `label`, `domain`.
        test: the same, of documents that are not in `train`.

    """

    train: pl.DataFrame
    test: pl.DataFrame


def load(folder: Path, *, without: Sequence[str] = ()) -> Collected:
    """Read what `python -m tools.langid collect` wrote.

    Args:
        folder: one Parquet file a domain.
        without: domains to leave out of training; all of their texts, of both splits, are then for testing.

    Raises:
        StageError: there is nothing, or no such domain.

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
    """Fit, calibrate on the held-out texts, and return the weights."""
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
    """Return a model that has no text of a domain, trained once and kept in `<folder>/models`."""
    path = folder / "models" / f"without-{domain}.lid"
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        train_model(load(folder, without=[domain]), Recipe(threads=2)).save(path)
    return Bundled(path)


def balanced(texts: pl.DataFrame, labels: Sequence[str], most: int = 200) -> pl.DataFrame:
    """Return at most so many texts of each label a model has, in a fixed order."""
    known = texts.filter(pl.col("label").is_in(list(labels)) & (pl.col("text").str.len_chars() <= CHARACTERS))
    shuffled = known.sort(pl.col("text").hash(seed=7), "text")
    return shuffled.filter(pl.int_range(pl.len()).over("label") < most)


def calibrated(weights: Weights, texts: pl.DataFrame) -> Weights:
    """Choose the temperature under which held-out texts are likeliest, then each label's threshold.

    (Guo et al. 2017, On Calibration of Modern Neural Networks, ICML, section 4.2.)
    """
    if not len(texts):
        return weights
    column = texts["text"].to_arrow().cast(pa.string())
    truth = np.array([weights.labels.index(label) for label in texts["label"]], np.int64)
    logits = Bundled.of(weights).logits(column)
    best = min(np.geomspace(0.5, 4.0, 43), key=lambda t: _loss(logits / np.float32(t), truth))
    cool = replace(weights, output=weights.output / np.float32(best), bias=weights.bias / np.float32(best))
    found, scores = Bundled.of(cool).best(column)
    return replace(cool, threshold=_thresholds(found[:, 0], scores[:, 0], truth, len(weights.labels)))


def _loss(logits: F32, truth: I64) -> float:
    top = logits.max(axis=1, keepdims=True)
    whole = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
    return float((whole - logits[np.arange(len(truth)), truth]).mean())


def _thresholds(found: I32, scores: F32, truth: I64, labels: int) -> F32:
    """Return for each label the least confidence from which its answers are right often enough."""
    thresholds = np.zeros(labels, np.float32)
    for label in range(labels):
        own = np.flatnonzero(found == label)
        if len(own) < FEWEST:
            continue
        order = own[np.argsort(-scores[own], kind="stable")]
        precision = np.cumsum(truth[order] == label) / np.arange(1, len(order) + 1)
        enough = np.flatnonzero(precision >= PRECISION)
        last = enough[-1] if len(enough) else 0
        if last < len(order) - 1:
            thresholds[label] = scores[order[last]]
    return thresholds
