"""Training of the bundled identifier: softmax regression over mean n-gram embeddings by plain SGD, and quantization.

The number of draws of a label is proportional to a power of its number of texts (`Recipe.root`). Texts are cut to
random lengths, so that the model also learns short titles. With one thread the result is reproducible byte by byte.
More threads update the weights without locks (Recht et al. 2011, Hogwild!), which is not reproducible.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.langid.features import CHARACTERS, MOST, folding, hashed, read
from curation.langid.model import Weights
from open_ml_embed.core.array_types import F32, F64, I64, U8, U32, Integer
from open_ml_embed.core.compiled import njit, prange
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.splitmix import GOLDEN
from open_ml_embed.core.text.tokens import mix64, string_buffers


@dataclass(frozen=True)
class Recipe:
    """Settings of the training.

    Attributes:
        rows: number of hashed features, a power of two.
        dims: embedding dimensions.
        draws: total number of texts to draw.
        rate: initial learning rate; it decays linearly to zero.
        root: the share of a label in the draws is proportional to its number of texts to this power.
        whole: share of the draws that are not cut.
        shortest: least length of a cut text, in bytes.
        smoothing: label smoothing: probability mass of the target that is spread over all labels.
        seed: of all random numbers.
        threads: number of threads; with 1 the result is reproducible.

    """

    rows: int = 1 << 18
    dims: int = 32
    draws: int = 12_000_000
    rate: float = 0.5
    root: float = 0.5
    whole: float = 0.4
    shortest: int = 12
    smoothing: float = 0.0
    seed: int = 0
    threads: int = 1


def fit(
    texts: pa.StringArray, labels: list[str], recipe: Recipe, *, blocks: int = 50
) -> Generator[tuple[int, float], None, Weights]:
    """Train a model; yield (number of draws, mean loss of the block) after every block, and return the weights.

    Args:
        texts: string array of n texts.
        labels: n labels, as `deu-Latn`.
        recipe: settings of the training.
        blocks: number of reports.

    """
    offsets, data = string_buffers(texts)
    names = sorted(set(labels))
    number = {name: i for i, name in enumerate(names)}
    classes = np.array([number[label] for label in labels], np.int64)
    order = np.argsort(classes, kind="stable")
    counts = np.bincount(classes, minlength=len(names))
    edges = np.cumsum(counts.astype(np.float64) ** recipe.root)
    starts = offsets_of(counts)
    rng = np.random.default_rng(recipe.seed)
    embedding = (rng.random((recipe.rows, recipe.dims), np.float32) - np.float32(0.5)) * np.float32(2 / recipe.dims)
    output, bias = np.zeros((len(names), recipe.dims), np.float32), np.zeros(len(names), np.float32)
    done = 0
    for block in range(1, blocks + 1):
        upto = recipe.draws * block // blocks
        losses = np.zeros(recipe.threads, np.float64)
        _descend(
            offsets, data, folding(), order, starts, edges / edges[-1], done, upto, recipe.draws, recipe.rate,
            recipe.whole, recipe.shortest, recipe.smoothing, np.uint64(recipe.seed), embedding, output, bias, losses,
        )  # fmt: skip
        yield upto, float(losses.sum()) / (upto - done)
        done = upto
    return quantized(tuple(names), embedding, output, bias)


def quantized(
    labels: tuple[str, ...],
    embedding: F32,
    output: F32,
    bias: F32,
) -> Weights:
    """Quantize the embedding to int8 with one scale per dimension; the largest 0.01 % of the values are clipped.

    Args:
        labels: n labels.
        embedding: float32[features, dimensions].
        output: float32[n, dimensions].
        bias: float32[n].

    """
    reach = np.quantile(np.abs(embedding), 0.9999, axis=0)
    scale = (np.maximum(reach, 1e-8) / 127).astype(np.float32)
    small = np.clip(np.rint(embedding / scale), -127, 127).astype(np.int8)
    return Weights(labels, small, scale, output, bias, np.zeros(len(labels), np.float32))


@njit(inline="always")
def _mixed(value: np.uint64) -> np.uint64:
    """Return 64 random bits for a counter (splitmix64)."""
    return mix64(value + np.uint64(GOLDEN))


@njit(inline="always")
def _cut(
    data: U8, start: Integer, end: Integer, whole: float, shortest: int, bits: np.uint64
) -> tuple[Integer, Integer]:
    """Return (start, end) of the part of a text to train on: all of it, or a random piece at character boundaries."""
    length = end - start
    if length <= shortest or (bits & np.uint64(0xFFFF)) < whole * 65536:
        return start, end
    longest = min(length, 160)
    size = shortest + np.int64((bits >> np.uint64(16)) & np.uint64(0xFFFF)) * (longest - shortest) // 65536
    first = start + np.int64((bits >> np.uint64(32)) & np.uint64(0xFFFFFF)) % (length - size + 1)
    edge = first
    while edge > start and edge < first + 12 and edge < end and data[edge - 1] != 32:
        edge += 1
    if edge < first + 12:
        first = edge
    while first < end and data[first] & 0xC0 == 0x80:
        first += 1
    return first, min(end, first + size)


@njit(inline="always")
def _drawn(draw: int, seed: np.uint64, edges: F64, order: I64, starts: I64) -> tuple[np.int64, np.int64, np.uint64]:
    """Return the label and the row of a draw, and random bits for its cut."""
    counter = seed * np.uint64(0x632BE59BD9B4E019) + np.uint64(3) * np.uint64(draw)
    label = np.searchsorted(edges, np.float64(_mixed(counter) >> np.uint64(11)) / 9007199254740992.0)
    texts = starts[label + 1] - starts[label]
    row = order[starts[label] + np.int64(_mixed(counter + np.uint64(1)) >> np.uint64(1)) % texts]
    return label, row, _mixed(counter + np.uint64(2))


@njit(fastmath=True, inline="always")
def _softmax(output: F32, bias: F32, state: F32, chance: F32) -> None:
    highest = np.float32(-1e30)
    for c in range(len(bias)):
        value = bias[c]
        for d in range(len(state)):
            value += output[c, d] * state[d]
        chance[c] = value
        highest = max(highest, value)
    total = np.float32(0)
    for c in range(len(bias)):
        chance[c] = np.exp(chance[c] - highest)
        total += chance[c]
    for c in range(len(bias)):
        chance[c] /= total


@njit(fastmath=True, inline="always")
def _learn(
    output: F32, bias: F32, state: F32, chance: F32, label: Integer, speed: np.float32, smoothing: float, back: F32
) -> None:
    """Update the linear layer by one SGD step, and write the scaled gradient of the state to `back`."""
    back[:] = 0
    for c in range(len(bias)):
        target = np.float32(smoothing / len(bias))
        if c == label:
            target += np.float32(1 - smoothing)
        step = speed * (target - chance[c])
        if abs(step) < np.float32(1e-6):
            continue
        bias[c] += step
        for d in range(len(state)):
            back[d] += step * output[c, d]
            output[c, d] += step * state[d]


@njit(parallel=True, fastmath=True)
def _descend(
    offsets: I64,
    data: U8,
    table: U32,
    order: I64,
    starts: I64,
    edges: F64,
    done: int,
    upto: int,
    draws: int,
    rate: float,
    whole: float,
    shortest: int,
    smoothing: float,
    seed: np.uint64,
    embedding: F32,
    output: F32,
    bias: F32,
    losses: F64,
) -> None:
    threads, dims = len(losses), embedding.shape[1]
    mask = np.uint64(len(embedding) - 1)
    for thread in prange(threads):
        points, ids = np.empty(CHARACTERS, np.uint32), np.empty(MOST, np.int64)
        state, back = np.empty(dims, np.float32), np.empty(dims, np.float32)
        chance = np.empty(len(bias), np.float32)
        for draw in range(done + thread, upto, threads):
            label, row, bits = _drawn(draw, seed, edges, order, starts)
            first, last = _cut(data, offsets[row], offsets[row + 1], whole, shortest, bits)
            used = hashed(points, read(data, first, last, table, points), mask, ids)
            if used == 0:
                continue
            share = np.float32(1) / np.float32(used)
            state[:] = 0
            for i in range(used):
                at = ids[i]
                for d in range(dims):
                    state[d] += embedding[at, d]
            for d in range(dims):
                state[d] *= share
            _softmax(output, bias, state, chance)
            losses[thread] -= np.log(max(chance[label], np.float32(1e-12)))
            _learn(output, bias, state, chance, label, np.float32(rate * (1 - draw / draws)), smoothing, back)
            for i in range(used):
                at = ids[i]
                for d in range(dims):
                    embedding[at, d] += share * back[d]
