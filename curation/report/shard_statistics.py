"""One pass over all rows, a shard at a time: text lengths, declared languages, and a fair draw of rows to show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.build import Shard, StepResult
from open_ml_embed.core.array_types import I64, U64, Mask
from open_ml_embed.core.row_keys import row_keys
from open_ml_embed.core.store import Store

BINS_PER_DECADE = 20
EDGES: I64 = np.unique(np.ceil(10 ** (np.arange(8 * BINS_PER_DECADE) / BINS_PER_DECADE)).astype(np.int64))
"""Smallest length in characters of each bin: single lengths up to 9, a twentieth of a decade (12 %) from there."""
DRAWN_PER_SOURCE = 8


@dataclass(frozen=True, order=True)
class Place:
    """Where a row stands; the order is that of the row ids, which are hashes: the first few are a fair draw."""

    key: int
    source: str
    subset: str
    path: str
    index: int


@dataclass
class Lengths:
    """Lengths of one side of a source's rows, in characters: counts int64[len(EDGES)]."""

    counts: I64 = field(default_factory=lambda: np.zeros(len(EDGES), np.int64))
    total: int = 0
    longest: int = 0

    def add(self, texts: pa.Array | pa.ChunkedArray) -> None:
        """Count the texts of one column."""
        lengths = pc.utf8_length(texts).to_numpy()
        if len(lengths):
            bins = np.searchsorted(EDGES, lengths, side="right") - 1
            self.counts += np.bincount(np.maximum(bins, 0), minlength=len(EDGES))
            self.total += int(lengths.sum(dtype=np.int64))
            self.longest = max(self.longest, int(lengths.max()))

    def quantile(self, share: float) -> int:
        """Return the lower edge of the bin that holds this quantile."""
        reached = np.cumsum(self.counts)
        return int(EDGES[np.searchsorted(reached, share * reached[-1])]) if reached[-1] else 0

    @property
    def mean(self) -> float:
        """Mean length."""
        return self.total / max(int(self.counts.sum()), 1)


@dataclass
class SourceSurvey:
    """What one pass over the rows of a source tells."""

    rows: int = 0
    query: Lengths = field(default_factory=Lengths)
    positive: Lengths = field(default_factory=Lengths)
    tags: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(query_lang, positive_lang) → rows."""
    given: int = 0
    """Negatives that the source itself gives."""
    drawn: list[Place] = field(default_factory=list)


def survey(store: Store, rows: StepResult) -> dict[str, SourceSurvey]:
    """Read every rows shard once; memory is bounded by the largest shard."""
    found: dict[str, SourceSurvey] = {}
    columns = ["row_id", "query", "positive", "negatives", "query_lang", "positive_lang"]
    for shard in rows.shards:
        table = store.read_table(f"rows/{shard.path}.rows.arrow", columns)
        of_source = found.setdefault(shard.source, SourceSurvey())
        of_source.rows += table.num_rows
        of_source.query.add(table["query"])
        of_source.positive.add(table["positive"])
        of_source.given += int(pc.sum(pc.list_value_length(table["negatives"])).as_py() or 0)
        of_source.tags.update(_tag_pairs(table))
        of_source.drawn = sorted(of_source.drawn + lowest(row_keys(table), shard))[:DRAWN_PER_SOURCE]
    return dict(sorted(found.items()))


def lowest(keys: U64, shard: Shard, among: Mask | None = None) -> list[Place]:
    """Return the rows of a shard with the lowest keys: the same whatever the shard size."""
    rows = np.arange(len(keys)) if among is None else np.flatnonzero(among)
    if len(rows) > DRAWN_PER_SOURCE:
        rows = rows[np.argpartition(keys[rows], DRAWN_PER_SOURCE)[:DRAWN_PER_SOURCE]]
    return sorted(Place(int(keys[i]), shard.source, shard.subset, shard.path, int(i)) for i in rows)


def _tag_pairs(table: pa.Table) -> dict[tuple[str, str], int]:
    groups = table.select(["query_lang", "positive_lang"]).group_by(["query_lang", "positive_lang"])
    counted = groups.aggregate([([], "count_all")]).to_pydict()
    pairs = zip(counted["query_lang"], counted["positive_lang"], strict=True)
    return dict(sorted(zip(pairs, counted["count_all"], strict=True)))
