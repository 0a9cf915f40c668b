"""The bundled identifier: a linear model over hashed character n-grams, 8 bits a weight, read from Arrow's buffers.

A text's state is the mean of its features' embeddings; a linear layer and a softmax over (language, script) labels
follow. The form is fastText's (Joulin et al. 2017, arXiv:1607.01759, EACL); features, file and code are our own.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.langid.features import CHARACTERS, MOST, folding, hashed, read
from curation.langid.identifier import UNDETERMINED, list_array
from curation.text.tokens import string_buffers
from sources.errors import SettingsError

F32 = npt.NDArray[np.float32]
BUNDLED = Path(__file__).parent / "data" / "bundled.lid"
VERSION = 1
TENSORS = ("embedding", "scale", "output", "bias", "threshold")
_BLOCK = 2048
"""Texts a thread takes at once."""


@dataclass(frozen=True)
class Weights:
    """What a model file holds; shapes with R hashed rows, D dimensions, C labels.

    Attributes:
        labels: `deu-Latn`, sorted.
        embedding: int8, R × D; R is a power of two.
        scale: float32, D; what one step of each dimension is worth.
        output: float32, C × D.
        bias: float32, C.
        threshold: float32, C; the confidence below which a label is not to be believed (see the model card).

    """

    labels: tuple[str, ...]
    embedding: npt.NDArray[np.int8]
    scale: F32
    output: F32
    bias: F32
    threshold: F32

    def save(self, path: Path) -> None:
        """Write the model as safetensors; equal weights give equal bytes."""
        from safetensors.numpy import save_file

        tensors: dict[str, npt.NDArray[Any]] = {
            "embedding": self.embedding,
            "scale": self.scale,
            "output": self.output.astype(np.float16),
            "bias": self.bias,
            "threshold": self.threshold,
        }
        save_file(tensors, path, metadata={"model": json.dumps({"version": VERSION, "labels": self.labels})})
        path.chmod(0o644)


def load_weights(path: Path) -> Weights:
    """Read a model file.

    Raises:
        SettingsError: it is missing, or no model of this version.

    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            # One entry: safetensors writes several in no fixed order.
            metadata = json.loads((file.metadata() or {}).get("model", "{}"))
            if metadata.get("version") != VERSION:
                raise SettingsError(f"not a model of version {VERSION}", where=str(path), remedy="train it again")
            found = {name: file.get_tensor(name) for name in TENSORS}
    except (OSError, SafetensorError) as error:
        raise SettingsError(
            f"no language model: {error}", where=str(path), remedy="give the path of a .lid file"
        ) from None
    found["output"] = found["output"].astype(np.float32)
    return Weights(tuple(metadata["labels"]), **found)


class Bundled:
    """An identifier made of a model file.

    Args:
        path: the file; null: the one in the package.
        threads: how many share the texts of a call.

    """

    def __init__(self, path: Path | None = None, *, threads: int = 1) -> None:
        self._set(load_weights(path or BUNDLED), threads)

    @classmethod
    def of(cls, weights: Weights, *, threads: int = 1) -> Bundled:
        """Make an identifier of weights in memory."""
        made = cls.__new__(cls)
        made._set(weights, threads)
        return made

    @property
    def claimed(self) -> frozenset[str]:
        """The languages that the model can answer."""
        return frozenset(self._codes.tolist())

    def _set(self, weights: Weights, threads: int) -> None:
        self.labels, self.thresholds = weights.labels, weights.threshold
        self._codes = np.array([label.rpartition("-")[0] for label in weights.labels])
        self._embedding, self._bias = weights.embedding, weights.bias
        self._output = np.ascontiguousarray(weights.output * weights.scale)
        self._threads = threads

    def best(self, texts: pa.StringArray, k: int = 1) -> tuple[npt.NDArray[np.int32], F32]:
        """Return the k likeliest labels of each text and their probabilities (n × k; -1 and 0 for no letters)."""
        offsets, data = string_buffers(texts)
        n = len(offsets) - 1
        labels, scores = np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32)

        def work(first: int) -> None:
            last = min(n, first + _BLOCK)
            _predict(offsets, data, first, last, folding(), self._embedding, self._output, self._bias, labels, scores)

        starts = range(0, n, _BLOCK)
        if self._threads == 1:
            for first in starts:
                work(first)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(work, starts))
        return labels, scores

    def logits(self, texts: pa.StringArray) -> F32:
        """Return the scores before the softmax (n × C); zeros for texts without letters."""
        offsets, data = string_buffers(texts)
        states = np.zeros((len(offsets) - 1, self._embedding.shape[1]), np.float32)
        _encode(offsets, data, folding(), self._embedding, states)
        scores: F32 = states @ self._output.T + self._bias
        return scores

    def codes(self, texts: pa.StringArray) -> tuple[list[str], list[float]]:
        """Return the likeliest ISO 639-3 code of each text (`und` without letters) and its probability."""
        labels, scores = self.best(texts)
        codes = np.append(self._codes, UNDETERMINED)[labels[:, 0]]
        return codes.tolist(), scores[:, 0].tolist()

    def top(self, texts: pa.StringArray, k: int) -> pa.ListArray:
        """Return the k likeliest codes of each text, the best first: `ALTERNATIVES`, n."""
        labels, scores = self.best(texts, min(k, len(self.labels)))
        names = np.append(self._codes, UNDETERMINED)[labels]
        rows = (zip(codes, row, strict=True) for codes, row in zip(names.tolist(), scores.tolist(), strict=True))
        return list_array([list(row) for row in rows])


@nb.njit(cache=True, nogil=True, inline="always")
def _state(data, start, end, table, embedding, points, ids, total, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the mean of a text's features to `state`; return whether it has any."""
    mask = np.uint64(len(embedding) - 1)
    used = hashed(points, read(data, start, end, table, points), mask, ids)
    if used == 0:
        return False
    total[:] = 0
    for i in range(used):
        at = ids[i]
        for d in range(len(total)):
            total[d] += np.int32(embedding[at, d])
    for d in range(len(total)):
        state[d] = np.float32(total[d]) / np.float32(used)
    return True


@nb.njit(cache=True, nogil=True)
def _encode(offsets, data, table, embedding, states):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    points, ids = np.empty(CHARACTERS, np.uint32), np.empty(MOST, np.int64)
    total = np.empty(embedding.shape[1], np.int32)
    for row in range(len(states)):
        _state(data, offsets[row], offsets[row + 1], table, embedding, points, ids, total, states[row])


@nb.njit(cache=True, nogil=True, fastmath=True)
def _predict(offsets, data, first, last, table, embedding, output, bias, labels, scores):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    points, ids = np.empty(CHARACTERS, np.uint32), np.empty(MOST, np.int64)
    dims, classes, k = embedding.shape[1], len(bias), labels.shape[1]
    total, state = np.empty(dims, np.int32), np.empty(dims, np.float32)
    logits = np.empty(classes, np.float32)
    for row in range(first, last):
        if not _state(data, offsets[row], offsets[row + 1], table, embedding, points, ids, total, state):
            continue
        highest = np.float32(-1e30)
        for c in range(classes):
            value = bias[c]
            for d in range(dims):
                value += output[c, d] * state[d]
            logits[c] = value
            highest = max(highest, value)
        whole = np.float32(0)
        for c in range(classes):
            whole += np.exp(logits[c] - highest)
        for place in range(k):
            best = np.argmax(logits)
            labels[row, place] = best
            scores[row, place] = np.exp(logits[best] - highest) / whole
            logits[best] = np.float32(-1e30)
