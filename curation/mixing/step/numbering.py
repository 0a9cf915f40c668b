"""Operation `mix/numbered`: the samples of a pool and the documents that they refer to, by numbers, without texts.

A document is stored once in a pool, however many samples refer to it. Documents are numbered in the order in which the
rows have them as positives, then those that were mined, by their numbers in step `mine`, then those that only merged
duplicates have. Texts are compared by 128 bits of hash, so a pool's texts are never held together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from curation.mining.masks import Ragged
from curation.mixing.files import SPLITS
from curation.mixing.filters import FILTERS
from curation.mixing.step.filtering import PoolFilter, kept_of
from curation.mixing.step.inherited_negatives import admitted_negatives, answers_in
from curation.mixing.step.limits import Ranks, final_verdicts
from curation.mixing.step.pool import MixPool
from curation.mixing.step.provenance import InheritedTexts, inherit
from curation.mixing.step.select import MIX_FILTER, REASONS, TRAIN, VALIDATION, filters_of
from curation.tables.pools import PoolDocuments, PoolRef
from open_ml_embed.core.array_types import I32, I64, U8, Mask
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Outputs, Task

POSITIVE, MINED, INHERITED = range(3)
"""Where the text of a document stands: it is the positive of a row, a document of the pool of step `mine`, or a line of
the table `inherited`."""

NUMBERED_DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("origin", pa.uint8(), nullable=False),
        pa.field("place", pa.int64(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
    ]
)
"""Table `documents`, in order of number: `origin` (above), `place` is the row, the document of step `mine`, or the line
of `inherited`, and `cluster` the document cluster."""
NUMBERED_SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("positive", pa.int32(), nullable=False),
        pa.field("others", pa.list_(pa.int32()), nullable=False),
        pa.field("negatives", pa.list_(pa.int32()), nullable=False),
    ]
)
"""Tables `train` and `validation`, in order of row: the row of the pool, and numbers of documents: of its positive, of
other positives that it inherits, and of its negatives."""
INHERITED_SCHEMA = pa.schema([pa.field("text", pa.string(), nullable=False)])
_BLOCK_DOCUMENTS = 65_536


@dataclass(frozen=True)
class NumberRef:
    """Payload of a task.

    Attributes:
        pool: its rows.
        mined: its pool in step `mine`, whose documents its negatives are.
        kept: the highest ranks that are kept of its source.
        chosen: which rows and documents the mix file takes.

    """

    pool: MixPool
    mined: PoolRef
    kept: Ranks
    chosen: PoolFilter

    def documents(self, store: Store) -> PoolDocuments:
        """Return the documents of the pool in step `mine`."""
        return PoolDocuments.of(store, self.mined)


class NumberSettings(BaseModel):
    """Most negatives of a sample."""

    num_negatives: int


class Number:
    """Operation: number the documents of a pool, and join the negatives of each sample."""

    name: ClassVar[str] = "mix/numbered"
    version: ClassVar[int] = 2

    def __init__(self, settings: NumberSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Number one pool; `task.payload` is a `NumberRef`. Returns how many rows have each verdict, and sizes."""
        ref: NumberRef = task.payload
        pool = ref.pool
        verdict = final_verdicts(store, pool, ref.kept)
        samples = np.flatnonzero(verdict <= VALIDATION).astype(np.int64)
        inherited = _Inherited(store, ref, samples)
        permitted = ref.chosen.documents(store, ref.mined)
        numbers = _Numbers(store, ref, samples, permitted)
        out.table("inherited", inherited.batches(numbers), INHERITED_SCHEMA)
        documents = numbers.documents(inherited)
        out.table("documents", documents.to_batches(), NUMBERED_DOCUMENT_SCHEMA, compressed=False)
        cluster = documents["cluster"].to_numpy()
        sizes = {}
        for number, split in enumerate(SPLITS):
            rows = samples[verdict[samples] == number]
            batches = _samples(
                store, pool, rows, samples, numbers, inherited, cluster, permitted, self.settings.num_negatives
            )
            sizes[split] = out.table(split, batches, NUMBERED_SAMPLE_SCHEMA, compressed=False).rows
        left_out = np.bincount(filters_of(store, pool)[verdict == MIX_FILTER], minlength=1 + len(FILTERS))[1:]
        filters = {name: count for name, count in zip(FILTERS, left_out.tolist(), strict=True) if count}
        return {"verdicts": _counts(verdict), "filters": filters, "documents": documents.num_rows, **sizes}


def _counts(verdict: U8) -> dict[str, int]:
    counts = np.bincount(verdict, minlength=len(REASONS)).tolist()
    return dict(zip(REASONS, counts, strict=True))


