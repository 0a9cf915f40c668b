"""Tables on declared and identified languages."""

from __future__ import annotations

from collections.abc import Iterator

from curation.langid.settings import SourceTrust
from curation.langid.step.verdicts import NOT_NAMED, agree
from curation.report.inputs import Inputs
from curation.report.tables.form import Column, Form, ReportTable, share

_SOURCE = Column("source", "name", "Name of the source.")
AGREEMENT = Form(
    "agreement",
    "identify",
    "How declared and identified languages agree, two texts a row: a row for each source, the lowest agreement first.",
    ("source",),
    (
        _SOURCE,
        Column("texts", "count", "Texts that were identified: the sum of the three columns that follow."),
        Column("agree", "count", "Texts whose identified language may be the declared one."),
        Column("disagree", "count", "Texts whose identified language is another."),
        Column("undetermined", "count", "Texts without an answer."),
        Column("agreement", "share", "Share of the texts that agree; null without texts."),
        Column("disagreement", "share", "Share of the texts that disagree."),
        Column("declared_only", "count", "Further texts whose language the identifier does not know."),
        Column("policy", "name", "Which language counts if they disagree, by `languages.trust`."),
        Column("confidence", "score", "From which confidence a disagreement counts."),
        Column("overruled", "count", "Texts whose identified language counts."),
        Column("dropped", "count", "Rows that the mixes leave out."),
    ),
)
CONFUSION = Form(
    "confusion",
    "identify",
    "Declared against identified language: a row for each source and pair of codes, the most texts first.",
    ("source", "declared", "identified"),
    (
        _SOURCE,
        Column("declared", "tag", "Declared code."),
        Column("identified", "tag", "Identified code; `und`: none."),
        Column("texts", "count", "Texts."),
        Column("agrees", "flag", "Whether both may mean the same language; null where none was identified."),
    ),
)
DISAGREEMENTS = Form(
    "disagreements",
    "identify",
    "Texts that disagree, the most confident of each source.",
    ("source", "number"),
    (
        _SOURCE,
        Column("number", "count", "From 1 on within the source."),
        Column("declared", "tag", "Declared tag."),
        Column("identified", "tag", "Identified tag."),
        Column("confidence", "score", "Of the answer, 0 to 1."),
        Column("text", "text", "Its beginning."),
        Column("side", "name", "query or positive."),
        Column("row_id", "tag", "Of the row."),
    ),
)
FORMS = (AGREEMENT, CONFUSION, DISAGREEMENTS)


def fill(inputs: Inputs) -> Iterator[ReportTable]:
    """Fill the tables of this module; they are empty if step `identify` has not run."""
    sources = inputs.identified.stats["sources"] if inputs.identified else {}
    rows = []
    for source, entry in sources.items():  # statistics of an older version have no entries about verdicts
        declared_only = entry.get("declared-only", 0)
        texts = entry["texts"] - declared_only
        disagree = texts - entry["agree"] - entry["undetermined"]
        trust = SourceTrust.model_validate(entry.get("trust", {}))
        rows.append(
            (
                source,
                texts,
                entry["agree"],
                disagree,
                entry["undetermined"],
                share(entry["agree"], texts),
                share(disagree, texts),
                declared_only,
                trust.policy,
                trust.confidence,
                entry.get("overruled", 0),
                sum(entry.get("dropped", {}).values()),
            )
        )
    yield AGREEMENT.fill(sorted(rows, key=lambda row: (row[5] is None, row[5] or 0.0, row[0])))
    pairs = [
        (source, declared, code, n, None if code in NOT_NAMED else agree(declared, code))
        for source, entry in sources.items()
        for declared, codes in entry["confusion"].items()
        for code, n in codes.items()
    ]
    yield CONFUSION.fill(sorted(pairs, key=lambda row: (row[0], -row[3], row[1], row[2])))
    yield DISAGREEMENTS.fill(
        (source, number, d["declared"], d["identified"], d["confidence"], d["text"], d["side"], d["row_id"])
        for source, entry in sources.items()
        for number, d in enumerate(entry.get("disagreements", []), 1)
    )
