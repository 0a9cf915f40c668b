"""The outcome of a step: what it made and lost, as a short table for people and a JSON object for programs.

Every step of `curate` prints it at the end, from the figures in the step's file. The source that lost the largest share
comes first::

    from curation.pipeline.outcome import outcome_of

    outcome_of(load(build, "normalize")).lines[0]  # the source that lost most, with its figures

Each step has a `Form` below, which defines the figures of a line, what each one counts, and the share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from curation.build import Build, StepResult
from curation.failures import RefusedError, RefusedForNowError
from open_ml_embed.core.errors import UnknownNameError
from open_ml_embed.core.printing import print_json
from open_ml_embed.core.terminal import Terminal
from open_ml_embed.core.words import counted
from sources import registry

MOST_LINES = 20
"""Most lines of a table; the others are added up in one line. JSON has all."""
MOST_NAMES = 5
"""Most names or reasons in a note."""

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


@dataclass(frozen=True)
class Line:
    """The line of one source.

    Attributes:
        source: its name; for `curate evaluations fetch` the name of an evaluation set.
        figures: in the order of the form's columns.
        share: between 0 and 1, as the form defines it; null if the form has none.
        words: key → text, in the order of the form's words.

    """

    source: str
    figures: Figures
    share: float | None
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a step.

    Attributes:
        step: name of its file.
        form: defines the figures.
        lines: one for each source: refused ones first, then by share, the largest first.
        total: of all lines, or of the whole step if it does not count by source.
        notes: sentences about what the figures do not show.
        skipped: source → why it is not in this build.
        refused: source → why the step does not count as done.

    """

    step: str
    form: Form
    lines: list[Line]
    total: Line
    notes: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def as_json(self, profile: str) -> dict[str, Any]:
        """Return the JSON object that `--json` prints."""
        return {
            "step": self.step,
            "profile": profile,
            "sources": [
                {"source": line.source, **line.words, **line.figures, "share": line.share} for line in self.lines
            ],
            "total": {**self.total.figures, "share": self.total.share},
            "notes": self.notes,
            "skipped": self.skipped,
            "refused": self.refused,
        }


_ROWS = Column("rows", "rows", "Rows of the source that the step read.")
_STATED = Column("stated", "stated", "Samples that the source's manifest states for the published corpus.")
_FILES = Form(
    (
        Column("files", "files", "Raw files that are on this machine, over all subsets."),
        Column("bytes", "bytes", "Their bytes; a file that several subsets read counts once."),
    )
)
_CHECKS = (
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
            *_CHECKS,
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
            Column("no_negatives", "no negatives", "Rows without a negative.", "some"),
            Column("held_out_twins", "twins", "Rows whose document is held out for validation.", "some"),
            Column("over_cap", "over cap", "Rows beyond the mix's cap on a source.", "some"),
            _STATED,
        ),
        Column("share", "left out", "(rows - samples - over cap) / rows."),
        lambda f: (f["rows"] - f["samples"] - f["over_cap"], f["rows"]),
    ),
}
"""Step → form of its table."""

_MIX_KEYS = {
    "train": "train",
    "validation": "validation",
    "other-language": "other_language",
    "exact-duplicate": "exact_duplicates",
    "near-duplicate": "near_duplicates",
    "contaminated": "contaminated",
    "no-negatives": "no_negatives",
    "held-out-twin": "held_out_twins",
    "over-cap": "over_cap",
}
"""Verdict of `curation.mixing.step.select` → column."""


def outcome_of(result: StepResult, root: Path | None = None) -> Outcome:
    """Return the outcome of a step.

    Args:
        result: content of the step's file.
        root: the folder of params.yaml, for the manifests of the user's own sources.

    Raises:
        KeyError: there is no such step.

    """
    return _OUTCOMES["mix" if result.step.startswith("mix-") else result.step](result, root)


def lock_outcome(result: StepResult, _root: Path | None = None) -> Outcome:
    """Return the outcome of `lock`."""
    stats = result.stats
    note = f"{stats['path']}: {stats['revisions']} revisions, {stats['changed']} new or changed"
    return _outcome(result, "lock", stats["sources"], [note])