class _Numbers:
    """Numbers of the texts that rows have as positives or that were mined.

    Attributes:
        positive: int64[samples], number of each sample's positive.
        mined: int64[documents of step `mine`], number of each document that a sample refers to; -1 for the others.
        size: how many there are.

    """

    def __init__(self, store: Store, ref: NumberRef, samples: I64, permitted: Mask | None) -> None:
        pool, offered = ref.pool, ref.documents(store)
        used = np.zeros(offered.table.num_rows, bool)
        keys: list[pl.DataFrame] = []
        for rows in pool.blocks(samples):
            keys.append(_keys(pool.read(store, "rows", rows, ["positive"])["positive"]))
            used[kept_of(pool.read(store, "negatives", rows, ["negatives"])["negatives"], permitted)[1]] = True
        mined = np.flatnonzero(used)
        for start in range(0, len(mined), _BLOCK_DOCUMENTS):
            keys.append(_keys(offered.texts(mined[start : start + _BLOCK_DOCUMENTS])))
        each = pl.concat([_no_keys(), *keys])
        distinct = each.with_row_index("first").unique(["high", "low"], keep="first", maintain_order=True)
        joined = each.join(distinct.with_row_index("number"), on=["high", "low"], how="left", maintain_order="left")
        numbers = joined["number"].to_numpy().astype(np.int64)
        self.positive = numbers[: len(samples)]
        self.mined = np.full(len(used), -1, np.int64)
        self.mined[mined] = numbers[len(samples) :]
        self.size = len(distinct)
        first = distinct["first"].to_numpy()
        order = np.argsort(distinct["high"].to_numpy(), kind="stable")
        self._sorted = distinct["high"].to_numpy()[order], distinct["low"].to_numpy()[order], order
        self._places = np.concatenate([samples, mined])[first]
        self._is_mined = first >= len(samples)
        self._clusters = np.empty(self.size, np.int64)
        rows = self._places[~self._is_mined]
        self._clusters[~self._is_mined] = pool.column(store, "clusters", "document_cluster")[rows]
        self._clusters[self._is_mined] = offered.clusters(self._places[self._is_mined])

    def of(self, keys: pl.DataFrame) -> I64:
        """Return the numbers of texts with these keys, int64[n]; -1 for those that have none."""
        high, low, number = self._sorted
        if not len(number):
            return np.full(len(keys), -1, np.int64)
        at = np.minimum(np.searchsorted(high, keys["high"].to_numpy()), len(number) - 1)
        same = (high[at] == keys["high"].to_numpy()) & (low[at] == keys["low"].to_numpy())
        return np.where(same, number[at], -1).astype(np.int64)

    def documents(self, inherited: _Inherited) -> pa.Table:
        """Return the table `documents`; the texts of `inherited` are numbered by then."""
        more = len(inherited.clusters)
        origin = np.concatenate([np.where(self._is_mined, MINED, POSITIVE), np.full(more, INHERITED)])
        return pa.table(
            [
                pa.array(origin.astype(np.uint8)),
                pa.array(np.concatenate([self._places, np.arange(more)])),
                pa.array(np.concatenate([self._clusters, np.array(inherited.clusters, np.int64)])),
            ],
            schema=NUMBERED_DOCUMENT_SCHEMA,
        )


class _Inherited:
    """Texts that only the merged duplicates of samples have.

    Attributes:
        clusters: document cluster of each line of the table `inherited`.
        others, negatives: document numbers of the samples' inherited positives and negatives.

    """

    def __init__(self, store: Store, ref: NumberRef, samples: I64) -> None:
        self._store, self._ref, self._samples = store, ref, samples
        self.clusters: list[int] = []
        self.others = self.negatives = Ragged.empty(len(samples))

    def batches(self, numbers: _Numbers) -> Iterator[pa.RecordBatch]:
        """Yield the batches of the table `inherited`, and fill in the lists; call it once."""
        pool, store = self._ref.pool, self._store
        merged = np.concatenate(
            [np.zeros(0, np.int64), *(rows[_has_merged(store, pool, rows)] for rows in pool.blocks(self._samples))]
        )
        if not len(merged):
            return
        answers = answers_in(store, pool, merged, self._ref.mined.name if pool.family == "retrieval" else None)
        query_cluster = pool.column(store, "clusters", "query_cluster")
        seen: dict[tuple[Any, ...], int] = {}
        at: list[I64] = []
        others: list[tuple[I64, I64]] = []
        negatives: list[tuple[I64, I64]] = []
        for rows in pool.blocks(merged):
            found = inherit(store, pool, rows, pool.read(store, "rows", rows, ["query", "positive"]))
            given, exact = found.negatives
            query_exact = pool.read(store, "signatures", rows, ["query_exact"])["query_exact"].to_numpy()
            admitted = admitted_negatives(given, exact, query_cluster[rows], query_exact, answers)
            new: list[pa.Array] = []
            for texts, lists in ((found.positives, others), (admitted, negatives)):
                lists.append((np.diff(texts.offsets), self._numbered(texts, numbers, seen, new)))
            at.append(np.searchsorted(self._samples, rows))
            if new:
                yield pa.record_batch([pa.concat_arrays(new).cast(pa.string())], schema=INHERITED_SCHEMA)
        self.others = _spread(len(self._samples), np.concatenate(at), others)
        self.negatives = _spread(len(self._samples), np.concatenate(at), negatives)

    def _numbered(
        self, texts: InheritedTexts, numbers: _Numbers, seen: dict[tuple[Any, ...], int], new: list[pa.Array]
    ) -> I64:
        """Return the number of each text; those that have none get the next, and are appended to `new`."""
        keys = _keys(texts.text)
        result = numbers.of(keys)
        added = []
        for i in np.flatnonzero(result < 0).tolist():
            key = keys.row(i)
            if key not in seen:
                seen[key] = numbers.size + len(self.clusters)
                self.clusters.append(int(texts.cluster[i]))
                added.append(i)
            result[i] = seen[key]
        if added:
            new.append(texts.text.take(pa.array(added)))
        return result


