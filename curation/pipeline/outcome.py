"""The outcome of a step: what it made and lost, as a short table for people and a JSON object for programs.

Every step of `curate` prints it at the end, from the figures in the step's file. The source that lost the largest share
comes first::

    from curation.pipeline.outcome import outcome_of

    outcome_of(load(build, "normalize")).lines[0]  # the source that lost most, with its figures

`curation.pipeline.outcome_forms` defines the figures of a line, what each one counts, and the share;
`curation.pipeline.outcome_printing` prints them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from curation.build import StepResult
from curation.pipeline.outcome_forms import CHECKS, FORMS, MIX_KEYS, Figures, Form, share_of, total_of
from open_ml_embed.core.errors import UnknownNameError
from sources import registry

MOST_NAMES = 5
"""Most names or reasons in a note."""


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
            "masked": sum(entry.get("masked", {}).values()),
            **{column.key: _of_sides(entry.get("checks", {}), column.key) for column in CHECKS},
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


def measure_outcome(result: StepResult, _root: Path | None = None) -> Outcome:
    """Return the outcome of `measure`: rows with an unusual figure, by figure."""
    sources: dict[str, dict[str, int | None]] = {}
    for source, entry in result.stats["sources"].items():
        figures = {column.key: entry["unusual"].get(column.key, 0) for column in FORMS["measure"].columns}
        sources[source] = figures | {key: entry[key] for key in ("rows", "unusual_rows")}
    return _outcome(result, "measure", sources)


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
        figures = {key: verdicts.get(verdict, 0) for verdict, key in MIX_KEYS.items()}
        samples = figures["train"] + figures["validation"]
        all_figures = {"rows": sum(figures.values()), "samples": samples, **figures, "stated": _stated(source, root)}
        sources[source] = {column.key: all_figures[column.key] for column in FORMS["mix"].columns}
    counts = result.stats["counts"]
    notes = [f"{counts['train']:,} samples to train on, {counts['validation']:,} held out"]
    notes.append(f"{counts['documents']:,} documents")
    filtered = sum((Counter(of) for of in result.stats.get("filters", {}).values()), Counter[str]())
    if filtered:
        notes.append(f"rows left out by filters and thresholds: {_counted(filtered)}")
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
    "measure": measure_outcome,
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
    shared = [replace(line, share=share_of(form, line.figures)) for line in lines]
    summed = total_of(form, [line.figures for line in lines])
    total = Line("total", summed, share_of(form, summed))
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
    lines = [Line(name, figures, share_of(step_form, figures)) for name, figures in figures_of_sources.items()]
    lines.sort(key=lambda line: _rank(line, step_form, result.refused))
    summed = total_of(step_form, figures_of_sources.values()) if total is None else total
    return Outcome(
        result.step,
        step_form,
        lines,
        Line("total", summed, share_of(step_form, summed)),
        list(notes),
        dict(sorted(result.skipped.items())),
        dict(sorted(result.refused.items())),
    )


def _rank(line: Line, form: Form, refused: Mapping[str, str]) -> tuple[bool, float, str]:
    last = form.columns[-1].key
    size = float(line.figures[last] or 0) if form.share is None else 0.0
    return (line.source not in refused, size if line.share is None else -line.share, line.source)


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