def fetch_outcome(result: StepResult, _root: Path | None = None) -> Outcome:
    """Return the outcome of `fetch`: files and bytes."""
    sources, notes = {}, []
    for source, subsets in result.stats["files"].items():
        sources[source] = _files(file for files in subsets.values() for file in files)
        without = [subset for subset, files in subsets.items() if not files]
        if without:
            notes.append(f"{source}: {len(without)} of {len(subsets)} subsets have no file: {_named(without)}")
    everything = (f for subsets in result.stats["files"].values() for files in subsets.values() for f in files)
    return _outcome(result, "fetch", sources, notes, total=_files(everything))


def evaluations_outcome(result: StepResult, _root: Path | None = None) -> Outcome:
    """Return the outcome of `evaluations fetch`; a line is an evaluation set."""
    return _outcome(result, "evaluations", {name: _files(files) for name, files in result.stats["files"].items()})


def normalize_outcome(result: StepResult, root: Path | None = None) -> Outcome:
    """Return the outcome of `normalize`: rows, and records that did not become rows."""
    sources: dict[str, dict[str, int | None]] = {}
    reasons: dict[str, Counter[str]] = {"quarantined": Counter(), "filtered": Counter()}
    for source, entry in result.stats["sources"].items():
        quarantined, filtered = (sum(entry[kind].values()) for kind in reasons)
        made = entry["rows"] + entry["beyond_limit"]
        sources[source] = {
            "records": entry["records"],
            "rows": entry["rows"],
            "quarantined": quarantined,
            "filtered": filtered,
            "beyond_limit": entry["beyond_limit"],
            "joined": entry["records"] - made - quarantined - filtered,
            "unread_files": entry.get("unread_files", 0),
            "unread_bytes": entry.get("unread_bytes", 0),
            **{column.key: _of_sides(entry.get("checks", {}), column.key) for column in _CHECKS},
            "stated": _stated(source, root),
        }
        for kind, counts in reasons.items():
            counts.update(entry[kind])
    notes = [f"{kind}: {_counted(counts)}" for kind, counts in reasons.items() if counts]
    if result.stats["allowed"]:
        notes.append(f"allowed to yield little: {_named(result.stats['allowed'])}")
    return _outcome(result, "normalize", sources, notes)


def _of_sides(checks: Mapping[str, Mapping[str, int]], figure: str) -> int:
    return sum(counts.get(figure, 0) for counts in checks.values())


def identify_outcome(result: StepResult, _root: Path | None = None) -> Outcome:
    """Return the outcome of `identify`: texts whose declared and identified languages agree or differ."""
    sources = {
        source: {
            "texts": entry["texts"],
            "agree": entry["agree"],
            "disagree": entry["disagree"],
            "undetermined": entry["undetermined"],
            "declared_only": entry["declared-only"],
            "overruled": entry["overruled"],
            "dropped": sum(entry["dropped"].values()),
        }
        for source, entry in result.stats["sources"].items()
    }
    return _outcome(result, "identify", sources)


def dedup_outcome(result: StepResult, _root: Path | None = None) -> Outcome:
    """Return the outcome of `dedup`: duplicate rows, by source if the step counted them by source."""
    if "sources" not in result.stats:
        return _outcome(result, "dedup", {}, total=_deduplicated(result.stats["sample"]))
    return _outcome(result, "dedup", {s: _deduplicated(entry) for s, entry in result.stats["sources"].items()})


def decontaminate_outcome(result: StepResult, _root: Path | None = None) -> Outcome:
    """Return the outcome of `decontaminate`: rows that overlap with evaluation sets."""
    keys = ("rows", "contaminated")
    sources = {s: {key: entry[key] for key in keys} for s, entry in result.stats["sources"].items()}
    sets = sorted(result.stats["tasks"])
    notes = [f"held against {len(sets)} evaluation sets: {_named(sets)}" if sets else "there is no evaluation set"]
    distrust = list(dict.fromkeys(entry["source"] for entry in result.stats["distrust"]))
    if distrust:
        notes.append(f"sources to distrust: {_named(distrust)}")
    return _outcome(result, "decontaminate", sources, notes)


def mine_outcome(result: StepResult, _root: Path | None = None) -> Outcome:
    """Return the outcome of `mine`: rows with and without enough negatives."""
    sources, origins = {}, Counter[str]()
    for source, entry in result.stats["sources"].items():
        origins.update(entry["origins"])
        sources[source] = {
            "rows": entry["rows"],
            "mined": entry["rows"] - entry["short"],
            "short": entry["short"] - entry["none"],
            "none": entry["none"],
            "negatives": sum(entry["origins"].values()),
        }
    return _outcome(result, "mine", sources, [f"negatives: {_counted(origins)}"] if +origins else [])


