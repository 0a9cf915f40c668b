"""Backend `bundled`: a linear model over hashed character n-grams with 8-bit weights, read from Arrow's buffers.

The mean of the features' embeddings goes through a linear layer and a softmax over (language, script) labels. The
architecture is that of fastText (Joulin et al. 2017, arXiv:1607.01759, EACL); the features, the file format and the
code are this project's.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.langid.codes import Label, corpus_languages, usual_members
from curation.langid.confidence import SHORT
from curation.langid.features import CHARACTERS, MOST, folding, hashed, read
from curation.langid.identifier import Ranked
from curation.langid.identity import BUNDLED
from curation.langid.model_file import read_model, write_model
from curation.langid.scripts import NAMES, Scripts
from curation.langid.written import scripts_of_label
from open_ml_embed.core.array_types import F32, F64, I8, I16, I32, I64, U8, U32, Array
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.text.tokens import string_buffers

VERSION = 1
TENSORS = ("embedding", "scale", "output", "bias", "threshold")
PRIOR = 7.0
"""Weight of the prior in texts shorter than `SHORT`, in letters. The prior is the language's share of the corpus.

The model averages over features, so its evidence does not grow with the number of letters. The weight of the prior
therefore decreases with the number of letters instead. Without a prior, a word is often assigned to a small language
that has a similar word. With it, 82 % instead of 53 % of the words with three and four letters are right if languages
are as frequent as in the corpus, and as many as without it if all are equally frequent (`benchmarks/langid.py`)."""
FEWEST = 20
"""Minimum number of samples that the prior assumes for a language."""
_BLOCK = 2048
"""Texts that a thread processes at a time."""
_ANY = -2
"""Value of a script's number that admits all labels."""
_NEVER = np.float32(-1e30)


@dataclass(frozen=True)
class Weights:
    """The content of a model file, with R hash buckets, D dimensions and C labels.

    Attributes:
        labels: labels such as `deu-Latn`, sorted.
        embedding: int8[R, D], quantized embeddings; R is a power of two.
        scale: float32[D], the quantization step of each dimension.
        output: float32[C, D].
        bias: float32[C].
        threshold: float32[C], the confidence below which a label is not reliable (see the model card).

    """

    labels: tuple[str, ...]
    embedding: I8
    scale: F32
    output: F32
    bias: F32
    threshold: F32

    def save(self, path: Path) -> None:
        """Write the model as safetensors; equal weights give equal bytes."""
        tensors: dict[str, Array] = {
            "embedding": self.embedding,
            "scale": self.scale,
            "output": self.output.astype(np.float16),
            "bias": self.bias,
            "threshold": self.threshold,
        }
        write_model(path, tensors, {"version": VERSION, "labels": self.labels})


def load_weights(path: Path) -> Weights:
    """Read a model file.

    Raises:
        SettingsError: the file is missing, or is not a model of this version.

    """
    metadata, tensors = read_model(
        path, TENSORS, version=VERSION, what="language model", remedy="give the path of a .lid file"
    )
    tensors["output"] = tensors["output"].astype(np.float32)
    return Weights(tuple(metadata["labels"]), **tensors)


class Bundled:
    """The bundled identifier, loaded from a model file.

    Args:
        path: the file; None takes the packaged one.
        threads: number of threads that share the texts of a call.

    """

    def __init__(self, path: Path | None = None, *, threads: int = 1) -> None:
        self._set(load_weights(path or BUNDLED), threads)

    @classmethod
    def of(cls, weights: Weights, *, threads: int = 1) -> Bundled:
        """Return an identifier with the given weights."""
        made = cls.__new__(cls)
        made._set(weights, threads)
        return made

    @property
    def claimed(self) -> frozenset[str]:
        """The languages that the model can answer."""
        return frozenset(label.code for label in self.labels)

    @property
    def calibration(self) -> str:
        """The backend's name in `data/confidence.tsv`."""
        return "bundled"

    def _set(self, weights: Weights, threads: int) -> None:
        self.names, self.thresholds = weights.labels, weights.threshold
        self.labels = tuple(Label(*name.rsplit("-", 1)) for name in weights.labels)
        self._embedding, self._bias = weights.embedding, weights.bias
        self._output = np.ascontiguousarray(weights.output * weights.scale)
        self._script = np.array([_script_number(label) for label in self.labels], np.int16)
        self._prior = _prior(self.labels)
        self._threads = threads

    def ranked(self, texts: pa.StringArray, scripts: Scripts, k: int) -> Ranked:
        """Return the k likeliest labels in the admitted scripts of each text, with probabilities among these labels."""
        return self._ranked(texts, k, scripts.admitted, _prior_weight(scripts))

    def best(self, texts: pa.StringArray, k: int = 1) -> Ranked:
        """Return the k likeliest labels of each text in any script, with their probabilities, without the prior.

        The arrays are int32[n, k] and float32[n, k]; a text without letters has -1 and 0.
        """
        n = len(texts)
        return self._ranked(texts, k, np.full((n, 1), _ANY, np.int16), np.zeros(n))

    def _ranked(self, texts: pa.StringArray, k: int, admitted: I16, weight: F64) -> Ranked:
        """Return labels and probabilities; `weight` (float64[n]) is the weight of the prior in each text."""
        offsets, data = string_buffers(texts)
        n, k = len(offsets) - 1, min(k, len(self.labels))
        labels, scores = np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32)

        def work(first: int) -> None:
            _predict(
                offsets, data, first, min(n, first + _BLOCK), folding(), self._embedding, self._output, self._bias,
                self._script, admitted, self._prior, weight, labels, scores,
            )  # fmt: skip

        starts = range(0, n, _BLOCK)
        if self._threads == 1:
            for first in starts:
                work(first)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(work, starts))
        return labels, scores

    def logits(self, texts: pa.StringArray) -> F32:
        """Return the scores before the softmax, float32[n, C]; a text without letters has only the bias."""
        offsets, data = string_buffers(texts)
        states = np.zeros((len(offsets) - 1, self._embedding.shape[1]), np.float32)
        _encode(offsets, data, folding(), self._embedding, states)
        scores: F32 = states @ self._output.T + self._bias
        return scores


