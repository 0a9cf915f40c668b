"""Example rows of the report: those with the lowest row ids, shortened, with differing words marked.

Texts are not escaped here; the template escapes all of them.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.build import Build, StepResult
from curation.dedup.minhash import jaccard
from curation.dedup.settings import DedupSettings
from curation.mining.negatives import ORIGINS
from curation.report.shard_statistics import Place, SourceSurvey, lowest
from curation.report.statistics import Inputs
from curation.tables.pools import documents_of
from open_ml_embed.core.row_keys import row_keys
from open_ml_embed.core.store import Store
from open_ml_embed.core.text.tokens import tokenize

CHARS = 200
"""Characters of a text that are shown."""
BEFORE = 60
"""Characters that are shown before the first difference of two texts."""
ROWS_PER_SOURCE = 2
PAIRS = 5
"""Near-duplicate pairs."""
CLUSTERS = 5
"""Largest clusters."""
NEGATIVE_ROWS = 6
"""Rows with negatives."""
NEGATIVES_PER_ROW = 3

Marked = list[tuple[str, bool]]
"""Pieces of a text: (piece, whether it differs from the other text)."""


def cut(text: str) -> str:
    """Shorten a text to `CHARS` characters."""
    return text if len(text) <= CHARS else text[:CHARS].rstrip() + "…"


def read_rows(store: Store, places: list[Place]) -> list[dict[str, Any]]:
    """Read all columns of rows, in the order of `places`; every shard is opened once."""
    row_at: dict[Place, dict[str, Any]] = {}
    for path in sorted({place.path for place in places}):
        places_of_shard = sorted((place for place in places if place.path == path), key=lambda place: place.index)
        table = store.read_rows(f"rows/{path}.rows.arrow", np.array([place.index for place in places_of_shard]))
        row_at |= dict(zip(places_of_shard, table.to_pylist(), strict=True))
    return [row_at[place] for place in places]


def example_rows(store: Store, surveys: dict[str, SourceSurvey]) -> dict[str, list[dict[str, Any]]]:
    """Return a few rows of each source."""
    return {
        source: read_rows(store, source_survey.drawn[:ROWS_PER_SOURCE]) for source, source_survey in surveys.items()
    }


@dataclass(frozen=True)
class Compared:
    """One field of a dropped row and of the kept row, with the differing words marked."""

    name: str
    language: str | None
    similarity: float
    """Jaccard index of the shingles; 1 if the texts differ only in case and white space."""
    dropped: Marked
    kept: Marked

    @property
    def same(self) -> bool:
        """Tell whether the texts do not differ."""
        return not any(differs for _, differs in (*self.dropped, *self.kept))


@dataclass(frozen=True)
class Pair:
    """A near-duplicate row, and the row that is kept for its cluster."""

    dropped: Place
    kept: Place
    fields: list[Compared]

    @property
    def similarity(self) -> float:
        """The lower Jaccard index of the two sides; it is never below the threshold."""
        return min(field.similarity for field in self.fields)


@dataclass(frozen=True)
class LargeCluster:
    """One of the largest clusters: its number of rows, and the row that is kept."""

    rows: int
    kept: Place
    query: str
    positive: str


@dataclass(frozen=True)
class Duplicates:
    """Examples of duplicates: near-duplicate pairs, and the largest clusters."""

    pairs: list[Pair]
    largest: list[LargeCluster]


def duplicates(store: Store, inputs: Inputs, settings: DedupSettings) -> Duplicates:
    """Draw near-duplicate pairs, spread over the sources, and find the largest clusters.

    Args:
        store: of the build.
        inputs: results of the steps; `dedup` must have been run.
        settings: of step `dedup`.

    """
    assert inputs.dedup is not None, "asked for only where dedup has run"
    drawn: dict[str, list[Place]] = {}
    dropped = [np.zeros(0, np.int64)]
    for shard in inputs.dedup.shards:
        table = store.read_table(f"clusters/{shard.path}.clusters.arrow", ["keep", "reason", "sample_cluster"])
        dropped.append(table.filter(pc.invert(table["keep"]))["sample_cluster"].to_numpy())
        near = pc.equal(table["reason"], "near-duplicate").fill_null(fill_value=False).to_numpy()
        if near.any():
            keys = row_keys(store.read_table(f"rows/{shard.path}.rows.arrow", ["row_id"]))
            drawn[shard.source] = sorted(drawn.get(shard.source, []) + lowest(keys, shard, near))[:PAIRS]
    rounds = zip_longest(*(drawn[source] for source in sorted(drawn)))
    shown = [place for of_round in rounds for place in of_round if place is not None][:PAIRS]
    numbers, counts = np.unique(np.concatenate(dropped), return_counts=True)
    largest = np.lexsort((numbers, -counts))[:CLUSTERS]
    cluster_of = _clusters_of(store, shown)
    kept = _kept_rows(store, inputs.dedup, {*cluster_of.values(), *numbers[largest].tolist()})
    pairs = [_pair(store, inputs, settings, place, kept[cluster_of[place]]) for place in shown]
    clusters = []
    for i in largest:
        place = kept[int(numbers[i])]
        (row,) = read_rows(store, [place])
        clusters.append(LargeCluster(int(counts[i]) + 1, place, cut(row["query"]), cut(row["positive"])))
    return Duplicates(pairs, clusters)


def _clusters_of(store: Store, places: list[Place]) -> dict[Place, int]:
    cluster_of = {}
    for place in places:
        table = store.read_table(f"clusters/{place.path}.clusters.arrow", ["sample_cluster"])
        cluster_of[place] = table["sample_cluster"][place.index].as_py()
    return cluster_of


def _kept_rows(store: Store, dedup: StepResult, numbers: set[int]) -> dict[int, Place]:
    """Find the kept row of each of these clusters; return cluster → location."""
    clusters = pa.array(sorted(numbers), pa.int64())
    kept: dict[int, Place] = {}
    for shard in dedup.shards if numbers else ():
        table = store.read_table(f"clusters/{shard.path}.clusters.arrow", ["keep", "sample_cluster"])
        chosen = pc.and_(table["keep"], pc.is_in(table["sample_cluster"], value_set=clusters)).to_numpy()
        for i in np.flatnonzero(chosen).tolist():
            kept[table["sample_cluster"][i].as_py()] = Place(0, shard.source, shard.subset, shard.path, i)
    return kept


def _pair(store: Store, inputs: Inputs, settings: DedupSettings, dropped: Place, kept: Place) -> Pair:
    rows = read_rows(store, [dropped, kept])
    family = inputs.manifests[dropped.source].family
    compared = ("query", "positive") if family == "retrieval" else ("query", "label")
    fields = []
    for name in compared:
        texts = [row[name] or "" for row in rows]
        similarity = _similarity(texts, settings.shingle)
        fields.append(Compared(name, rows[0].get(f"{name}_lang"), similarity, *mark(*texts)))
    return Pair(dropped, kept, fields)


def _similarity(texts: list[str], shingle: int) -> float:
    tokens = tokenize(pa.array(texts, pa.large_string()))
    if tokens.exact[0] == tokens.exact[1]:
        return 1.0
    if (np.diff(tokens.offsets) < shingle).any():
        return 0.0
    return float(jaccard(tokens, np.array([0]), np.array([1]), shingle)[0])


def mark(left: str, right: str) -> tuple[Marked, Marked]:
    """Shorten two texts to the part around their first difference, and mark the words that differ.

    >>> mark("a b c", "a d c")
    ([('a ', False), ('b', True), (' c', False)], [('a ', False), ('d', True), (' c', False)])
    """
    shorter = min(len(left), len(right))
    first_difference = next((i for i in range(shorter) if left[i] != right[i]), shorter)
    start = max(0, first_difference - BEFORE) if max(len(left), len(right)) > CHARS else 0
    ellipsis = "…" if start else ""
    before, after = (re.findall(r"\w+|\W", ellipsis + cut(text[start:])) for text in (left, right))
    result: tuple[Marked, Marked] = ([], [])
    for kind, i, j, k, m in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for pieces, words in zip(result, (before[i:j], after[k:m]), strict=True):
            if words:
                pieces.append(("".join(words), kind != "equal"))
    return result


@dataclass(frozen=True)
class MinedRow:
    """A row and some of its negatives, as (origin, text) pairs."""

    source: str
    subset: str
    query: str
    positive: str
    query_lang: str
    positive_lang: str
    negatives: list[tuple[str, str]]


def mined_rows(build: Build, surveys: dict[str, SourceSurvey]) -> list[MinedRow]:
    """Draw one row with negatives from each of the largest sources."""
    rows: list[MinedRow] = []
    for source in sorted(surveys, key=lambda name: (-surveys[name].rows, name)):
        example = _mined_row(build, surveys[source].drawn)
        if example is not None:
            rows.append(example)
        if len(rows) == NEGATIVE_ROWS:
            break
    return rows


def _mined_row(build: Build, drawn: list[Place]) -> MinedRow | None:
    """Return the first of the drawn rows that has negatives, with its first few negatives; null if none has."""
    for place in drawn:
        mined = build.store.read_table(f"negatives/{place.path}.negatives.arrow", ["negatives", "origins"])
        line = mined.slice(place.index, 1).to_pylist()[0]
        if line["negatives"]:
            (row,) = read_rows(build.store, [place])
            numbers = np.array(line["negatives"][:NEGATIVES_PER_ROW], np.int32)
            negative_texts = documents_of(build, place.source, place.subset).texts(numbers).to_pylist()
            shown = [
                (ORIGINS[origin], cut(text)) for origin, text in zip(line["origins"], negative_texts, strict=False)
            ]
            texts, tags = ((cut(row["query"]), cut(row["positive"])), (row["query_lang"], row["positive_lang"]))
            return MinedRow(place.source, place.subset, *texts, *tags, shown)
    return None