def mix_outcome(result: StepResult, root: Path | None = None) -> Outcome:
    """Return the outcome of `mix`: samples, and the reasons why rows are not in the mix."""
    sources: dict[str, dict[str, int | None]] = {}
    for source, verdicts in result.stats["sources"].items():
        figures = {key: verdicts[verdict] for verdict, key in _MIX_KEYS.items()}
        samples = figures["train"] + figures["validation"]
        all_figures = {"rows": sum(figures.values()), "samples": samples, **figures, "stated": _stated(source, root)}
        sources[source] = {column.key: all_figures[column.key] for column in FORMS["mix"].columns}
    counts = result.stats["counts"]
    notes = [f"{counts['train']:,} samples to train on, {counts['validation']:,} held out"]
    notes.append(f"{counts['documents']:,} documents")
    for source, verdicts in result.stats["sources"].items():
        if not sources[source]["samples"]:
            notes.append(f"no sample of {source}: {_counted(Counter(verdicts)) or 'it has no row'}")
    return _outcome(result, "mix", sources, notes)


_OUTCOMES: dict[str, Callable[[StepResult, Path | None], Outcome]] = {
    "lock": lock_outcome,
    "fetch": fetch_outcome,
    "evaluations": evaluations_outcome,
    "normalize": normalize_outcome,
    "identify": identify_outcome,
    "dedup": dedup_outcome,
    "decontaminate": decontaminate_outcome,
    "mine": mine_outcome,
    "mix": mix_outcome,
}
assert {*_OUTCOMES, "probe"} == FORMS.keys()
"""A probe has no step file; `curation.probe.table` builds its outcome."""


def made_outcome(
    step: str,
    lines: list[Line],
    notes: Iterable[str] = (),
    *,
    skipped: Mapping[str, str] | None = None,
    refused: Mapping[str, str] | None = None,
) -> Outcome:
    """Build an outcome from lines that are already sorted: compute shares and the total.

    Args:
        step: a key of `FORMS`.
        lines: with the form's figures and words; their shares are ignored.
        notes: see `Outcome`.
        skipped: see `Outcome`.
        refused: see `Outcome`.

    """
    form = FORMS[step]
    shared = [replace(line, share=_share(form, line.figures)) for line in lines]
    summed = _total(form, [line.figures for line in lines])
    total = Line("total", summed, _share(form, summed))
    return Outcome(step, form, shared, total, list(notes), dict(skipped or {}), dict(refused or {}))


def _outcome(
    result: StepResult,
    form: str,
    sources: Mapping[str, Figures],
    notes: Iterable[str] = (),
    *,
    total: Figures | None = None,
) -> Outcome:
    """Build an outcome: sort the lines and add them up. A refused source without figures gets a line of zeros."""
    step_form = FORMS[form]
    nothing = {column.key: 0 for column in step_form.columns}
    figures_of_sources = dict.fromkeys(result.refused, nothing) | dict(sources)
    lines = [Line(name, figures, _share(step_form, figures)) for name, figures in figures_of_sources.items()]
    lines.sort(key=lambda line: _rank(line, step_form, result.refused))
    summed = _total(step_form, figures_of_sources.values()) if total is None else total
    return Outcome(
        result.step,
        step_form,
        lines,
        Line("total", summed, _share(step_form, summed)),
        list(notes),
        dict(sorted(result.skipped.items())),
        dict(sorted(result.refused.items())),
    )


def _rank(line: Line, form: Form, refused: Mapping[str, str]) -> tuple[bool, float, str]:
    last = form.columns[-1].key
    size = float(line.figures[last] or 0) if form.share is None else 0.0
    return (line.source not in refused, size if line.share is None else -line.share, line.source)


def _share(form: Form, figures: Figures) -> float | None:
    if form.part is None:
        return None
    part, whole = form.part({key: value or 0 for key, value in figures.items()})
    if whole == 0:
        return 1.0 if form is FORMS["normalize"] else 0.0
    return round(part / whole, 6)


def _total(form: Form, lines: Iterable[Figures]) -> dict[str, int | None]:
    """Add up figures by column; the total is null if no line has the figure."""
    lines = list(lines)
    total: dict[str, int | None] = {}
    for column in form.columns:
        values = [value for line in lines if (value := line[column.key]) is not None]
        total[column.key] = sum(values) if values or not lines else None
    return total


