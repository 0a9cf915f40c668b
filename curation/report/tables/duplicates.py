"""Tables on duplicates: counts, which source repeats which, and examples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.dedup.minhash import jaccard
from curation.report.inputs import Inputs
from curation.report.rows_at import cut, mark, read_rows
from curation.report.shard_statistics import Place, lowest
from curation.report.tables.form import Column, Form, ReportTable, share
from open_ml_embed.core.array_types import I64, Array
from open_ml_embed.core.row_keys import row_keys
from open_ml_embed.core.text.tokens import tokenize

PAIRS = 5
"""Near-duplicate pairs that are shown."""
CLUSTERS = 5
"""Largest clusters that are shown."""
_SOURCE = Column("source", "name", "Name of the source.")

DUPLICATES = Form(
    "duplicates",
    "dedup",
    "Duplicates over all sources: of samples, of queries, of documents.",
    ("of",),
    (
        Column("of", "name", "sample (both sides of a row), query or document (positives and given negatives)."),
        Column("rows", "count", "Samples or texts."),
        Column("clusters", "count", "Clusters."),
        Column("exact_duplicates", "count", "Equal to an earlier one after folding."),
        Column("near_duplicates", "count", "Similar to a kept one, verified by the texts."),
        Column("candidate_pairs", "count", "Pairs that share a band; null for samples."),
        Column("verified_pairs", "count", "Of these, pairs at the threshold or above; null for samples."),
        Column("compared", "count", "Samples that share the clusters of both sides with another; null for texts."),
    ),
)
SOURCE_DUPLICATES = Form(
    "source_duplicates",
    "dedup",
    "Rows that repeat a kept row of any source: a row for each source, the largest share first.",
    ("source",),
    (
        _SOURCE,
        Column("rows", "count", "Its rows."),
        Column("exact", "count", "Exact duplicates."),
        Column("near", "count", "Near-duplicates."),
        Column("share", "share", "Both as a share of its rows."),
    ),
)
MATRIX = Form(
    "duplicate_matrix",
    "dedup",
    "Which source repeats which: a row for each source and source of the rows kept for it, the most first.",
    ("source", "kept_in"),
    (
        _SOURCE,
        Column("kept_in", "name", "Source of the row that is kept."),
        Column("exact", "count", "Exact duplicates."),
        Column("near", "count", "Near-duplicates."),
        Column("duplicates", "count", "Both."),
        Column("share", "share", "Both as a share of the rows of the source with the duplicates."),
    ),
)
MERGES = Form(
    "merges",
    "dedup",
    "What kept rows took over from their duplicates; one row.",
    (),
    (
        Column("merged", "count", "Duplicates whose sources, wordings and negatives a kept row carries."),
        Column("across_sources", "count", "Of these, from another source than the kept row."),
    ),
)
NEAR = Form(
    "near_duplicates",
    "dedup",
    "Examples of near-duplicates: a row for each pair and field, those with the lowest row ids.",
    ("pair", "field"),
    (
        Column("pair", "count", "Number of the pair."),
        _SOURCE,
        Column("subset", "name", "Subset of the row left out."),
        Column("kept_in", "name", "Source of the row that is kept."),
        Column("field", "name", "query, positive or label."),
        Column("language", "tag", "Tag of the field; null for labels."),
        Column("similarity", "score", "Jaccard index of the shingles; 1: equal but for case and white space."),
        Column("left_out", "text", "Text of the row left out."),
        Column("kept", "text", "Text of the kept row."),
        Column("marks", "text", "JSON: pieces of both texts, each with whether it differs."),
    ),
)
LARGEST = Form(
    "largest_clusters",
    "dedup",
    "The largest clusters of samples.",
    ("number",),
    (
        Column("number", "count", "From 1 on."),
        Column("rows", "count", "Rows of the cluster, the kept one included."),
        Column("kept_in", "name", "Source of the kept row."),
        Column("query", "text", "Its query."),
        Column("positive", "text", "Its positive."),
    ),
)
FORMS = (DUPLICATES, SOURCE_DUPLICATES, MATRIX, MERGES, NEAR, LARGEST)


def fill(inputs: Inputs) -> Iterator[ReportTable]:
    """Fill the tables of this module; they are empty if step `dedup` has not run."""
    stats = inputs.dedup.stats if inputs.dedup else {}
    yield DUPLICATES.fill(
        (
            of,
            n["rows"],
            n["clusters"],
            n["exact_duplicates"],
            n["near_duplicates"],
            n.get("candidate_pairs"),
            n.get("verified_pairs"),
            n.get("compared"),
        )
        for of in ("sample", "query", "document")
        if (n := stats.get(of))
    )
    by_source = [
        (
            source,
            n["rows"],
            n["exact_duplicates"],
            n["near_duplicates"],
            share(n["exact_duplicates"] + n["near_duplicates"], n["rows"]),
        )
        for source, n in stats.get("sources", {}).items()
    ]
    yield SOURCE_DUPLICATES.fill(sorted(by_source, key=lambda row: (-(row[4] or 0.0), -row[2] - row[3], row[0])))
    dropped = _read(inputs)
    yield MATRIX.fill(_matrix(inputs, dropped))
    yield MERGES.fill([(stats["merges"]["merged"], stats["merges"]["across_sources"])] if stats else [])
    yield NEAR.fill(_pairs(inputs, dropped))
    yield LARGEST.fill(_largest(inputs, dropped))


@dataclass(frozen=True)
class _Dropped:
    """Rows left out as duplicates, and the kept rows of their clusters.

    Attributes:
        sources: of the build, by number.
        cluster: int64[n], cluster of each row left out.
        source: int16[n], number of its source.
        near: bool[n], whether it is a near-duplicate.
        kept_in: int16[n], number of the source of the kept row.
        drawn: near-duplicates that are shown.
        cluster_of: place of these → cluster.
        kept: cluster → place of the kept row, for the clusters that are shown.
        largest: (cluster, rows) of the largest clusters.

    """

    sources: list[str]
    cluster: I64
    source: Array
    near: Array
    kept_in: Array
    drawn: list[Place]
    cluster_of: dict[Place, int]
    kept: dict[int, Place]
    largest: list[tuple[int, int]]


def _read(inputs: Inputs) -> _Dropped:
    """Read the clusters of all rows twice: first the rows left out, then the kept rows of their clusters."""
    shards = inputs.dedup.shards if inputs.dedup else []
    store, names = inputs.build.store, sorted({shard.source for shard in shards})
    parts: list[tuple[Array, Array, Array]] = [(np.zeros(0, np.int64), np.zeros(0, np.int16), np.zeros(0, bool))]
    drawn: dict[str, list[tuple[Place, int]]] = {}
    for shard in shards:
        table = store.read_table(f"clusters/{shard.path}.clusters.arrow", ["keep", "reason", "sample_cluster"])
        out = ~table["keep"].to_numpy()
        near = pc.equal(table["reason"], "near-duplicate").fill_null(fill_value=False).to_numpy()
        clusters = table["sample_cluster"].to_numpy()
        parts.append((clusters[out], np.full(out.sum(), names.index(shard.source), np.int16), near[out]))
        if near.any():
            keys = row_keys(store.read_table(f"rows/{shard.path}.rows.arrow", ["row_id"]))
            found = [(place, int(clusters[place.index])) for place in lowest(keys, shard, near)]
            drawn[shard.source] = sorted(drawn.get(shard.source, []) + found)[:PAIRS]
    cluster, source, near = (np.concatenate(column) for column in zip(*parts, strict=True))
    rounds = zip_longest(*(drawn[name] for name in sorted(drawn)))
    shown = dict([pair for of_round in rounds for pair in of_round if pair is not None][:PAIRS])
    numbers, counts = np.unique(cluster, return_counts=True)
    order = np.lexsort((numbers, -counts))[:CLUSTERS]
    largest = [(int(numbers[i]), int(counts[i]) + 1) for i in order]
    owner, kept = np.full(len(numbers), -1, np.int16), {}
    wanted = {*shown.values(), *(number for number, _ in largest)}
    for shard in shards if len(numbers) else ():
        table = store.read_table(f"clusters/{shard.path}.clusters.arrow", ["keep", "sample_cluster"])
        clusters = table["sample_cluster"].to_numpy()
        at = np.minimum(np.searchsorted(numbers, clusters), len(numbers) - 1)
        chosen = np.flatnonzero(table["keep"].to_numpy() & (numbers[at] == clusters))
        owner[at[chosen]] = names.index(shard.source)
        for i in chosen[np.isin(clusters[chosen], list(wanted))].tolist():
            kept[int(clusters[i])] = Place(0, shard.source, shard.subset, shard.path, i)
    kept_in = owner[np.searchsorted(numbers, cluster)]
    return _Dropped(names, cluster, source, near, kept_in, list(shown), shown, kept, largest)


def _matrix(inputs: Inputs, dropped: _Dropped) -> Sequence[tuple[object, ...]]:
    width = max(len(dropped.sources), 1)
    codes = (dropped.source.astype(np.int64) * width + dropped.kept_in) * 2 + dropped.near
    counts: dict[tuple[int, int], list[int]] = {}
    for code, n in zip(*(a.tolist() for a in np.unique(codes, return_counts=True)), strict=True):
        counts.setdefault(divmod(code // 2, width), [0, 0])[code % 2] += n
    rows: list[tuple[str, str, int, int, int, float | None]] = []
    for (source, kept_in), (exact, near) in counts.items():
        name = dropped.sources[source]
        of = inputs.rows.stats["sources"][name]["rows"]
        rows.append((name, dropped.sources[kept_in], exact, near, exact + near, share(exact + near, of)))
    return sorted(rows, key=lambda row: (-row[4], row[0], row[1]))


def _pairs(inputs: Inputs, dropped: _Dropped) -> Iterator[tuple[object, ...]]:
    settings = inputs.build.profile.dedup
    for number, place in enumerate(dropped.drawn, 1):
        kept = dropped.kept[dropped.cluster_of[place]]
        rows = read_rows(inputs.build.store, [place, kept])
        family = inputs.manifests[place.source].family
        for name in ("query", "positive") if family == "retrieval" else ("query", "label"):
            texts = [row[name] or "" for row in rows]
            marks = mark(*texts)
            shown = ["".join(piece for piece, _ in pieces) for pieces in marks]
            yield (
                number,
                place.source,
                place.subset,
                kept.source,
                name,
                rows[0].get(f"{name}_lang"),
                round(_similarity(texts, settings.shingle), 6),
                *shown,
                json.dumps(marks, ensure_ascii=False),
            )


def _largest(inputs: Inputs, dropped: _Dropped) -> Iterator[tuple[object, ...]]:
    for number, (cluster, rows) in enumerate(dropped.largest, 1):
        (row,) = read_rows(inputs.build.store, [dropped.kept[cluster]])
        yield number, rows, dropped.kept[cluster].source, cut(row["query"]), cut(row["positive"])


def _similarity(texts: list[str], shingle: int) -> float:
    tokens = tokenize(pa.array(texts, pa.large_string()))
    if tokens.exact[0] == tokens.exact[1]:
        return 1.0
    if (np.diff(tokens.offsets) < shingle).any():
        return 0.0
    return float(jaccard(tokens, np.array([0]), np.array([1]), shingle)[0])