def _has_merged(store: Store, pool: MixPool, rows: I64) -> Any:
    lists = pool.read(store, "merges", rows, ["merged"])["merged"]
    return pc.list_value_length(lists).to_numpy() > 0


def _spread(size: int, at: I64, parts: list[tuple[I64, I64]]) -> Ragged:
    """Return the lists of all samples from those of the samples `at`, ascending."""
    counts = np.zeros(size, np.int64)
    counts[at] = np.concatenate([lengths for lengths, _ in parts])
    return Ragged(offsets_of(counts), np.concatenate([numbers for _, numbers in parts]).astype(np.int32))


def _keys(texts: pa.Array | pa.ChunkedArray) -> pl.DataFrame:
    """Hash n texts to 128 bits: n lines of `high` and `low`. The hashes are compared within one task only."""
    series = pl.from_arrow(texts)
    assert isinstance(series, pl.Series), "an array is a series"
    return pl.DataFrame({"high": series.hash(1), "low": series.hash(2)})


def _no_keys() -> pl.DataFrame:
    return pl.DataFrame(schema={"high": pl.UInt64, "low": pl.UInt64})


def _samples(
    store: Store,
    pool: MixPool,
    rows: I64,
    samples: I64,
    numbers: _Numbers,
    inherited: _Inherited,
    cluster: I64,
    permitted: Mask | None,
    num_negatives: int,
) -> Iterator[pa.RecordBatch]:
    """Yield the batches of one split; `rows` are its rows, `samples` those of both splits."""
    for block in pool.blocks(rows):
        at = np.searchsorted(samples, block)
        mined_starts, documents = kept_of(pool.read(store, "negatives", block, ["negatives"])["negatives"], permitted)
        mined = numbers.mined[documents].astype(np.int32)
        positive = numbers.positive[at]
        others, given = inherited.others.take(at), inherited.negatives.take(at)
        negatives, starts = _joined(
            given.offsets,
            given.values,
            mined_starts,
            mined,
            positive,
            others.offsets,
            others.values,
            cluster,
            num_negatives,
        )
        yield pa.record_batch(
            [
                pa.array(block),
                pa.array(positive.astype(np.int32)),
                _list_array(others.offsets, others.values),
                _list_array(starts, negatives),
            ],
            schema=NUMBERED_SAMPLE_SCHEMA,
        )


def _list_array(offsets: I64, numbers: I32) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(numbers))


@njit
def _joined(
    given_starts: I64,
    given: I32,
    mined_starts: I64,
    mined: I32,
    positive: I64,
    other_starts: I64,
    other: I32,
    cluster: I64,
    num_negatives: int,
) -> tuple[I32, I64]:
    """Join given and mined negatives of each sample.

    Given ones come first. Near-duplicates of a positive and repetitions are dropped, and at most `num_negatives` kept.

    Returns:
        int32[total] document numbers, and int64[n + 1] offsets.

    """
    n = len(positive)
    result = np.empty(len(given) + len(mined), np.int32)
    starts = np.zeros(n + 1, np.int64)
    count = 0
    for row in range(n):
        first = count
        for kind in range(2):
            numbers = given if kind == 0 else mined
            bounds = given_starts if kind == 0 else mined_starts
            for i in range(bounds[row], bounds[row + 1]):
                number = numbers[i]
                is_new = cluster[number] != cluster[positive[row]] and count - first < num_negatives
                for j in range(other_starts[row], other_starts[row + 1]):
                    is_new = is_new and cluster[number] != cluster[other[j]]
                for j in range(first, count):
                    is_new = is_new and result[j] != number
                if is_new:
                    result[count] = number
                    count += 1
        starts[row + 1] = count
    return result[:count].copy(), starts


assert (TRAIN, VALIDATION) == (0, 1), "verdicts of samples are the indices of their splits"
