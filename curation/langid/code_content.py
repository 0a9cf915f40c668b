"""Programming languages by content: a linear model over hashed tokens with 8-bit weights, after a test of the bytes.

The test (`_worth_reading`) passes texts with a program symbol or a line end in every `DENSITY` bytes on average. The
model tells prose from code and names the programming language. The threshold for code is set so that prose is rarely
mistaken for code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.langid.code_features import HALF, MOST, features
from curation.langid.model_file import read_model, write_model
from open_ml_embed.core.array_types import F32, I8, I32, I64, U8, U32, Flag, Mask
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.text.tokens import string_buffers

CODE_MODEL = Path(__file__).parent / "data" / "code.lid"
VERSION = 1
PROSE = "prose"
"""The label of everything that is not a program: sentences, lists, tables, logs."""
DENSITY = 80
"""A text with fewer than one program symbol in this many bytes is not classified by the model."""
NAMED = 0.4
"""Probability of the likeliest language below which a text is no program but rich in symbols: a formula, a table."""
_TENSORS = ("keys", "weights", "scale", "bias")
_GROW = 4
"""Slots of the hash table for each feature."""


class Code(NamedTuple):
    """Classification of n texts as code or prose.

    Attributes:
        mask: bool[n], whether the text is code.
        name: string[n], the corpus's name of the likeliest programming language, null if the text is not code.
        confidence: float32[n], the probability of that name; if the text is not code, about the probability of that.

    """

    mask: Mask
    name: pa.StringArray
    confidence: F32


@dataclass(frozen=True)
class CodeWeights:
    """The content of a model file, with F features and C labels.

    Attributes:
        labels: the corpus's names of programming languages and `PROSE`, sorted.
        keys: uint32[F], hashes of the features; distinct, never 0.
        weights: int8[F, C], quantized weights.
        scale: float32[C], the quantization step of each label's weights.
        bias: float32[C].
        threshold: the probability of being code in any language from which a text counts as code.

    """

    labels: tuple[str, ...]
    keys: U32
    weights: I8
    scale: F32
    bias: F32
    threshold: float

    def save(self, path: Path) -> None:
        """Write the model as safetensors; equal weights give equal bytes."""
        tensors = {name: np.asarray(getattr(self, name)) for name in _TENSORS}
        write_model(path, tensors, {"version": VERSION, "labels": self.labels, "threshold": self.threshold})


def load_code_weights(path: Path) -> CodeWeights:
    """Read a model file.

    Raises:
        SettingsError: the file is missing, or is not a model of this version.

    """
    metadata, tensors = read_model(path, _TENSORS, version=VERSION, what="code model", remedy="restore it, or train it")
    return CodeWeights(labels=tuple(metadata["labels"]), threshold=metadata["threshold"], **tensors)


class CodeModel:
    """A code model, ready for prediction."""

    def __init__(self, weights: CodeWeights) -> None:
        self.weights = weights
        self._prose = weights.labels.index(PROSE)
        self._slots = _table(weights.keys)
        self._names = pa.array(weights.labels, pa.string())

    def probabilities(self, texts: pa.Array | pa.ChunkedArray, *, every: bool = True) -> F32:
        """Return the probability of each label, float32[n, C].

        Args:
            texts: string array of n texts.
            every: classify all texts; otherwise texts with few program symbols (`DENSITY`) are `PROSE` without a
                prediction.

        """
        offsets, data = string_buffers(texts)
        result = np.zeros((len(offsets) - 1, len(self.weights.labels)), np.float32)
        w = self.weights
        _predict(offsets, data, _symbols(), self._slots, w.keys, w.weights, w.scale, w.bias, self._prose, every, result)
        return result

    def scores(self, texts: pa.Array | pa.ChunkedArray) -> tuple[F32, I32, F32]:
        """Return the scores from which texts are classified.

        Returns:
            The probability of being code (float32[n]), 0 if no programming language reaches `NAMED`; the likeliest
            programming language (int32[n], an index into the labels) and its probability (float32[n]).

        """
        probabilities = self.probabilities(texts, every=False)
        code = 1 - probabilities[:, self._prose]
        probabilities[:, self._prose] = -1
        best = probabilities.argmax(axis=1).astype(np.int32)
        named = probabilities[np.arange(len(best)), best]
        return np.where(named >= NAMED, code, np.float32(0)), best, named

    def code(self, texts: pa.Array | pa.ChunkedArray) -> Code:
        """Tell which texts are code, and in which programming language."""
        score, best, named = self.scores(texts)
        mask = score >= self.weights.threshold
        name = self._names.take(pa.array(best, pa.int32(), mask=~mask))
        return Code(mask, name, np.where(mask, named, 1 - score))


@cache
def code_model() -> CodeModel:
    """Return the packaged model, which is loaded once in each process."""
    return CodeModel(load_code_weights(CODE_MODEL))


def is_code(texts: pa.Array | pa.ChunkedArray) -> Code:
    r"""Tell which texts are program code, and in which programming language.

    Args:
        texts: string array of n texts; null reads as empty.

    >>> result = is_code(pa.array(["def f(x):\n    return x + 1", "The function returns one more."]))
    >>> result.mask.tolist(), result.name.to_pylist()
    ([True, False], ['python', None])

    """
    return code_model().code(texts)


@cache
def _symbols() -> U8:
    table = np.zeros(256, np.uint8)
    table[[*b"{}[];=<>_|&\\*+$#^~\n"]] = 1
    return table


def _table(keys: U32) -> I32:
    """Return an open-addressing hash table: slot of a key → row of the key, -1 for an empty slot."""
    size = 1 << int(_GROW * len(keys) - 1).bit_length()
    slots = np.full(size, -1, np.int32)
    for row, key in enumerate(keys.tolist()):
        at = key & (size - 1)
        while slots[at] >= 0:
            at = (at + 1) & (size - 1)
        slots[at] = row
    return slots


@njit(nogil=True, inline="always")
def _worth_reading(data: U8, start: int, end: int, symbols: U8) -> bool:
    end = min(end, start + 2 * HALF)
    count = 0
    for i in range(start, end):
        count += symbols[data[i]]
    for i in range(start + 1, end):
        count += data[i] == 0x28 and (0x61 <= (data[i - 1] | 32) <= 0x7A)
    return count * DENSITY >= end - start and count > 0


@njit(nogil=True, fastmath=True)
def _predict(
    offsets: I64,
    data: U8,
    symbols: U8,
    slots: I32,
    keys: U32,
    weights: I8,
    scale: F32,
    bias: F32,
    prose: int,
    every: Flag,
    result: F32,
) -> None:
    text_keys = np.empty(MOST, np.uint32)
    classes = len(bias)
    total = np.empty(classes, np.int32)
    mask = np.uint32(len(slots) - 1)
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        if not (every or _worth_reading(data, start, end, symbols)):
            result[row, prose] = 1
            continue
        used, tokens = features(data, start, end, text_keys)
        total[:] = 0
        for i in range(used):
            at = text_keys[i] & mask
            while slots[at] >= 0:
                at_row = slots[at]
                if keys[at_row] == text_keys[i]:
                    for c in range(classes):
                        total[c] += weights[at_row, c]
                    break
                at = (at + np.uint32(1)) & mask
        norm = 1 / np.sqrt(np.float32(max(tokens, 1)))
        most = np.float32(-1e30)
        for c in range(classes):
            result[row, c] = total[c] * scale[c] * norm + bias[c]
            most = max(most, result[row, c])
        whole = np.float32(0)
        for c in range(classes):
            result[row, c] = np.exp(result[row, c] - most)
            whole += result[row, c]
        for c in range(classes):
            result[row, c] /= whole
