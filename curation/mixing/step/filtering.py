"""Which rows of a pool the filters of a mix file and the thresholds of quality leave out, and by which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.build import Shard
from curation.mixing.filters import FILTERS, Filters
from curation.mixing.step.pool import MixPool
from curation.quality.settings import Thresholds
from curation.quality.usual import values_of
from curation.tables.pools import POOLS, PoolDocuments, PoolRef
from open_ml_embed.core.array_types import F32, I64, U8, Array, Mask
from open_ml_embed.core.bounds import Range
from open_ml_embed.core.store import Store, flat
from open_ml_embed.core.text.arrays import list_starts
from sources.spoken import names

STAYS = 0
"""Code of a row that no filter leaves out; the others are 1 + the index of the filter in `FILTERS`."""
SIDES = ("query", "positive")
NO_THRESHOLDS = Thresholds()


@dataclass(frozen=True)
class PoolFilter:
    """What the filters of a mix mean for the rows of one pool.

    Attributes:
        filters: of the mix.
        whole: the filter that leaves out all rows of the source; null: none does.
        allowed: sources whose licenses pass, in order; null: licenses do not matter.
        thresholds: of quality, of its source.

    """

    filters: Filters
    whole: str | None = None
    allowed: tuple[str, ...] | None = None
    thresholds: Thresholds = NO_THRESHOLDS

    def codes(self, store: Store, pool: MixPool) -> U8:
        """Return why each row of a pool is left out, uint8[rows]: `STAYS`, or 1 + an index into `FILTERS`."""
        if self.whole is not None:
            return np.full(pool.rows, 1 + FILTERS.index(self.whole), np.uint8)
        parts = [np.zeros(0, np.uint8)]
        for shard in pool.shards:
            codes = np.full(shard.rows, STAYS, np.uint8)
            for name, out in self._left_out(store, pool, shard):
                codes[out & (codes == STAYS)] = 1 + FILTERS.index(name)
            parts.append(codes)
        return np.concatenate(parts)

    def documents(self, store: Store, mined: PoolRef) -> Mask | None:
        """Return which documents of a pool of step `mine` may be negatives, bool[documents]; null: all.

        Those may be that a source whose license passes has among its positives or given negatives.
        """
        permitted = [path for path in mined.paths if path.partition("/")[0] in (self.allowed or ())]
        if self.allowed is None or len(permitted) == len(mined.paths):
            return None
        offered = PoolDocuments.of(store, mined)
        source, _ = offered.places(np.arange(offered.table.num_rows))
        found = _truth(pc.is_in(source, pa.array(self.allowed, pa.string())))
        # a document is named after the first source of the pool that has it; others may have it too
        foreign = np.flatnonzero(~found)
        (exact,) = flat(store, f"{POOLS}/{mined.name}.documents.arrow", "exact")
        for path in permitted:
            for kind in ("signatures", "negatives"):
                (of_source,) = flat(store, f"signatures/{path}.{kind}.arrow", "document_exact")
                found[foreign[np.isin(exact[foreign], of_source)]] = True
        return found

    def _left_out(self, store: Store, pool: MixPool, shard: Shard) -> Iterator[tuple[str, Mask]]:
        """Yield (filter, the rows of a shard that it leaves out) in the order of `FILTERS`."""
        filters = self.filters
        if self.allowed is not None:
            yield "license", _merged_from_others(store, shard, self.allowed)
        if filters.languages:
            kind, suffix = ("verdicts", "_lang_final") if pool.judged else ("rows", "_lang")
            tags = store.read_table(f"{kind}/{shard.path}.{kind}.arrow", [f"{side}{suffix}" for side in SIDES])
            sides = [_spoken(column, filters.languages) for column in tags.columns]
            yield "language", ~(sides[0] & sides[1] if filters.both_sides else sides[0] | sides[1])
        for side, length in (("query", filters.query_chars), ("positive", filters.positive_chars)):
            if length:
                texts = store.read_table(f"rows/{shard.path}.rows.arrow", [side])[side]
                yield f"{side}-chars", length.outside(pc.utf8_length(texts).to_numpy().astype(np.float64))
        for name, wanted, values in _SCORES:
            found: Range = getattr(filters, wanted)
            if found:
                yield name, found.outside(values(store, shard))
        if self.thresholds.language_confidence:
            yield "language-confidence", self.thresholds.language_confidence.outside(_confidence(store, shard))
        if self.thresholds.needs_measures:
            measured = store.read_table(f"quality/{shard.path}.quality.arrow")
            for figure, bounds in self.thresholds.stated():
                if figure in measured.column_names:
                    yield figure.replace("_", "-"), bounds.outside(values_of(measured, figure).astype(np.float32))


def kept_of(lists: pa.ChunkedArray | pa.Array, permitted: Mask | None) -> tuple[I64, Array]:
    """Return lists of document numbers without those of documents that may not be negatives.

    Args:
        lists: list<int32>[n].
        permitted: bool[documents]; null: all may.

    Returns:
        int64[n + 1] offsets and the numbers, int32[total].

    """
    numbers, starts = pc.list_flatten(lists).to_numpy(), list_starts(lists)
    if permitted is None:
        return starts, numbers
    stays = permitted[numbers]
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(stays)])
    return before[starts - starts[0]], numbers[stays]


def _merged_from_others(store: Store, shard: Shard, allowed: tuple[str, ...]) -> Mask:
    """Return the rows that have a merged duplicate of a source that is not allowed, bool[rows]."""
    merged = store.read_table(f"merges/{shard.path}.merges.arrow", ["merged"])["merged"]
    found = np.zeros(len(merged), np.bool_)
    sources = pc.struct_field(pc.list_flatten(merged), "source")
    foreign = pc.invert(pc.is_in(sources, pa.array(allowed, sources.type)))
    found[pc.list_parent_indices(merged).filter(foreign).to_numpy()] = True
    return found


def _spoken(tags: pa.ChunkedArray, languages: list[str]) -> Mask:
    """Return which tags are of one of some languages, bool[n]."""
    known = [tag for tag in tags.unique().to_pylist() if any(names(language, tag) for language in languages)]
    return _truth(pc.is_in(tags, pa.array(known, tags.type)))


def _truth(values: pa.ChunkedArray | pa.Array) -> Mask:
    return np.asarray(values.to_numpy(zero_copy_only=False)).astype(np.bool_)


def _positive_score(store: Store, shard: Shard) -> F32:
    scores: F32 = _negatives(store, shard, "positive_score").to_numpy().astype(np.float32)
    return scores


def _positive_rank(store: Store, shard: Shard) -> Array:
    ranks: Array = _negatives(store, shard, "positive_rank").to_numpy().astype(np.float64)
    ranks[ranks < 0] = np.nan
    return ranks


def _highest_negative_score(store: Store, shard: Shard) -> F32:
    """Return the highest known score of each row's negatives, float32[rows]; NaN where none is known."""
    lists = _negatives(store, shard, "scores")
    scores = pc.list_flatten(lists).to_numpy().astype(np.float32)
    highest = np.full(len(lists), -np.inf, np.float32)
    known = ~np.isnan(scores)
    np.maximum.at(highest, pc.list_parent_indices(lists).to_numpy()[known], scores[known])
    highest[np.isneginf(highest)] = np.nan
    return highest


def _negatives(store: Store, shard: Shard, column: str) -> pa.ChunkedArray:
    return store.read_table(f"negatives/{shard.path}.negatives.arrow", [column])[column]


def _confidence(store: Store, shard: Shard) -> F32:
    names_of_columns = [f"{side}_confidence" for side in SIDES]
    table = store.read_table(f"languages/{shard.path}.languages.arrow", names_of_columns)
    query, positive = (table[name].to_numpy().astype(np.float32) for name in names_of_columns)
    lower: F32 = np.minimum(query, positive)
    return lower


_SCORES: tuple[tuple[str, str, Callable[[Store, Shard], Array]], ...] = (
    ("positive-score", "positive_score", _positive_score),
    ("positive-rank", "positive_rank", _positive_rank),
    ("negative-score", "negative_score", _highest_negative_score),
    ("language-confidence", "language_confidence", _confidence),
)
"""Filter, its setting, and what reads its numbers, one for each row of a shard."""
