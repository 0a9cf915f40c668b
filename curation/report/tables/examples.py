"""Tables of example rows, each with its whole history: what every step found in it, and where it ended in each mix.

The rows are those with the lowest ids: of each source, of each source in a language, and of each source with a verdict.
Ids are content hashes, so this is a draw that nobody chose.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from curation.mining.negatives import ORIGINS
from curation.mixing.step.select import REASONS
from curation.report.inputs import Inputs
from curation.report.labels import label_of
from curation.report.rows_at import cut, read_rows
from curation.report.shard_statistics import Place, SourceSurvey, VerdictsOf
from curation.report.tables.form import Column, Form, ReportTable
from curation.tables.contamination import SIDES
from curation.tables.pools import PoolDocuments, pools_of

ROWS_PER_SOURCE = 2
LANGUAGES_PER_SOURCE = 4
"""Languages of a source, the largest first, of which a row is shown."""
NEGATIVES_PER_ROW = 3

_ROW = Column("row_id", "tag", "Of the row.")
EXAMPLES = Form(
    "examples",
    "report",
    "Example rows with what every step found in them, by source.",
    ("source", "row_id"),
    (
        Column("source", "name", "Name of the source."),
        Column("subset", "name", "Name of the subset."),
        _ROW,
        Column("code", "tag", "Language of the row (see `languages`)."),
        Column("query", "text", "Text of the query, shortened."),
        Column("query_language", "tag", "Declared tag."),
        Column("positive", "text", "Text of the positive, shortened."),
        Column("positive_language", "tag", "Declared tag."),
        Column("label", "text", "Label; null: the source has none."),
        Column("file", "text", "Raw file."),
        Column("record", "count", "Number of the record in it, from 0."),
        Column("query_identified", "tag", "Identified code of the query; null: `identify` has not run."),
        Column("query_confidence", "score", "Its confidence, 0 to 1."),
        Column("query_verdict", "name", "How it agrees with the declared one."),
        Column("positive_identified", "tag", "Identified code of the positive."),
        Column("positive_confidence", "score", "Its confidence, 0 to 1."),
        Column("positive_verdict", "name", "How it agrees with the declared one."),
        Column("duplicate", "name", "kept, exact-duplicate or near-duplicate; null: `dedup` has not run."),
        Column("stands_for", "count", "Duplicates that the row stands for; null: `dedup` has not run."),
        Column(
            "query_overlap", "name", "exact, contained or near, where an evaluation set has the query; null: none has."
        ),
        Column("document_overlap", "name", "The same of the positive."),
        Column("evaluation_sets", "name", "The sets, separated by commas; null: none."),
        Column("negatives", "count", "Negatives; null: `mine` has not run."),
        Column("origins", "name", "Where they come from, with counts; null: there are none."),
        Column("positive_score", "score", "The teacher's score of the positive; null: unknown."),
        Column("candidates_above", "count", "Candidates that score above the positive; null: unknown."),
    ),
)
VERDICTS = Form(
    "example_verdicts",
    "mix",
    "Where the example rows ended in each mix.",
    ("row_id", "mix", "source"),
    (
        Column("source", "name", "Name of the source."),
        _ROW,
        Column("mix", "name", "Name of the mix."),
        Column("verdict", "name", "train, validation, or why the row is left out."),
    ),
)
NEGATIVES = Form(
    "example_negatives",
    "mine",
    "The first negatives of the example rows.",
    ("source", "row_id", "number"),
    (
        Column("source", "name", "Name of the source."),
        _ROW,
        Column("number", "count", "From 1 on."),
        Column("origin", "name", "given, mined, relaxed, random or class."),
        Column("score", "score", "The teacher's score; null: it has none."),
        Column("text", "text", "Its text, shortened."),
    ),
)
FORMS = (EXAMPLES, VERDICTS, NEGATIVES)


def fill(inputs: Inputs, surveys: Mapping[str, SourceSurvey], verdicts_of: VerdictsOf) -> Iterator[ReportTable]:
    """Fill the tables of this module."""
    places = [place for survey in surveys.values() for place in _chosen(survey)]
    mined = _read(inputs, "negatives", places, inputs.mined is not None)
    yield EXAMPLES.fill(_examples(inputs, places, mined))
    rows = _ids(inputs, places)
    yield VERDICTS.fill(
        (place.source, rows[place], mix, verdict) for place, mix, verdict in _verdicts(inputs, places, verdicts_of)
    )
    yield NEGATIVES.fill((place.source, rows[place], *line) for place, line in _negatives(inputs, places, mined))


def _chosen(survey: SourceSurvey) -> list[Place]:
    counts: Counter[Any] = Counter()
    for tags, rows in survey.tags.items():
        counts[label_of(*tags)] += rows
    largest = sorted(counts, key=lambda label: (-counts[label], label))[:LANGUAGES_PER_SOURCE]
    of_language = {survey.of_label[label] for label in largest}
    of_verdict = {place for places in survey.of_verdict.values() for place in places}
    return sorted({*survey.drawn[:ROWS_PER_SOURCE], *of_language, *of_verdict})


def _ids(inputs: Inputs, places: list[Place]) -> dict[Place, str]:
    rows = read_rows(inputs.build.store, places, columns=["row_id"])
    return {place: row["row_id"].hex() for place, row in zip(places, rows, strict=True)}


def _read(inputs: Inputs, kind: str, places: list[Place], there: object) -> dict[Place, dict[str, Any]]:
    """Read the lines of a row-aligned table; nothing if its step has not run."""
    lines = read_rows(inputs.build.store, places, kind) if there else [{}] * len(places)
    return dict(zip(places, lines, strict=True))


def _examples(
    inputs: Inputs, places: list[Place], mined: Mapping[Place, dict[str, Any]]
) -> Iterator[tuple[object, ...]]:
    rows = _read(inputs, "rows", places, there=True)
    identified = _read(inputs, "languages", places, inputs.identified)
    judged = _read(inputs, "verdicts", places, inputs.identified)
    clusters = _read(inputs, "clusters", places, inputs.dedup)
    merges = _read(inputs, "merges", places, inputs.dedup)
    # without shards, the step was run without any evaluation set
    contaminated = _read(inputs, "contamination", places, inputs.decontaminated and inputs.decontaminated.shards)
    for place in places:
        row, languages, overlaps, mine = rows[place], identified[place], contaminated[place], mined[place]
        keep = clusters[place].get("keep")
        sets = sorted({task for side in SIDES for task in overlaps.get(f"{side}_tasks") or ()})
        origins = Counter(ORIGINS[origin] for origin in mine.get("origins") or ())
        rank = mine.get("positive_rank", -1)
        yield (
            place.source,
            place.subset,
            row["row_id"].hex(),
            label_of(row["query_lang"], row["positive_lang"]).code,
            cut(row["query"]),
            row["query_lang"],
            cut(row["positive"]),
            row["positive_lang"],
            None if row["label"] is None else cut(row["label"]),
            row["origin"]["file"],
            row["origin"]["record"],
            *(
                value
                for side in ("query", "positive")
                for value in (
                    languages.get(f"{side}_code"),
                    _number(languages.get(f"{side}_confidence")),
                    judged[place].get(f"{side}_verdict"),
                )
            ),
            None if keep is None else "kept" if keep else clusters[place]["reason"],
            len(merges[place]["merged"]) if merges[place] else None,
            overlaps.get("query_overlap"),
            overlaps.get("document_overlap"),
            ", ".join(sets) or None,
            len(mine["negatives"]) if mine else None,
            ", ".join(f"{origins[origin]} {origin}" for origin in ORIGINS if origins[origin]) or None,
            _number(mine.get("positive_score")),
            rank if rank >= 0 else None,
        )


def _number(value: float | None) -> float | None:
    """Round a score; null where there is none or it is not a number."""
    return None if value is None or math.isnan(value) else round(value, 6)


def _verdicts(inputs: Inputs, places: list[Place], verdicts_of: VerdictsOf) -> Iterator[tuple[Place, str, str]]:
    starts: dict[str, int] = {}
    for shards in inputs.rows.by_pool().values():
        start = 0
        for shard in shards:
            starts[shard.path] = start
            start += shard.rows
    known: tuple[tuple[str, str], Mapping[str, Any]] = (("", ""), {})
    for place in places:
        if known[0] != (place.source, place.subset):
            known = (place.source, place.subset), verdicts_of(place.source, place.subset)
        for mix, verdict in known[1].items():
            yield place, mix, REASONS[int(verdict[starts[place.path] + place.index])]


def _negatives(
    inputs: Inputs, places: list[Place], mined: Mapping[Place, dict[str, Any]]
) -> Iterator[tuple[Place, tuple[object, ...]]]:
    """Yield the first negatives of each row; the documents of a pool are read once."""
    shown = [place for place in places if mined[place] and mined[place]["negatives"]]
    if not shown:
        return
    pool_of = {shard.path: pool for pool in pools_of(inputs.rows, inputs.build).values() for shard in pool.shards}
    by_pool: dict[str, list[Place]] = {}
    for place in shown:
        by_pool.setdefault(pool_of[place.path].reference.name, []).append(place)
    texts_of: dict[Place, list[str]] = {}
    for members in by_pool.values():
        numbers = [mined[place]["negatives"][:NEGATIVES_PER_ROW] for place in members]
        documents = PoolDocuments.of(inputs.build.store, pool_of[members[0].path].reference)
        texts = iter(documents.texts(np.array([n for of_row in numbers for n in of_row], np.int32)).to_pylist())
        texts_of |= {place: [next(texts) for _ in of_row] for place, of_row in zip(members, numbers, strict=True)}
    for place in shown:
        line = mined[place]
        lines = zip(texts_of[place], line["scores"], line["origins"], strict=False)
        for number, (text, score, origin) in enumerate(lines, 1):
            yield place, (number, ORIGINS[origin], _number(score), cut(text))
