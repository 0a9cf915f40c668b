"""Programming language by content: a linear model over hashed tokens, 8 bits a weight, behind a look at the bytes.

The look (`_worth_reading`) passes texts with a symbol of programs, or an end of a line, in every `DENSITY` bytes; the
model tells prose from code and its languages. What counts as code is set by a threshold that keeps prose prose.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curation.langid.code_features import HALF, MOST, features
from open_ml_embed.core.array_types import F32, I8, I32, I64, U8, U32, Flag, Mask
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.text.tokens import string_buffers

CODE_MODEL = Path(__file__).parent / "data" / "code.lid"
VERSION = 1
PROSE = "prose"
"""The label of all that is no program: sentences, lists, tables, logs."""
DENSITY = 80
"""A text with fewer symbols of programs than one in so many bytes is not read by the model."""
NAMED = 0.4
"""A text whose likeliest language is less likely is no program, only full of symbols: a formula, a table."""
_TENSORS = ("keys", "weights", "scale", "bias")
_GROW = 4
"""Slots of the hash table a feature."""


class Code(NamedTuple):
    """What n texts are, by content.

    Attributes:
        mask: bool, n; whether it is code.
        name: string, n; the corpus's name of the likeliest programming language, null where it is no code.
        confidence: float32, n; the probability of that name, where it is no code: of being none, about.

    """

    mask: Mask
    name: pa.StringArray
    confidence: F32


@dataclass(frozen=True)
class CodeWeights:
    """What a model file holds; with F features and C labels.

    Attributes:
        labels: the corpus's names and `PROSE`, sorted.
        keys: uint32, F; distinct, none 0.
        weights: int8, F × C.
        scale: float32, C; what one step of a label's weights is worth.
        bias: float32, C.
        threshold: the probability of being code, whatever the language, from which a text counts as code.

    """

    labels: tuple[str, ...]
    keys: U32
    weights: I8
    scale: F32
    bias: F32
    threshold: float

    def save(self, path: Path) -> None:
        """Write the model as safetensors; equal weights give equal bytes."""
        from safetensors.numpy import save_file

        tensors = {name: np.asarray(getattr(self, name)) for name in _TENSORS}
        said = {"version": VERSION, "labels": self.labels, "threshold": self.threshold}
        save_file(tensors, path, metadata={"model": json.dumps(said)})  # one entry: they come in no order


def load_code_weights(path: Path) -> CodeWeights:
    """Read a model file.

    Raises:
        SettingsError: it is missing, or no model of this version.

    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            said = json.loads((file.metadata() or {}).get("model", "{}"))
            if said.get("version") != VERSION:
                raise SettingsError(f"not a code model of version {VERSION}", where=str(path), remedy="train it again")
            tensors = {name: file.get_tensor(name) for name in _TENSORS}
    except (OSError, SafetensorError) as error:
        raise SettingsError(f"no code model: {error}", where=str(path), remedy="restore it, or train it") from None
    return CodeWeights(labels=tuple(said["labels"]), threshold=said["threshold"], **tensors)


class CodeModel:
    """Weights made ready to answer."""

    def __init__(self, weights: CodeWeights) -> None:
        self.weights = weights
        self._prose = weights.labels.index(PROSE)
        self._slots = _table(weights.keys)
        self._names = pa.array(weights.labels, pa.string())

    def probabilities(self, texts: pa.Array | pa.ChunkedArray, *, every: bool = True) -> F32:
        """Return the probability of each label (float32, n × C).

        Args:
            texts: string array of n texts.
            every: also of texts that are not worth reading; otherwise these are prose.

        """
        offsets, data = string_buffers(texts)
        result = np.zeros((len(offsets) - 1, len(self.weights.labels)), np.float32)
        w = self.weights
        _predict(offsets, data, _symbols(), self._slots, w.keys, w.weights, w.scale, w.bias, self._prose, every, result)
        return result

    def scores(self, texts: pa.Array | pa.ChunkedArray) -> tuple[F32, I32, F32]:
        """Return what n texts are judged by.

        Returns:
            The probability of being code (float32, n), 0 where none of its languages reaches `NAMED`; the likeliest
            language (int32, n) and its probability (float32, n).

        """
        probabilities = self.probabilities(texts, every=False)
        code = 1 - probabilities[:, self._prose]
        probabilities[:, self._prose] = -1
        best = probabilities.argmax(axis=1).astype(np.int32)
        named = probabilities[np.arange(len(best)), best]
        return np.where(named >= NAMED, code, np.float32(0)), best, named

    def code(self, texts: pa.Array | pa.ChunkedArray) -> Code:
        """Tell which texts are code, and in what."""
        score, best, named = self.scores(texts)
        mask = score >= self.weights.threshold
        name = self._names.take(pa.array(best, pa.int32(), mask=~mask))
        return Code(mask, name, np.where(mask, named, 1 - score))


@cache
def code_model() -> CodeModel:
    """Return the packaged model, loaded once a process."""
    return CodeModel(load_code_weights(CODE_MODEL))


def is_code(texts: pa.Array | pa.ChunkedArray) -> Code:
    r"""Tell which texts are program code, and in which programming language.

    Args:
        texts: string array of n texts; null reads as empty.

    >>> found = is_code(pa.array(["def f(x):\n    return x + 1", "The function returns one more."]))
    >>> found.mask.tolist(), found.name.to_pylist()
    ([True, False], ['python', None])

    """
    return code_model().code(texts)


@cache
def _symbols() -> U8:
    table = np.zeros(256, np.uint8)
    table[[*b"{}[];=<>_|&\\*+$#^~\n"]] = 1
    return table


def _table(keys: U32) -> I32:
    """Return an open-addressed hash table: key's slot → its row, -1 for empty."""
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
    found = 0
    for i in range(start, end):
        found += symbols[data[i]]
    for i in range(start + 1, end):
        found += data[i] == 0x28 and (0x61 <= (data[i - 1] | 32) <= 0x7A)
    return found * DENSITY >= end - start and found > 0


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
    found = np.empty(MOST, np.uint32)
    classes = len(bias)
    total = np.empty(classes, np.int32)
    mask = np.uint32(len(slots) - 1)
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        if not (every or _worth_reading(data, start, end, symbols)):
            result[row, prose] = 1
            continue
        used, tokens = features(data, start, end, found)
        total[:] = 0
        for i in range(used):
            at = found[i] & mask
            while slots[at] >= 0:
                at_row = slots[at]
                if keys[at_row] == found[i]:
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
