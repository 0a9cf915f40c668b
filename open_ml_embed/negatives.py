"""`mine_hard_negatives`: documents that look like a query's positive and are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.mining.api import mine, numbers_of
from curation.mining.masks import Ragged
from curation.mining.negatives import ORIGINS, Negatives
from curation.mining.settings import MiningSettings
from open_ml_embed.core.text.arrays import Texts, one_array, same_length, text_array
from open_ml_embed.core.validation_errors import from_arguments
from open_ml_embed.core.words import counted

if TYPE_CHECKING:
    from datasets import Dataset

Vectors = npt.NDArray[np.float16] | npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class HardNegatives:
    """The hard negatives of n queries among m documents.

    Attributes:
        num_negatives: how many each query should have; one without enough candidates has fewer.
        documents: m.

    """

    num_negatives: int
    documents: int
    _positives: Ragged
    _found: Negatives

    def of(self, query: int) -> npt.NDArray[np.int32]:
        """Return the document numbers of one query's negatives, the best first: int32."""
        return self._found.of(query)

    @cached_property
    def table(self) -> pa.Table:
        """A row for each negative, by query: `query` int64, `document` int64, `score` float32, `origin` string.

        The score is the teacher's: BM25's, or the cosine of the vectors. The origin is `mined`, or one of the others
        that docs/mining.md lists.
        """
        found = self._found
        query = np.repeat(np.arange(len(found)), np.diff(found.offsets))
        origin = pa.array(ORIGINS).take(pa.array(found.origins))
        columns = [pa.array(query), pa.array(found.ids.astype(np.int64)), pa.array(found.scores), origin]
        return pa.table(columns, names=["query", "document", "score", "origin"])

    @property
    def positive_scores(self) -> npt.NDArray[np.float32]:
        """The teacher's score of each query and its positive, the lowest of several: float32[n]; NaN where unknown."""
        return self._found.positive_score

    @property
    def rejected(self) -> dict[str, int]:
        """Why candidates are no negatives, and how many: `near-positive`, `own-positive`, `relative-margin` …"""
        return {reason: count for reason, count in self._found.rejected.items() if count}

    def to_datasets(self, queries: Texts, documents: Texts) -> Dataset:
        """Return n-tuples, as sentence-transformers trains on: `query`, `positive`, `negative_1` … `negative_k`.

        There is a row for each positive of each query that has all of its k = `num_negatives` negatives; the others
        are left out, as in `sentence_transformers.util.mine_hard_negatives` with `output_format="n-tuple"`.

        Args:
            queries: the n texts that were searched with.
            documents: the m texts that were searched.

        Raises:
            ValueError: (a `CorpusError`) these are no texts, or not as many as were searched.

        """
        from datasets import Dataset

        left = one_array(text_array(queries, "queries", nulls=False))
        right = one_array(text_array(documents, "documents", nulls=False))
        same_length(len(left), "queries", len(self), "queries that were searched with")
        same_length(len(right), "documents", self.documents, "documents that were searched")
        full = np.flatnonzero(np.diff(self._found.offsets) == self.num_negatives)
        chosen = self._positives.take(full)
        query = np.repeat(full, np.diff(chosen.offsets))
        columns = {"query": left.take(pa.array(query)), "positive": right.take(pa.array(chosen.values))}
        for number in range(self.num_negatives):
            negative = self._found.ids[self._found.offsets[query] + number]
            columns[f"negative_{number + 1}"] = right.take(pa.array(negative))
        return Dataset(pa.table({name: column.cast(pa.string()) for name, column in columns.items()}))

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        counts = np.diff(self._found.offsets)
        short = int((counts < self.num_negatives).sum())
        sizes = f"{counted(len(self), 'query', 'queries')}, {counted(self.documents, 'document')}"
        lacking = f"{counted(short, 'query', 'queries')} with fewer than {self.num_negatives}"
        return f"HardNegatives({sizes}: {counted(int(counts.sum()), 'negative')}, {lacking})"


def mine_hard_negatives(
    queries: Texts,
    documents: Texts,
    positives: Sequence[int] | Sequence[Sequence[int]] | npt.NDArray[Any],
    num_negatives: int = 8,
    relative_margin: float | None = 0.05,
    *,
    absolute_margin: float | None = None,
    max_score: float | None = None,
    range_min: int = 0,
    range_max: int = 100,
    sampling_strategy: Literal["top", "random"] = "top",
    model: str = "bm25",
    embeddings: tuple[Vectors, Vectors] | None = None,
    device: str = "cpu",
    seed: int = 1,
) -> HardNegatives:
    """Find hard negatives for n queries among m documents, and never a positive in disguise.

    Out before any rule: every positive of the query and of near-duplicate queries, near-duplicates of those, and the
    query's own text. The rules are sentence-transformers', and are called the same.

    Args:
        queries: n texts, as in `identify`; or their vectors, a NumPy array float16 or float32[n, dim].
        documents: m texts, or vectors float16 or float32[m, dim].
        positives: for each query the number of its document (0 … m - 1), or a list of such numbers.
        num_negatives: for each query; fewer where not enough candidates pass.
        relative_margin: a candidate must score below p - |p| · margin, p being the lowest score of a positive.
        absolute_margin: a candidate must score at least so much below p.
        max_score: a candidate must score below this; ignored for BM25, whose scores have no scale.
        range_min: skip so many of the best candidates.
        range_max: look at so many candidates.
        sampling_strategy: the best of those that pass, or any.
        model: who scores: `bm25`, or a sentence-transformers model as a folder, owner/name@COMMIT on the Hub, or
            package:NAME.
        embeddings: vectors of queries and documents, of length 1 for cosines, instead of a model's.
        device: `cpu`, or a torch device for the products of vectors.
        seed: of `random`.

    Returns:
        For each query its negatives, with scores.

    Raises:
        ValueError: (a `CorpusError`) these are no texts or vectors, arguments of different lengths, a positive that is
            no document, a number that cannot be, or no such model.

    Source: Moreira et al. 2024 (NV-Retriever) for the margins; docs/mining.md says how, and what it costs.

    >>> import numpy as np, open_ml_embed as ome
    >>> vectors = np.array([[1, 0], [0.9, 0.436], [0.6, 0.8], [0, 1]], np.float32)
    >>> found = ome.mine_hard_negatives(vectors[:1], vectors, positives=[1], num_negatives=1)
    >>> found.of(0).tolist(), found.table.to_pylist()[0]["score"].__round__(2)
    ([2], 0.6)

    """
    settings = from_arguments(
        MiningSettings,
        "mine_hard_negatives",
        {
            "preset": "none", "num_negatives": num_negatives, "relative_margin": relative_margin,
            "absolute_margin": absolute_margin, "max_score": max_score, "range_min": range_min, "range_max": range_max,
            "sampling_strategy": sampling_strategy, "teacher": model, "seed": seed,
        },
    )  # fmt: skip
    asked, searched = _given(queries, "queries"), _given(documents, "documents")
    n, m = len(asked), len(searched)
    links = numbers_of(positives, n, m, "positives")
    found = mine(asked, searched, links, settings, embeddings=embeddings, device=device)
    return HardNegatives(num_negatives, m, links, found)


def _given(side: Any, name: str) -> Any:
    """Return texts of which none is missing, or vectors as they are."""
    if getattr(side, "ndim", 1) == 2 or (isinstance(side, list | tuple) and side and isinstance(side[0], list | tuple)):
        return side
    return one_array(text_array(side, name, nulls=False))
