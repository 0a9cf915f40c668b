"""One pass over all rows, pool by pool: text lengths, declared languages, and a draw of example rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.build import Shard, StepResult
from curation.report.labels import Label, label_of
from open_ml_embed.core.array_types import I64, U8, U64, Mask
from open_ml_embed.core.row_keys import row_keys
from open_ml_embed.core.store import Store

BINS_PER_DECADE = 20
EDGES: I64 = np.unique(np.ceil(10 ** (np.arange(8 * BINS_PER_DECADE) / BINS_PER_DECADE)).astype(np.int64))
"""Smallest length in characters of each bin: one length per bin up to 9, then 20 bins per decade (12 % each)."""
DRAWN_PER_SOURCE = 8
"""Example rows that are drawn from each source."""
DRAWN_PER_VERDICT = 2
"""Example rows that are drawn from each source for each verdict of each mix."""

VerdictsOf = Callable[[str, str], Mapping[str, U8]]
"""Source, subset → mix → verdicts on the rows, uint8[rows], as `curation.mixing.step.select` numbers them."""


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
    drawn: list[Place] = field(default_factory=list)
    """Example rows, sorted by row id."""
    of_label: dict[Label, Place] = field(default_factory=dict)
    """Language → the example row with the lowest id."""
    of_verdict: dict[tuple[str, int], list[Place]] = field(default_factory=dict)
    """(mix, verdict) → example rows, sorted by row id."""


def survey(
    store: Store, rows: StepResult, verdicts_of: VerdictsOf | None = None, drawn: int = 0
) -> dict[str, SourceSurvey]:
    """Read every rows shard once and return source → statistics; memory is bounded by the largest shard.

    Args:
        store: of the build.
        rows: result of step `normalize`.
        verdicts_of: the verdicts of the mixes on the rows of a pool; null: no row is drawn by verdict.
        drawn: example rows of each source; `DRAWN_PER_SOURCE` at least.

    """
    surveys: dict[str, SourceSurvey] = {}
    for (source, subset), shards in rows.by_pool().items():
        verdicts = verdicts_of(source, subset) if verdicts_of else {}
        start = 0
        of_source = surveys.setdefault(source, SourceSurvey())
        for shard in shards:
            here = {mix: array[start : start + shard.rows] for mix, array in verdicts.items()}
            _add(of_source, store, shard, here, max(drawn, DRAWN_PER_SOURCE))
            start += shard.rows
    return dict(sorted(surveys.items()))


def _add(of_source: SourceSurvey, store: Store, shard: Shard, verdicts: Mapping[str, U8], drawn: int) -> None:
    columns = ["row_id", "query", "positive", "query_lang", "positive_lang"]
    table = store.read_table(f"rows/{shard.path}.rows.arrow", columns)
    of_source.rows += table.num_rows
    of_source.query.add(table["query"])
    of_source.positive.add(table["positive"])
    keys = row_keys(table)
    numbers, pairs = tag_pairs(table)
    of_source.tags.update(dict(zip(pairs, np.bincount(numbers, minlength=len(pairs)).tolist(), strict=True)))
    of_source.drawn = _lowest(of_source.drawn + lowest(keys, shard, most=drawn), drawn)
    for number, place in _first_of_each(keys, numbers, shard):
        label = label_of(*pairs[number])
        of_source.of_label[label] = min(of_source.of_label.get(label, place), place)
    for mix, verdict in verdicts.items():
        for value in np.unique(verdict).tolist():
            found = lowest(keys, shard, verdict == value, DRAWN_PER_VERDICT)
            known = of_source.of_verdict.get((mix, value), [])
            of_source.of_verdict[mix, value] = _lowest(known + found, DRAWN_PER_VERDICT)


def lowest(keys: U64, shard: Shard, among: Mask | None = None, most: int = DRAWN_PER_SOURCE) -> list[Place]:
    """Return the locations of the rows with the lowest keys; over all shards, they do not depend on the shard size.

    Args:
        keys: uint64[n], keys of the shard's rows.
        shard: of the rows.
        among: bool[n], which rows to consider; null: all.
        most: number of rows.

    """
    rows = np.arange(len(keys)) if among is None else np.flatnonzero(among)
    if len(rows) > most:
        rows = rows[np.argpartition(keys[rows], most)[:most]]
    return sorted(Place(int(keys[i]), shard.source, shard.subset, shard.path, int(i)) for i in rows)


def _lowest(places: list[Place], most: int) -> list[Place]:
    return sorted(places)[:most]


def _first_of_each(keys: U64, numbers: I64, shard: Shard) -> Iterable[tuple[int, Place]]:
    """Yield (number, location of the row with the lowest key) for each number that rows have."""
    order = np.lexsort((keys, numbers))
    found, first = np.unique(numbers[order], return_index=True)
    for number, i in zip(found.tolist(), order[first].tolist(), strict=True):
        yield number, Place(int(keys[i]), shard.source, shard.subset, shard.path, i)


def tag_pairs(table: pa.Table) -> tuple[I64, list[tuple[str, str]]]:
    """Number the pairs of tags (query_lang, positive_lang) of rows: int64[n], and the pair of each number, sorted."""
    sides = [table[name].combine_chunks().dictionary_encode() for name in ("query_lang", "positive_lang")]
    width = max(len(sides[1].dictionary), 1)
    codes = sides[0].indices.to_numpy().astype(np.int64) * width + sides[1].indices.to_numpy()
    found, numbers = np.unique(codes, return_inverse=True)
    pairs = [(sides[0].dictionary[int(c) // width].as_py(), sides[1].dictionary[int(c) % width].as_py()) for c in found]
    order = sorted(range(len(pairs)), key=pairs.__getitem__)
    rank = np.empty(len(pairs), np.int64)
    rank[order] = np.arange(len(pairs))
    return rank[numbers] if pairs else np.zeros(0, np.int64), [pairs[i] for i in order]
