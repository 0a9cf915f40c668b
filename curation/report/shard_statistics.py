"""One pass over all rows, shard by shard: text lengths, declared languages, and a random sample of example rows."""

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
"""Smallest length in characters of each bin: one length per bin up to 9, then 20 bins per decade (12 % each)."""
DRAWN_PER_SOURCE = 8
"""Example rows that are drawn from each source."""


@dataclass(frozen=True, order=True)
class Place:
    """Location of a row. Locations sort by row id; row ids are hashes, so the first few rows are a random sample."""

    key: int
    source: str
    subset: str
    path: str
    index: int


@dataclass
class Lengths:
    """Text lengths of one side of a source's rows, in characters."""

    counts: I64 = field(default_factory=lambda: np.zeros(len(EDGES), np.int64))
    """int64[len(EDGES)], texts of each bin."""
    total: int = 0
    longest: int = 0

    def add(self, texts: pa.Array | pa.ChunkedArray) -> None:
        """Count the lengths of a column of texts."""
        lengths = pc.utf8_length(texts).to_numpy()
        if len(lengths):
            bins = np.searchsorted(EDGES, lengths, side="right") - 1
            self.counts += np.bincount(np.maximum(bins, 0), minlength=len(EDGES))
            self.total += int(lengths.sum(dtype=np.int64))
            self.longest = max(self.longest, int(lengths.max()))

    def quantile(self, share: float) -> int:
        """Return the lower edge of the bin that holds a quantile; `share` is between 0 and 1."""
        cumulative = np.cumsum(self.counts)
        return int(EDGES[np.searchsorted(cumulative, share * cumulative[-1])]) if cumulative[-1] else 0

    @property
    def mean(self) -> float:
        """Mean length in characters; 0 without texts."""
        return self.total / max(int(self.counts.sum()), 1)


@dataclass
class SourceSurvey:
    """Statistics and example rows of a source."""

    rows: int = 0
    query: Lengths = field(default_factory=Lengths)
    positive: Lengths = field(default_factory=Lengths)
    tags: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(query_lang, positive_lang) → rows."""
    given: int = 0
    """Number of given negatives."""
    drawn: list[Place] = field(default_factory=list)
    """Example rows, sorted by row id."""


def survey(store: Store, rows: StepResult) -> dict[str, SourceSurvey]:
    """Read every rows shard once and return source → statistics; memory is bounded by the largest shard."""
    surveys: dict[str, SourceSurvey] = {}
    columns = ["row_id", "query", "positive", "negatives", "query_lang", "positive_lang"]
    for shard in rows.shards:
        table = store.read_table(f"rows/{shard.path}.rows.arrow", columns)
        source_survey = surveys.setdefault(shard.source, SourceSurvey())
        source_survey.rows += table.num_rows
        source_survey.query.add(table["query"])
        source_survey.positive.add(table["positive"])
        source_survey.given += int(pc.sum(pc.list_value_length(table["negatives"])).as_py() or 0)
        source_survey.tags.update(_tag_pairs(table))
        source_survey.drawn = sorted(source_survey.drawn + lowest(row_keys(table), shard))[:DRAWN_PER_SOURCE]
    return dict(sorted(surveys.items()))


def lowest(keys: U64, shard: Shard, among: Mask | None = None) -> list[Place]:
    """Return the locations of the rows with the lowest keys; over all shards, they do not depend on the shard size.

    Args:
        keys: uint64[n], keys of the shard's rows.
        shard: of the rows.
        among: bool[n], which rows to consider; null: all.

    """
    rows = np.arange(len(keys)) if among is None else np.flatnonzero(among)
    if len(rows) > DRAWN_PER_SOURCE:
        rows = rows[np.argpartition(keys[rows], DRAWN_PER_SOURCE)[:DRAWN_PER_SOURCE]]
    return sorted(Place(int(keys[i]), shard.source, shard.subset, shard.path, int(i)) for i in rows)


def _tag_pairs(table: pa.Table) -> dict[tuple[str, str], int]:
    groups = table.select(["query_lang", "positive_lang"]).group_by(["query_lang", "positive_lang"])
    counted = groups.aggregate([([], "count_all")]).to_pydict()
    pairs = zip(counted["query_lang"], counted["positive_lang"], strict=True)
    return dict(sorted(zip(pairs, counted["count_all"], strict=True)))
