"""Tables on negatives: where they come from, what was turned down and why, and the teacher's scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from curation.mining.masks import MASKS
from curation.mining.negatives import ORIGINS, REASONS
from curation.mining.step.pools import Collect
from curation.report.inputs import Inputs
from curation.report.labels import label_of
from curation.report.rows_at import cut
from curation.report.shard_statistics import tag_pairs
from curation.report.tables.form import Column, Form, ReportTable, share
from curation.report.tables.languages import english_name
from curation.tables.pools import pools_of, read_texts
from open_ml_embed.core.array_types import F64, I64

_SOURCE = Column("source", "name", "Name of the source.")
_POOL = Column("pool", "name", "Name of the pool: sources that are mined together.")
_FROM = {
    "given": "by the source",
    "mined": "found by the teacher",
    "class": "of another class",
    "random": "drawn from the pool",
    "relaxed": "found, turned down by a rule, and taken for want of others",
}

NEGATIVES = Form(
    "negatives",
    "mine",
    "Negatives of the rows of each source, and where the teacher places the positives.",
    ("source",),
    (
        _SOURCE,
        Column("rows", "count", "Its rows."),
        *(Column(origin, "count", f"Negatives {_FROM.get(origin, origin)}.") for origin in ORIGINS),
        Column("short", "count", "Rows with fewer negatives than the settings ask for."),
        Column("short_share", "share", "Their share of the rows."),
        Column("none", "count", "Rows without any."),
        Column("ranked", "count", "Rows whose positive the teacher can rank."),
        Column("first", "count", "Of these, rows whose positive is ranked first."),
        Column("first_share", "share", "Their share; null if none is ranked."),
        Column("in_ten", "count", "Rows whose positive is among the first ten."),
        Column("in_ten_share", "share", "Their share."),
        Column("beyond", "count", "Rows whose positive is below all retrieved candidates."),
        Column("beyond_share", "share", "Their share."),
    ),
)
POOLS = Form(
    "pools",
    "mine",
    "A row for each pool, by name.",
    ("pool",),
    (
        _POOL,
        Column("sources", "name", "Its sources, separated by commas."),
        Column("queries", "count", "Different queries."),
        Column("documents", "count", "Different documents."),
        Column("candidates", "count", "Candidates: those turned down and those chosen."),
        Column("chosen", "count", "Of these, taken as negatives; null where they are drawn from classes."),
        Column(
            "recall", "share", "Of an approximate search beside the exact one; 1: exact; null: nothing is searched."
        ),
    ),
)
TURNED_DOWN = Form(
    "turned_down",
    "mine",
    "Candidates turned down, by pool and reason. Masks come first and keep false negatives out; then the rules; those "
    "not needed passed all.",
    ("pool", "reason"),
    (
        _POOL,
        Column("reason", "name", "The first mask or rule that applies."),
        Column("kind", "name", "mask or rule."),
        Column("candidates", "count", "Candidates."),
        Column("share", "share", "Share of the candidates of the pool."),
    ),
)
TURNED_DOWN_EXAMPLES = Form(
    "turned_down_examples",
    "mine",
    "Some candidates that were turned down.",
    ("pool", "number"),
    (
        _POOL,
        Column("number", "count", "From 1 on within the pool."),
        Column("reason", "name", "Why."),
        Column("score", "score", "The teacher's score of the candidate."),
        Column("positive_score", "score", "Its score of the positive; null: unknown."),
        Column("query", "text", "Text of the query."),
        Column("candidate", "text", "Text of the candidate."),
    ),
)
SCORES = Form(
    "scores",
    "mine",
    "Distribution of the teacher's scores: a row for each source, side and bin with texts.",
    ("source", "side", "at_least"),
    (
        _SOURCE,
        Column("side", "name", "positive or negative."),
        Column("at_least", "score", "Lowest score of the bin."),
        Column("below", "score", "Lowest score of the next bin."),
        Column("texts", "count", "Rows, by the score of their positive; or negatives."),
    ),
)
LANGUAGE_SCORES = Form(
    "language_scores",
    "mine",
    "The teacher's scores by the language of the row (see `languages`), the most rows first.",
    ("kind", "code"),
    (
        Column("code", "tag", "ISO 639-3 code, or the name of a programming language."),
        Column("language", "name", "English name."),
        Column("kind", "name", "natural or programming."),
        Column("rows", "count", "Rows with this language."),
        Column("positives", "count", "Of these, rows whose positive has a score."),
        Column("positive_mean", "score", "Mean score of the positives; null without any."),
        Column("negatives", "count", "Negatives that have a score."),
        Column("negative_mean", "score", "Mean score of the negatives; null without any."),
        Column("gap", "score", "Difference of the means."),
    ),
)
FORMS = (NEGATIVES, POOLS, TURNED_DOWN, TURNED_DOWN_EXAMPLES, SCORES, LANGUAGE_SCORES)


def fill(inputs: Inputs) -> Iterator[ReportTable]:
    """Fill the tables of this module; they are empty if step `mine` has not run."""
    stats = inputs.mined.stats if inputs.mined else {"sources": {}, "pools": {}}
    most = stats["settings"]["range_max"] if inputs.mined else 0
    yield NEGATIVES.fill(_source(name, entry, most) for name, entry in stats["sources"].items())
    pools = {name: dict.fromkeys(REASONS[1:], 0) | entry["rejected"] for name, entry in stats["pools"].items()}
    candidates = {
        name: sum(pools[name].values()) + (entry.get("chosen") or 0) for name, entry in stats["pools"].items()
    }
    yield POOLS.fill(
        (name, ", ".join(e["sources"]), e["queries"], e["documents"], candidates[name], e.get("chosen"), e["recall"])
        for name, e in stats["pools"].items()
    )
    yield TURNED_DOWN.fill(
        (name, reason, "mask" if reason in MASKS else "rule", count, share(count, candidates[name]))
        for name, rejected in pools.items()
        for reason, count in rejected.items()
        if count
    )
    yield TURNED_DOWN_EXAMPLES.fill(_examples(inputs))
    yield SCORES.fill(
        (name, side, round(int(number) * stats["width"], 6), round((int(number) + 1) * stats["width"], 6), n)
        for name, entry in stats["sources"].items()
        for side in ("positive", "negative")
        for number, n in sorted(entry[f"{side}_scores"].items(), key=lambda item: int(item[0]))
    )
    yield LANGUAGE_SCORES.fill(_by_language(inputs))


def _source(name: str, entry: dict[str, Any], retrieved: int) -> tuple[object, ...]:
    ranks = {int(rank): count for rank, count in entry["ranks"].items()}

    def within(first: int, last: int) -> int:
        return sum(count for rank, count in ranks.items() if first <= rank <= last)

    ranked, rows = within(0, retrieved), entry["rows"]
    placed = (within(0, 0), within(0, 9), within(retrieved, retrieved))
    return (
        name,
        rows,
        *(entry["origins"][origin] for origin in ORIGINS),
        entry["short"],
        share(entry["short"], rows),
        entry["none"],
        ranked,
        *(value for count in placed for value in (count, share(count, ranked))),
    )


def _examples(inputs: Inputs) -> Iterator[tuple[object, ...]]:
    if inputs.mined is None:
        return
    store, pools = inputs.build.store, pools_of(inputs.rows, inputs.build)
    for name, entry in inputs.mined.stats["pools"].items():
        if not entry["examples"]:
            continue
        stem = f"{Collect.name}/{name}"
        asked, queries, documents = (store.read_table(f"{stem}.{t}.arrow") for t in ("asked", "queries", "documents"))
        query, document, score, positive_score, reason = zip(*entry["examples"], strict=True)
        text_of = queries["text"].to_numpy()[np.array(query)]
        reference = pools[name].reference
        query_texts = read_texts(store, reference, asked, text_of, "query").to_pylist()
        document_texts = read_texts(store, reference, documents, np.array(document)).to_pylist()
        columns = (
            reason,
            map(_rounded, score),
            map(_rounded, positive_score),
            map(cut, query_texts),
            map(cut, document_texts),
        )
        for number, line in enumerate(zip(*columns, strict=True), 1):
            yield name, number, *line


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)


def _by_language(inputs: Inputs) -> list[tuple[object, ...]]:
    """Read the negatives of all rows once and add up their scores by the language of the row."""
    if inputs.mined is None:
        return []
    store = inputs.build.store
    numbers: dict[tuple[str, str], int] = {}
    counts: I64 = np.zeros((0, 3), np.int64)
    sums: F64 = np.zeros((0, 2))
    for shard in inputs.mined.shards:
        path = f"{shard.path}.negatives.arrow"
        mined = store.read_table(f"negatives/{path}", ["scores", "positive_score"]).combine_chunks()
        which, pairs = tag_pairs(store.read_table(f"rows/{shard.path}.rows.arrow", ["query_lang", "positive_lang"]))
        labels = [label_of(*pair) for pair in pairs]
        language = np.array([numbers.setdefault((name.code, name.kind), len(numbers)) for name in labels], np.int64)[
            which
        ]
        if not len(language):
            continue
        grown = len(numbers) - len(counts)
        counts, sums = (np.concatenate([a, np.zeros((grown, a.shape[1]), a.dtype)]) for a in (counts, sums))
        positive = mined["positive_score"].to_numpy().astype(np.float64)
        lists = mined["scores"].chunk(0) if mined["scores"].num_chunks else mined["scores"].combine_chunks()
        negative = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
        of_negative = np.repeat(language, np.diff(lists.offsets.to_numpy()))
        size = len(numbers)
        counts[:, 0] += np.bincount(language, minlength=size)
        for column, values, where in ((0, positive, language), (1, negative, of_negative)):
            known = ~np.isnan(values)
            counts[:, column + 1] += np.bincount(where[known], minlength=size)
            sums[:, column] += np.bincount(where[known], values[known], minlength=size)
    rows: list[tuple[Any, ...]] = []
    for (code, kind), i in numbers.items():
        n, positives, negatives = counts[i].tolist()
        means = [round(float(s) / k, 6) if k else None for s, k in zip(sums[i], (positives, negatives), strict=True)]
        gap = None if means[0] is None or means[1] is None else round(means[0] - means[1], 6)
        title = code if kind == "programming" else english_name(code)
        rows.append((code, title, kind, n, positives, means[0], negatives, means[1], gap))
    return sorted(rows, key=lambda row: (-row[3], row[2], row[0]))
