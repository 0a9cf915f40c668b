"""Figures of the report from the step files: which steps ran, key figures, the funnel, tasks, licenses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from curation.build import Build, StepResult
from curation.build import Inputs as StepInputs
from curation.mixing.recipe import built_mixes
from curation.mixing.step.select import REASONS
from curation.pipeline.model_state import evaluation_of
from sources.manifest import Manifest

LOST = ("filtered", "quarantined")
STAGES = (
    *LOST,
    "other-language",
    "exact-duplicate",
    "near-duplicate",
    "contaminated",
    "no-negatives",
    "held-out-twin",
    "over-cap",
    "validation",
    "train",
)
"""Stages where a record can end, in the order of the funnel."""
assert set(STAGES) == {*LOST, *REASONS}


@dataclass(frozen=True)
class Inputs:
    """Results of the steps, null for a step that has not run.

    Attributes:
        read: the inputs of step `report`.
        rows: result of `normalize`.
        identified: result of `identify`.
        dedup: result of `dedup`.
        decontaminated: result of `decontaminate`.
        mined: result of `mine`.
        mixes: mix name → result.
        skipped: source → why it was not fetched.
        evaluation: content of `evaluation.json`.
        manifests: of all sources, skipped ones included.

    """

    read: StepInputs
    rows: StepResult
    identified: StepResult | None
    dedup: StepResult | None
    decontaminated: StepResult | None
    mined: StepResult | None
    mixes: dict[str, StepResult | None]
    skipped: dict[str, str]
    evaluation: dict[str, Any] | None
    manifests: dict[str, Manifest]


def load_inputs(build: Build, read: StepInputs) -> Inputs:
    """Read the results of all steps that have run.

    Raises:
        StageError: nothing is normalized yet, or a later result or the evaluation was made from other rows.

    """
    rows = read["normalize"]
    return Inputs(
        read=read,
        rows=rows,
        identified=read.get("identify"),
        dedup=read.get("dedup"),
        decontaminated=read.get("decontaminate"),
        mined=read.get("mine"),
        mixes={name: read.get(f"mix-{name}") for name in built_mixes(build.profile, build.root)},
        skipped=dict(sorted(rows.skipped.items())),
        evaluation=evaluation_of(build),
        manifests={name: build.manifest(name) for name in sorted({*rows.stats["sources"], *rows.skipped})},
    )


@dataclass(frozen=True)
class FunnelRow:
    """Number of a source's records that ended at each stage.

    Attributes:
        source: name.
        rows: records that became rows.
        ends: stage → records, for each of `STAGES` that is known so far.

    """

    source: str
    rows: int
    ends: dict[str, int]
    unread_files: int = 0
    """Files, and members of archives, that were not read to their end."""
    unread_bytes: int = 0
    """Their bytes that were not read."""

    @property
    def records(self) -> int:
        """Number of records of the source."""
        return self.rows + sum(self.ends[stage] for stage in LOST)

    @property
    def samples(self) -> int:
        """Number of samples in the mix."""
        return self.ends["train"] + self.ends["validation"]


def funnel(inputs: Inputs, mix: StepResult | None) -> list[FunnelRow]:
    """Return a row for each source, the largest first.

    Args:
        inputs: results of the steps.
        mix: result of the mix; null: all sources, with the stages before rows only.

    """
    funnel_rows = []
    for source, entry in inputs.rows.stats["sources"].items():
        if mix is not None and source not in mix.stats["sources"]:
            continue
        ends = {stage: sum(entry[stage].values()) for stage in LOST}
        if mix:  # a mix of an older version has no entry for a newer reason
            ends |= dict.fromkeys(REASONS, 0) | mix.stats["sources"][source]
        unread_files_and_bytes = (entry.get("unread_files", 0), entry.get("unread_bytes", 0))
        row = FunnelRow(source, entry["rows"], ends, *unread_files_and_bytes)
        assert mix is None or sum(ends[stage] for stage in STAGES) == row.records, f"{source}: a record is unaccounted"
        funnel_rows.append(row)
    return sorted(funnel_rows, key=lambda row: (-row.records, row.source))


def total(rows: list[FunnelRow]) -> FunnelRow:
    """Add up the rows of a funnel."""
    ends: Counter[str] = Counter()
    for row in rows:
        ends.update(row.ends)
    return FunnelRow(
        "all",
        sum(row.rows for row in rows),
        dict(ends),
        sum(row.unread_files for row in rows),
        sum(row.unread_bytes for row in rows),
    )


def losses(inputs: Inputs) -> list[tuple[str, str, str, int]]:
    """Return (source, `filtered` or `quarantined`, reason, records) for all records that did not become rows."""
    return [
        (source, stage, reason, count)
        for source, entry in sorted(inputs.rows.stats["sources"].items())
        for stage in LOST
        for reason, count in sorted(entry[stage].items(), key=lambda item: (-item[1], item[0]))
    ]


@dataclass(frozen=True)
class TaskRow:
    """Numbers of sources, rows and samples of one task."""

    task: str
    family: str
    sources: int
    rows: int
    samples: dict[str, int]
    """Mix → samples."""


def tasks(inputs: Inputs) -> list[TaskRow]:
    """Return the tasks, sorted by family, then by rows, the largest first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for source in inputs.rows.stats["sources"]:
        manifest = inputs.manifests[source]
        groups.setdefault((manifest.family, manifest.task), []).append(source)
    task_rows = []
    for (family, task), members in groups.items():
        rows = sum(inputs.rows.stats["sources"][s]["rows"] for s in members)
        samples = {
            name: sum(
                sum(mix.stats["sources"].get(s, {}).get(end, 0) for end in ("train", "validation")) for s in members
            )
            for name, mix in inputs.mixes.items()
            if mix
        }
        task_rows.append(TaskRow(task, family, len(members), rows, samples))
    order = ("retrieval", "clustering", "classification")
    return sorted(task_rows, key=lambda t: (order.index(t.family), -t.rows, t.task))