def _script_number(label: Label) -> int:
    """Return the index in `scripts.NAMES` of a label's only script, or -1 if it is not one of those."""
    (script,) = scripts_of_label(label) or (None,)
    return NAMES.index(script) if script in NAMES else -1


def _prior_weight(scripts: Scripts) -> F64:
    """Return the weight of the prior in each text, float64[n]."""
    return PRIOR * np.maximum(1 / np.maximum(scripts.size(), 1) - 1 / SHORT, 0)


def _prior(labels: Sequence[Label]) -> F32:
    """Return the logarithm of each label's share of the published corpus, float32[C].

    A language counts with at least `FEWEST` samples. A macrolanguage's samples count for its usual member.
    """
    corpus = corpus_languages()
    usual = {member: macro for macro, member in usual_members().items()}
    whole = sum(language.samples for language in corpus.values())
    named = (corpus.get(label.code) or corpus.get(usual.get(label.code, "")) for label in labels)
    samples = np.array([max(language.samples, FEWEST) if language else FEWEST for language in named], np.float64)
    return np.log(samples / whole).astype(np.float32)


@njit(nogil=True, inline="always")
def _state(
    data: U8, start: int, end: int, table: U32, embedding: I8, points: U32, ids: I64, total: I32, state: F32
) -> bool:
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


@njit(nogil=True)
def _encode(offsets: I64, data: U8, table: U32, embedding: I8, states: F32) -> None:
    points, ids = np.empty(CHARACTERS, np.uint32), np.empty(MOST, np.int64)
    total = np.empty(embedding.shape[1], np.int32)
    for row in range(len(states)):
        _state(data, offsets[row], offsets[row + 1], table, embedding, points, ids, total, states[row])


@njit(nogil=True, inline="always")
def _among(script: np.int16, admitted: I16) -> bool:
    for place in range(len(admitted)):  # noqa: SIM110 (numba does not compile generators)
        if admitted[place] == script or admitted[place] == _ANY:
            return True
    return False


@njit(nogil=True, fastmath=True)
def _predict(
    offsets: I64,
    data: U8,
    first: int,
    last: int,
    table: U32,
    embedding: I8,
    output: F32,
    bias: F32,
    script: I16,
    admitted: I16,
    prior: F32,
    weight: F64,
    labels: I32,
    scores: F32,
) -> None:
    points, ids = np.empty(CHARACTERS, np.uint32), np.empty(MOST, np.int64)
    dims, classes, k = embedding.shape[1], len(bias), labels.shape[1]
    total, state = np.empty(dims, np.int32), np.empty(dims, np.float32)
    logits = np.empty(classes, np.float32)
    for row in range(first, last):
        if not _state(data, offsets[row], offsets[row + 1], table, embedding, points, ids, total, state):
            continue
        highest, share = _NEVER, np.float32(weight[row])
        for c in range(classes):
            logits[c] = _NEVER
            if _among(script[c], admitted[row]):
                value = bias[c] + share * prior[c]
                for d in range(dims):
                    value += output[c, d] * state[d]
                logits[c] = value
                highest = max(highest, value)
        if highest == _NEVER:
            continue
        whole = np.float32(0)
        for c in range(classes):
            if logits[c] != _NEVER:
                whole += np.exp(logits[c] - highest)
        for place in range(k):
            best = np.argmax(logits)
            if logits[best] == _NEVER:
                break
            labels[row, place] = best
            scores[row, place] = np.exp(logits[best] - highest) / whole
            logits[best] = _NEVER


def load(model: str | None) -> Bundled:
    """Load a model file; None loads the packaged one.

    Raises:
        SettingsError: the file is missing, or is not a model of this version.

    """
    return Bundled(Path(model) if model else None)
