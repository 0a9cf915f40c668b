"""The forms of the tables that steps print: the columns, what each counts, the share that sorts the lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

Figures = Mapping[str, int | None]
"""Key of a column → count; null if it is not known."""


@dataclass(frozen=True)
class Column:
    """A column of the table: one figure of each source.

    Attributes:
        key: name in JSON and in `Line.figures`.
        title: heading in the table.
        meaning: what is counted.
        shown: when the table has the column: `always`, `some` (only if a source has a nonzero figure), or `never`.
            JSON has all columns.

    """

    key: str
    title: str
    meaning: str
    shown: str = "always"


@dataclass(frozen=True)
class Form:
    """The form of a step's table.

    Attributes:
        columns: in order.
        share: meaning of `Line.share`, by which lines are sorted; null: the step loses nothing, and the source with the
            smallest last figure comes first.
        part: computes numerator and denominator of the share from the figures.
        words: columns of text before the figures.

    """

    columns: tuple[Column, ...]
    share: Column | None = None
    part: Callable[[Mapping[str, int]], tuple[int, int]] | None = None
    words: tuple[Column, ...] = ()


_ROWS = Column("rows", "rows", "Rows of the source that the step read.")
_STATED = Column("stated", "stated", "Samples that the source's manifest states for the published corpus.")
_FILES = Form(
    (
        Column("files", "files", "Raw files that are on this machine, over all subsets."),
        Column("bytes", "bytes", "Their bytes; a file that several subsets read counts once."),
    )
)
CHECKS = (
    Column("texts", "texts", "Texts of the rows that were looked at: not the names of classes.", "never"),
    Column("damaged", "damaged", "Of them, those that show one of the ten kinds of damage below, or more.", "some"),
    Column("short", "short", "Texts of fewer than three characters.", "never"),
    Column("repeated", "repeated", "Texts equal to an earlier one of the same side in the same shard.", "never"),
    Column("under_both", "both labels", "Different queries under more than one label in the same shard.", "never"),
    Column("entities", "entities", "Texts with HTML entities.", "never"),
    Column("tags", "tags", "Texts with HTML tags.", "never"),
    Column("escapes", "escapes", "Texts with line ends written as a backslash and a letter.", "never"),
    Column("jats", "jats", "Texts with remains of journal markup (JATS).", "never"),
    Column("placeholders", "placeholders", "Texts with placeholders for removed parts, as `_URL_0_`.", "never"),
    Column("treebank", "treebank", "Texts with brackets or quotes of the Penn Treebank.", "never"),
    Column("invisible", "invisible", "Texts with zero-width, soft-hyphen or private-use characters.", "never"),
    Column("mojibake", "mojibake", "Texts with characters decoded in the wrong encoding.", "never"),
    Column("replacement", "U+FFFD", "Texts with U+FFFD, the mark of bytes that could not be decoded.", "never"),
    Column("tokenized", "tokenized", "Texts with the blanks of a tokenizer.", "never"),
)
"""What `sources.checks` counts in the rows."""

FORMS: dict[str, Form] = {
    "lock": Form(
        (
            Column("revisions", "revisions", "Revisions of Hub repositories that the source reads, mirrors included."),
            Column("changed", "new or changed", "Of them, those that are new in the lock file or have another commit."),
            Column("files", "files", "Files that are locked with them."),
        )
    ),
    "probe": Form(
        (
            Column("files", "files", "Raw files that the origin lists."),
            Column("bytes", "bytes", "Their bytes, each file once; null where the size of one is not known."),
            Column("of_unknown_size", "unknown size", "1 for a source with a file whose size is not known.", "some"),
            Column("records", "records", "Their records, where all of them state it, as Parquet does; else null."),
            Column("head_records", "head", "Records of the heads that were read."),
            Column("head_rows", "rows", "Rows that these records became."),
            Column("head_quarantined", "quarantined", "Records of the heads that cannot become rows.", "some"),
            Column("head_damaged", "damaged", "Texts of the heads that show one kind of damage or more.", "some"),
            Column("read", "read", "Bytes that this run downloaded for it; 0 if its result is from an earlier run."),
        ),
        Column("share", "lost", "quarantined / (rows + quarantined) of the heads."),
        lambda f: (f["head_quarantined"], f["head_rows"] + f["head_quarantined"]),
        (
            Column("verdict", "verdict", "`ok`, `warning` or `failed`."),
            Column("reach", "reach", "Where its files are, or why they are not accessible."),
        ),
    ),
    "fetch": _FILES,
    "evaluations": _FILES,
    "normalize": Form(
        (
            Column("records", "records", "Records in the raw files, those that could not be read included."),
            Column("rows", "rows", "Rows that were made."),
            Column("quarantined", "quarantined", "Records that cannot become rows: unreadable, empty, broken."),
            Column("filtered", "filtered", "Records that `where` or the source's shape leave out by rule."),
            Column("beyond_limit", "over limit", "Records past `rows_per_part` or a limit of the shape.", "some"),
            Column(
                "joined",
                "joined",
                "Records that share a row with others; below zero where a record makes several rows.",
                "some",
            ),
            Column("unread_files", "unread files", "Files and members of archives not read to their end.", "some"),
            Column("unread_bytes", "unread bytes", "Their bytes, as they are stored, of which no record came.", "some"),
            Column("masked", "masked", "Personal data that was masked, by `normalize.mask`.", "some"),
            *CHECKS,
            _STATED,
        ),
        Column("share", "lost", "quarantined / (rows + over limit + quarantined); 1 where there is no row."),
        lambda f: (f["quarantined"], f["rows"] + f["beyond_limit"] + f["quarantined"]),
    ),
    "identify": Form(
        (
            Column("texts", "texts", "Queries and positives."),
            Column("agree", "agree", "Texts identified as the language that the source declares."),
            Column("disagree", "disagree", "Texts identified as another language."),
            Column("undetermined", "undetermined", "Texts for which the identifier names no language."),
            Column(
                "declared_only",
                "not asked",
                "Texts that are not identified, as code: only the source states their language.",
            ),
            Column("overruled", "overruled", "Texts whose declared language the policy replaces.", "some"),
            Column("dropped", "rows dropped", "Rows that the policy keeps out of the mixes.", "some"),
        ),
        Column("share", "disagree", "disagree / texts."),
        lambda f: (f["disagree"], f["texts"]),
    ),
    "measure": Form(
        (
            _ROWS,
            Column("unusual_rows", "unusual", "Rows with one of the unusual figures below, or more."),
            Column("query_alphanumeric", "short queries", "Queries of fewer than 3 letters and digits.", "some"),
            Column("positive_alphanumeric", "short positives", "Positives of fewer than 3 of them.", "some"),
            Column("query_symbols", "symbols", "Queries that are symbols by more than a half.", "some"),
            Column("positive_symbols", "positive symbols", "Positives that are symbols by more than a half.", "some"),
            Column("query_repetition", "repeating", "Queries that repeat themselves by more than a half.", "some"),
            Column("positive_repetition", "positive repeating", "Positives that do.", "some"),
            Column("length_ratio", "lengths", "Bitext and paraphrases, one side five times the other.", "some"),
            Column("equal", "equal", "Rows with the same letters and digits on both sides.", "some"),
        ),
        Column("share", "unusual", "unusual / rows. Nothing is left out for it: thresholds in the profile do that."),
        lambda f: (f["unusual_rows"], f["rows"]),
    ),
    "dedup": Form(
        (
            _ROWS,
            Column("kept", "kept", "Rows that are kept, for themselves and for their duplicates."),
            Column("exact_duplicates", "exact", "Rows with the same texts as a row that is kept."),
            Column("near_duplicates", "near", "Rows nearly the same as one that is kept, verified."),
        ),
        Column("share", "duplicates", "(exact + near) / rows."),
        lambda f: (f["exact_duplicates"] + f["near_duplicates"], f["rows"]),
    ),
    "decontaminate": Form(
        (
            _ROWS,
            Column(
                "contaminated", "contaminated", "Rows that overlap with an evaluation set and stay out of the mixes."
            ),
        ),
        Column("share", "contaminated", "contaminated / rows."),
        lambda f: (f["contaminated"], f["rows"]),
    ),
    "mine": Form(
        (
            _ROWS,
            Column("mined", "mined", "Rows with as many negatives as the settings state."),
            Column("short", "short", "Rows with fewer, but some."),
            Column("none", "none", "Rows without a negative."),
            Column("negatives", "negatives", "Negatives of all rows, given ones included."),
        ),
        Column("share", "short or none", "(short + none) / rows."),
        lambda f: (f["short"] + f["none"], f["rows"]),
    ),
    "mix": Form(
        (
            _ROWS,
            Column("samples", "samples", "Rows in the mix: train + validation."),
            Column("train", "train", "Samples to train on.", "never"),
            Column("validation", "validation", "Samples held out.", "never"),
            Column("other_language", "language", "Rows that the language policy drops.", "some"),
            Column("exact_duplicates", "exact", "Exact duplicates of a row that is kept.", "some"),
            Column("near_duplicates", "near", "Near-duplicates of a row that is kept.", "some"),
            Column("contaminated", "contaminated", "Rows with a duplicate that overlaps with an evaluation set."),
            Column("mix_filter", "filters", "Rows that the filters of the mix file leave out.", "some"),
            Column("no_negatives", "no negatives", "Rows without a negative.", "some"),
            Column("held_out_twins", "twins", "Rows whose document is held out for validation.", "some"),
            Column("over_cap", "over cap", "Rows beyond the mix's cap on a source.", "some"),
            Column("not_drawn", "not drawn", "Rows that are not among the `samples` of the mix file.", "some"),
            _STATED,
        ),
        Column("share", "left out", "(rows - samples - over cap - not drawn) / rows."),
        lambda f: (f["rows"] - f["samples"] - f["over_cap"] - f["not_drawn"], f["rows"]),
    ),
}
"""Step → form of its table."""

MIX_KEYS = {
    "train": "train",
    "validation": "validation",
    "other-language": "other_language",
    "exact-duplicate": "exact_duplicates",
    "near-duplicate": "near_duplicates",
    "contaminated": "contaminated",
    "mix-filter": "mix_filter",
    "no-negatives": "no_negatives",
    "held-out-twin": "held_out_twins",
    "over-cap": "over_cap",
    "not-drawn": "not_drawn",
}
"""Verdict of `curation.mixing.step.select` → column."""


def share_of(form: Form, figures: Figures) -> float | None:
    """Return the share of a line, rounded to six digits; null if the step loses nothing."""
    if form.part is None:
        return None
    part, whole = form.part({key: value or 0 for key, value in figures.items()})
    if whole == 0:
        return 1.0 if form is FORMS["normalize"] else 0.0
    return round(part / whole, 6)


def total_of(form: Form, lines: Iterable[Figures]) -> dict[str, int | None]:
    """Add up figures by column; the total is null if no line has the figure."""
    lines = list(lines)
    total: dict[str, int | None] = {}
    for column in form.columns:
        values = [value for line in lines if (value := line[column.key]) is not None]
        total[column.key] = sum(values) if values or not lines else None
    return total
