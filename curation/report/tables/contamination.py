"""Tables on the evaluation sets: what of each is in the rows, where, how, and examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from curation.decontamination.matching import REASONS
from curation.report.inputs import Inputs
from curation.report.tables.form import Column, Form, ReportTable, share
from curation.tables.contamination import SIDES

_TASK = Column("task", "name", "Name of the evaluation set.")
_SOURCE = Column("source", "name", "Name of the source.")
_HOW = {
    "exact": "equal but for case, white space and outer punctuation",
    "contained": "which hold an unbroken run, or most, of an evaluation text",
    "near": "similar by the Jaccard index of their shingles",
}
_REASONS = tuple(
    Column(reason, "count", f"Overlaps of a row's side with a text of the set, {_HOW.get(reason, reason)}.")
    for reason in REASONS
)

EVALUATION_SETS = Form(
    "evaluation_sets",
    "decontaminate",
    "A row for each evaluation set, the most texts found first; then the sets that were skipped.",
    ("task",),
    (
        _TASK,
        Column("texts", "count", "Different texts of it; null if it was skipped."),
        Column(
            "too_short",
            "count",
            "Texts that are not looked for, because they are shorter than `decontaminate.shortest`.",
        ),
        Column("sought", "count", "Texts that were looked for."),
        Column("found", "count", "Texts that some row holds."),
        Column("share", "share", "Texts found as a share of those sought."),
        *_REASONS,
        Column("sources", "count", "Sources that hold one of its texts."),
        Column("skipped", "text", "Why it was skipped; null: it was not."),
    ),
)
OVERLAPS = Form(
    "overlaps",
    "decontaminate",
    "A row for each source, set and side of a row, the most rows first. Translations are not found.",
    ("source", "task", "side"),
    (
        _SOURCE,
        _TASK,
        Column("side", "name", "Side of the row: query or document."),
        Column("rows", "count", "Overlapping rows: the sum of the columns by kind."),
        *_REASONS,
        Column("texts", "count", "Texts of the set that the source holds, on either side."),
    ),
)
CONTAMINATED = Form(
    "contaminated",
    "decontaminate",
    "A row for each source, the largest share of contaminated rows first.",
    ("source",),
    (
        _SOURCE,
        Column("rows", "count", "Its rows."),
        Column("contaminated", "count", "Rows that the mixes leave out because an evaluation set has their text."),
        Column("share", "share", "Share of its rows."),
    ),
)
DISTRUSTED = Form(
    "distrusted",
    "decontaminate",
    "Sources that hold much of a set, or much of which is contaminated, in the order of the step.",
    ("source", "task"),
    (
        _SOURCE,
        Column("task", "name", "The set; null: all sets together."),
        Column("found", "count", "Texts of the set that it holds; or its contaminated rows."),
        Column("of", "count", "Of so many texts; or of so many rows."),
        Column("share", "share", "Their share."),
    ),
)
OVERLAP_EXAMPLES = Form(
    "overlap_examples",
    "decontaminate",
    "Rows and the evaluation texts that they hold, a few for each set.",
    ("task", "number"),
    (
        _TASK,
        Column("number", "count", "From 1 on within the set."),
        _SOURCE,
        Column("side", "name", "Side of the row: query or document."),
        Column("kind", "name", "exact, contained or near."),
        Column("score", "score", "How much of the texts agrees, 0 to 1."),
        Column("row_text", "text", "Text of the row."),
        Column("evaluation_text", "text", "Text of the set."),
        Column("evaluation_id", "tag", "Its id: set/subset/role/id."),
        Column("row_id", "tag", "Of the row."),
    ),
)
FORMS = (EVALUATION_SETS, OVERLAPS, CONTAMINATED, DISTRUSTED, OVERLAP_EXAMPLES)


def fill(inputs: Inputs) -> Iterator[ReportTable]:
    """Fill the tables of this module; they are empty if step `decontaminate` has not run."""
    step = inputs.decontaminated
    tasks = step.stats["tasks"] if step else {}
    sources = step.stats["sources"] if step else {}
    overlaps, by_task, holders = [], {name: Counter[str]() for name in tasks}, Counter[str]()
    for source, entry in sources.items():
        for task, counted in entry["tasks"].items():
            holders[task] += 1
            for side, counts in sorted(counted["rows"].items(), key=lambda item: list(SIDES).index(item[0])):
                kinds = [counts[reason] for reason in REASONS]
                by_task[task].update(counts)
                overlaps.append((source, task, side, sum(kinds), *kinds, counted["found"]))
    rows = []
    for name, entry in tasks.items():
        sought = entry["texts"] - entry["too_short"]
        kinds = [by_task[name][reason] for reason in REASONS]
        rows.append(
            (
                name,
                entry["texts"],
                entry["too_short"],
                sought,
                entry["found"],
                share(entry["found"], sought),
                *kinds,
                holders[name],
                None,
            )
        )
    rows.sort(key=lambda row: (-row[4], row[0]))
    skipped = step.skipped if step else {}
    blank = (None,) * (len(EVALUATION_SETS.columns) - 2)
    yield EVALUATION_SETS.fill(
        [*rows, *((name, *blank, why) for name, why in sorted(skipped.items()) if name not in tasks)]
    )
    yield OVERLAPS.fill(sorted(overlaps, key=lambda row: (-row[3], row[0], row[1], list(SIDES).index(row[2]))))
    contaminated = [(s, e["rows"], e["contaminated"], share(e["contaminated"], e["rows"])) for s, e in sources.items()]
    yield CONTAMINATED.fill(sorted(contaminated, key=lambda row: (-(row[3] or 0.0), -row[2], row[0])))
    distrust = step.stats["distrust"] if step else []
    yield DISTRUSTED.fill((d["source"], d["task"], d["found"], d["of"], share(d["found"], d["of"])) for d in distrust)
    yield OVERLAP_EXAMPLES.fill(
        (
            task,
            number,
            e["source"],
            e["side"],
            e["reason"],
            round(e["score"], 6),
            e["row_text"],
            e["evaluation_text"],
            e["evaluation_id"],
            e["row_id"],
        )
        for task in sorted(tasks, key=lambda name: (-tasks[name]["found"], name))
        for number, e in enumerate(tasks[task]["examples"], 1)
    )
