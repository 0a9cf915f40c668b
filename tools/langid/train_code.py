"""Train the code classifier (`code_content`): softmax regression over hashed tokens, feature selection, int8 weights.

    python -m tools.langid.train_code WORK [--output code.lid]

WORK is the folder for downloaded packages. The training has two rounds: the first one uses all features that several
packages share, and ranks them; the second one uses the best features that fit into the file.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.langid.code_content import CODE_MODEL, CodeModel, CodeWeights
from curation.langid.code_features import MOST, features
from open_ml_embed.core.array_types import F32, I32, I64, U8, U32
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.text.tokens import string_buffers
from tools.langid.code_figures import figures, threshold
from tools.langid.code_forms import Forms, with_forms
from tools.langid.code_packages import collect


@dataclass(frozen=True)
class CodeRecipe:
    """Settings of the training."""

    least: int = 300
    """Least texts of a label."""
    packages: int = 3
    """Least packages in which a feature occurs."""
    texts: int = 12
    """Least texts in which a feature occurs."""
    size: int = 1_000_000
    """Most bytes of the model file."""
    epochs: tuple[int, int] = (3, 8)
    """Epochs of the two rounds."""
    rate: float = 0.2
    """Initial learning rate."""
    decay: float = 2e-6
    """Weight decay, applied to a weight whenever its feature is used."""
    false_positives: float = 0.001
    """Largest share of prose that counts as code, in the worst domain."""
    left_out: float = 0.4
    """Dropout rate of the features of a text."""
    forms: Forms = field(default_factory=Forms)
    seed: int = 1


@dataclass(frozen=True)
class Features:
    """Features of n texts.

    Attributes:
        keys: uint32; text i has `keys[starts[i]:starts[i + 1]]`.
        starts: int64[n + 1].
        tokens: number of tokens of each text, int64[n].

    """

    keys: U32
    starts: I64
    tokens: I64


def train(table: pa.Table, recipe: CodeRecipe) -> CodeWeights:
    """Train on the training split of a table.

    Args:
        table: `code_corpus.CODE_SCHEMA`.
        recipe: settings of the training.

    """
    rows = table.filter(pc.equal(table["split"], "train")).combine_chunks()
    counts = Counter(rows["label"].to_pylist())
    labels = sorted(label for label, count in counts.items() if count >= recipe.least)
    rows = with_forms(rows.filter(pc.is_in(rows["label"], pa.array(labels))), recipe.forms, recipe.seed)
    targets = np.array(pc.index_in(rows["label"], pa.array(labels)).to_numpy(), np.int64)
    packages = rows["document"].to_pylist()
    numbers = {name: i for i, name in enumerate(sorted({name.split("/")[0] for name in packages}))}
    read = featurise(rows["text"])
    owner = np.repeat(np.array([numbers[name.split("/")[0]] for name in packages]), np.diff(read.starts))
    kept = shared(read, owner, recipe)
    first, _ = fitted(read, kept, targets, len(labels), recipe.epochs[0], recipe)
    room = (recipe.size - 4096 - 8 * len(labels)) // (len(labels) + 4)
    seen = np.bincount(_rows(read, kept) + 1, minlength=len(kept) + 1)[1:]
    importance = (first - first.mean(axis=1, keepdims=True)).std(axis=1) * np.sqrt(seen)
    kept = np.sort(kept[np.argsort(-importance, kind="stable")[:room]])
    weights, bias = fitted(read, kept, targets, len(labels), recipe.epochs[1], recipe)
    weights -= weights.mean(axis=1, keepdims=True)  # a weight that all labels share has no effect
    scale = np.maximum(np.quantile(np.abs(weights), 0.9999, axis=0), 1e-6).astype(np.float32) / 127
    steps = np.clip(np.round(weights / scale), -127, 127).astype(np.int8)
    return CodeWeights(tuple(labels), kept, steps, scale, bias, 0.5)


def featurise(texts: pa.Array | pa.ChunkedArray) -> Features:
    """Compute the features of every text."""
    offsets, data = string_buffers(texts)
    keys = np.empty(5 * (len(data) + 2 * len(offsets)), np.uint32)
    starts, tokens = np.zeros(len(offsets), np.int64), np.zeros(len(offsets) - 1, np.int64)
    used = _featurise(offsets, data, keys, starts, tokens)
    return Features(keys[:used].copy(), starts, tokens)


def shared(read: Features, owner: I64, recipe: CodeRecipe) -> U32:
    """Return the features that occur in enough packages and texts, sorted (uint32)."""
    text = np.repeat(np.arange(len(read.tokens)), np.diff(read.starts))
    kept = _common(read.keys, text, recipe.texts)
    some = np.isin(read.keys, kept)
    kept = _common(read.keys[some], owner[some], recipe.packages)
    return np.delete(kept, np.flatnonzero(kept == 0))


def _common(keys: U32, group: I64, least: int) -> U32:
    pairs = np.unique((keys.astype(np.uint64) << np.uint64(32)) | group.astype(np.uint64))
    distinct, counts = np.unique((pairs >> np.uint64(32)).astype(np.uint32), return_counts=True)
    kept: U32 = distinct[counts >= least]
    return kept


def _rows(read: Features, kept: U32) -> I32:
    at = np.minimum(np.searchsorted(kept, read.keys), len(kept) - 1)
    return np.where(kept[at] == read.keys, at, -1).astype(np.int32)


def fitted(read: Features, kept: U32, targets: I64, classes: int, epochs: int, recipe: CodeRecipe) -> tuple[F32, F32]:
    """Fit weights (float32[features, classes]) and bias (float32[classes]) with AdaGrad; rare labels weigh more.

    Args:
        read: features of n texts.
        kept: features of the model, sorted, uint32.
        targets: class of each text, int64[n].
        classes: number of classes.
        epochs: number of epochs, each in random order.
        recipe: settings of the training.

    """
    rows = _rows(read, kept)
    counts = np.bincount(targets, minlength=classes)
    value = np.sqrt(counts.mean() / np.maximum(counts, 1)).clip(0.3, 3)[targets].astype(np.float32)
    weights, bias = np.zeros((len(kept), classes), np.float32), np.zeros(classes, np.float32)
    squares, square = np.full_like(weights, 1e-4), np.full_like(bias, 1e-4)
    chance = np.random.default_rng(recipe.seed)
    for epoch in range(epochs):
        order = chance.permutation(len(targets))
        rate = np.float32(recipe.rate * (1 - epoch / epochs))
        args = (rate, np.float32(recipe.decay), recipe.left_out, recipe.seed + epoch, weights, squares, bias, square)
        loss = _epoch(order, rows, read.starts, read.tokens, targets, value, *args)
        print(f"epoch {epoch + 1}/{epochs}: {len(kept)} features, loss {loss / len(targets):.4f}", flush=True)
    return weights * np.float32(np.sqrt(1 - recipe.left_out)), bias


@njit
def _featurise(offsets: I64, data: U8, keys: U32, starts: I64, tokens: I64) -> int:
    buffer = np.empty(MOST, np.uint32)
    used = 0
    for row in range(len(tokens)):
        count, tokens[row] = features(data, offsets[row], offsets[row + 1], buffer)
        keys[used : used + count] = buffer[:count]
        used += count
        starts[row + 1] = used
    return used


@njit(fastmath=True)
def _epoch(
    order: I64,
    rows: I32,
    starts: I64,
    tokens: I64,
    targets: I64,
    value: F32,
    rate: np.float32,
    decay: np.float32,
    left_out: float,
    seed: int,
    weights: F32,
    squares: F32,
    bias: F32,
    square: F32,
) -> float:
    classes = len(bias)
    z = np.empty(classes, np.float32)
    seen = np.empty(MOST, np.int64)
    np.random.seed(seed)
    loss = 0.0
    for row in order:
        norm = np.float32(1 / np.sqrt(max(tokens[row] * (1 - left_out), 1)))
        z[:] = 0
        used = 0
        for j in range(starts[row], starts[row + 1]):
            if rows[j] >= 0 and np.random.random() >= left_out:
                seen[used] = rows[j]
                used += 1
                for c in range(classes):
                    z[c] += weights[rows[j], c]
        most = np.float32(-1e30)
        for c in range(classes):
            z[c] = z[c] * norm + bias[c]
            most = max(most, z[c])
        whole = np.float32(0)
        for c in range(classes):
            z[c] = np.exp(z[c] - most)
            whole += z[c]
        for c in range(classes):
            z[c] /= whole
        loss -= np.log(max(z[targets[row]], np.float32(1e-9)))
        z[targets[row]] -= 1
        for c in range(classes):
            z[c] *= value[row]
            square[c] += z[c] * z[c]
            bias[c] -= rate * z[c] / np.sqrt(square[c])
            z[c] *= norm
        for j in range(used):
            at = seen[j]
            for c in range(classes):
                slope = z[c] + decay * weights[at, c]
                squares[at, c] += slope * slope
                weights[at, c] -= rate * slope / np.sqrt(squares[at, c])
    return loss


def main() -> None:
    """Collect the texts, train, set the threshold, save the model, and print its evaluation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--output", type=Path, default=CODE_MODEL)
    options = parser.parse_args()
    path = options.work / "code.parquet"
    if not path.is_file():
        pq.write_table(collect(options.work), path)
    table = pq.read_table(path)
    recipe = CodeRecipe()
    weights = train(table, recipe)
    weights = threshold(weights, table, recipe.false_positives)
    options.output.parent.mkdir(exist_ok=True)
    weights.save(options.output)
    print(json.dumps(figures(CodeModel(weights), table), indent=1))


if __name__ == "__main__":
    main()