@dataclass(frozen=True)
class Figure:
    """One of the key figures at the top of the report."""

    label: str
    value: str
    note: str = ""


def key_figures(
    inputs: Inputs, languages: int, programming: int, scores: tuple[float, float | None] | None
) -> list[Figure]:
    """Return the key figures.

    Args:
        inputs: results of the steps.
        languages: number of declared natural languages.
        programming: number of declared programming languages.
        scores: nDCG@10 of the trained and of the untrained model; null: not evaluated.

    """
    entries = inputs.rows.stats["sources"].values()
    rows = sum(entry["rows"] for entry in entries)
    quarantined = sum(sum(entry["quarantined"].values()) for entry in entries)
    sources = len(inputs.rows.stats["sources"])
    figures = [
        Figure("rows", f"{rows:,}", "normalized samples"),
        Figure("sources", f"{sources:,}", f"{len(inputs.skipped):,} skipped" if inputs.skipped else "none skipped"),
        Figure("languages", f"{languages:,}", "declared by the sources"),
        Figure("programming languages", f"{programming:,}", "declared by the sources"),
    ]
    for name, mix in inputs.mixes.items():
        if mix:
            counts = mix.stats["counts"]
            figures.append(
                Figure(f"{name} mix", f"{counts['samples']:,}", f"samples over {counts['documents']:,} documents")
            )
    if inputs.dedup:
        sample = inputs.dedup.stats["sample"]
        duplicates = sample["exact_duplicates"] + sample["near_duplicates"]
        figures.append(
            Figure("duplicates", f"{duplicates:,}", f"{sample['near_duplicates']:,} of them near-duplicates")
        )
    if inputs.decontaminated and inputs.decontaminated.stats["tasks"]:
        contaminated = sum(entry["contaminated"] for entry in inputs.decontaminated.stats["sources"].values())
        tasks = inputs.decontaminated.stats["tasks"]
        figures.append(Figure("contaminated", f"{contaminated:,}", f"rows, by {len(tasks):,} evaluation sets"))
    figures.append(Figure("quarantined", f"{quarantined:,}", "records kept aside, with reasons"))
    if scores:
        before = "" if scores[1] is None else f"{scores[1]:.3f} before training"
        figures.append(Figure("nDCG@10", f"{scores[0]:.3f}", before))
    return figures