def _files(files: Iterable[Mapping[str, Any]]) -> dict[str, int | None]:
    """Count files and bytes; a file that several subsets read counts once."""
    sizes = {file["path"]: int(file["size"]) for file in files}
    return {"files": len(sizes), "bytes": sum(sizes.values())}


def _deduplicated(entry: Mapping[str, int]) -> dict[str, int | None]:
    exact, near = entry["exact_duplicates"], entry["near_duplicates"]
    kept = entry["rows"] - exact - near
    return {"rows": entry["rows"], "kept": kept, "exact_duplicates": exact, "near_duplicates": near}


def _stated(source: str, root: Path | None) -> int | None:
    try:
        return registry.load(source, root).samples
    except UnknownNameError:  # a build may outlive a manifest
        return None


def _named(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _counted(counts: Counter[str]) -> str:
    """List the most frequent names with their counts; equal counts are sorted by name."""
    return _named(f"{name} {n:,}" for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if n)


def ended(run: Callable[[], StepResult], build: Build, *, as_json: bool) -> StepResult:
    """Run a step, print its outcome and return its result. A refused result is printed before the error is raised.

    Args:
        run: runs the step.
        build: the profile.
        as_json: print JSON instead of a table.

    Raises:
        CorpusError: the step failed.

    """
    try:
        result = run()
    except (RefusedError, RefusedForNowError) as error:
        if error.result is not None:
            print_outcome(outcome_of(error.result, build.root), build.name, as_json=as_json)
        raise
    print_outcome(outcome_of(result, build.root), build.name, as_json=as_json)
    return result


_STYLES = {"failed": "red", "warning": "yellow"}


def print_outcome(outcome: Outcome, profile: str, *, as_json: bool = False) -> None:
    """Print a step's outcome to standard output: a table, or one JSON object."""
    if as_json:
        print_json(outcome.as_json(profile))
        return
    console = Terminal()
    table = _table(outcome)
    needed = console.measure(table, options=console.options.update(width=10_000)).maximum
    console.width = max(console.width, needed)  # a figure is never cut, whatever the width of the terminal
    count = f": {counted(len(outcome.lines), _kind(outcome))}" if outcome.lines else ""
    console.print(f"{outcome.step}, profile {profile}{count}", style="bold", soft_wrap=True)
    console.print(table)
    for note in outcome.notes:
        console.print(note, soft_wrap=True)
    for name, why in outcome.skipped.items():
        console.print(f"skipped {name}: {why}", soft_wrap=True)


def _table(outcome: Outcome) -> Table:
    shown = [column for column in outcome.form.columns if _is_shown(column, outcome)]
    table = Table(box=None, pad_edge=False)
    table.add_column("set" if outcome.step == "evaluations" else "source", no_wrap=True)
    for column in outcome.form.words:
        table.add_column(column.title, no_wrap=True)
    for column in (*shown, *([outcome.form.share] if outcome.form.share else [])):
        table.add_column(column.title, justify="right", no_wrap=True)

    def add(name: str, line: Line, style: str | None = None) -> None:
        words = [line.words.get(column.key, "") for column in outcome.form.words]
        cells = [*words, *(_cell(line.figures[column.key]) for column in shown)]
        table.add_row(name, *cells, *([] if line.share is None else [_percent(line.share)]), style=style)

    for line in outcome.lines[:MOST_LINES]:
        refused = line.source in outcome.refused
        style = "red" if refused else _STYLES.get(line.words.get("verdict", ""))
        add(f"{line.source} (refused)" if refused and not line.words else line.source, line, style)
    rest = outcome.lines[MOST_LINES:]
    if rest:
        summed = _total(outcome.form, [line.figures for line in rest])
        add(f"{len(rest)} more", Line("", summed, _share(outcome.form, summed)))
    add("total", outcome.total, "bold")
    return table


def _kind(outcome: Outcome) -> str:
    return "evaluation set" if outcome.step == "evaluations" else "source"


def _is_shown(column: Column, outcome: Outcome) -> bool:
    if column.shown == "some":
        return any(line.figures[column.key] for line in (*outcome.lines, outcome.total))
    return column.shown == "always"


def _cell(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _percent(share: float) -> str:
    """Format a share; a positive share is never shown as 0.0%, nor a share below 1 as 100.0%.

    >>> [_percent(share) for share in (0, 0.00001, 0.126, 0.99999, 1)]
    ['0.0%', '<0.1%', '12.6%', '>99.9%', '100.0%']
    """
    if 0 < share < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < share < 1 else f"{share:.1%}"
