"""The report's section on negatives: origins, rejected candidates by reason, and the teacher's scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from curation.build import Build
from curation.mining.negatives import ORIGINS, REASONS
from curation.mining.step.pools import Collect
from curation.report import charts
from curation.report.examples import MinedRow, cut, mined_rows
from curation.report.shard_statistics import SourceSurvey
from curation.report.statistics import Inputs
from curation.tables.pools import pools_of, read_texts


@dataclass(frozen=True)
class SourceNegatives:
    """The negatives of one source's rows.

    Attributes:
        source: name.
        rows: number of rows.
        origins: number of negatives of each of `ORIGINS`.
        short: rows with fewer negatives than the profile sets.
        none: rows without negatives.
        ranked: rows whose positive has a rank.
        first: rows whose positive is ranked first.
        ten: rows whose positive is among the first ten.
        beyond: rows whose positive is below all retrieved candidates.

    """

    source: str
    rows: int
    origins: dict[str, int]
    short: int
    none: int
    ranked: int
    first: int
    ten: int
    beyond: int


@dataclass(frozen=True)
class RejectedExample:
    """A rejected candidate."""

    reason: str
    query: str
    document: str
    score: float
    positive_score: float | None


@dataclass(frozen=True)
class PoolRejections:
    """Rejected candidates of one pool; `recall` is that of an approximate search, otherwise 1 or null."""

    name: str
    sources: list[str]
    queries: int
    documents: int
    candidates: int
    rejected: dict[str, int]
    recall: float | None
    examples: list[RejectedExample]


@dataclass(frozen=True)
class NegativesSection:
    """Content of the section."""

    settings: dict[str, Any]
    sources: list[SourceNegatives]
    origins: list[str]
    pools: list[PoolRejections]
    reasons: list[str]
    chart: Markup | None
    rows: list[MinedRow]


def negatives_section(build: Build, inputs: Inputs, surveys: dict[str, SourceSurvey]) -> NegativesSection:
    """Build the section; step `mine` must have been run."""
    assert inputs.mined is not None, "asked for only where mine has run"
    stats = inputs.mined.stats
    sources = [_source(name, entry, stats["settings"]["range_max"]) for name, entry in stats["sources"].items()]
    pools = _pools(build, inputs)
    score_counts = {
        name: (entry["positive_scores"], entry["negative_scores"])
        for name, entry in stats["sources"].items()
        if entry["positive_scores"]
    }
    return NegativesSection(
        stats["settings"],
        sources,
        [o for o in ORIGINS if any(s.origins[o] for s in sources)],
        pools,
        [r for r in REASONS[1:] if any(p.rejected[r] for p in pools)],
        charts.score_chart(score_counts, stats["width"]) if score_counts else None,
        mined_rows(build, surveys),
    )


def _source(name: str, entry: dict[str, Any], retrieved: int) -> SourceNegatives:
    ranks = {int(rank): count for rank, count in entry["ranks"].items()}

    def within(first: int, last: int) -> int:
        return sum(count for rank, count in ranks.items() if first <= rank <= last)

    ranked = within(0, retrieved)
    return SourceNegatives(
        name,
        entry["rows"],
        entry["origins"],
        entry["short"],
        entry["none"],
        ranked,
        within(0, 0),
        within(0, 9),
        within(retrieved, retrieved),
    )


def _pools(build: Build, inputs: Inputs) -> list[PoolRejections]:
    assert inputs.mined is not None
    pools_by_name = pools_of(inputs.rows, build)
    results = []
    for name, entry in inputs.mined.stats["pools"].items():
        examples = []
        if entry["examples"]:
            stem = f"{Collect.name}/{name}"
            query_texts, queries, documents = (
                build.store.read_table(f"{stem}.{table}.arrow") for table in ("asked", "queries", "documents")
            )
            query, document, score, positive_score, reason = zip(*entry["examples"], strict=True)
            reference = pools_by_name[name].reference
            text_of = queries["text"].to_numpy()[np.array(query)]
            query_strings = read_texts(build.store, reference, query_texts, text_of, "query").to_pylist()
            document_strings = read_texts(build.store, reference, documents, np.array(document)).to_pylist()
            examples = [
                RejectedExample(*fields)
                for fields in zip(
                    reason, map(cut, query_strings), map(cut, document_strings), score, positive_score, strict=True
                )
            ]
        rejected = dict.fromkeys(REASONS, 0) | entry["rejected"]
        candidates = sum(rejected.values()) + entry.get("chosen", 0)
        results.append(
            PoolRejections(
                name,
                entry["sources"],
                entry["queries"],
                entry["documents"],
                candidates,
                rejected,
                entry["recall"],
                examples,
            )
        )
    return results
