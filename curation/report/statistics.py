"""The report's figures from the steps' files: what ran, key figures, the funnel, tasks, licenses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from curation.build import Build, StepResult
from curation.build import Inputs as StepInputs
from curation.mixing.recipe import built_mixes
from curation.mixing.step.select import REASONS
from curation.pipeline.model_state import evaluation_of
from sources import registry
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
"""Where a record can end, in the order of the funnel."""
assert set(STAGES) == {*LOST, *REASONS}


@dataclass(frozen=True)
class Inputs:
    """The steps' files; null for a step that has not run. `read` is the same as the step `report` knows it."""

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
    """Read what there is.

    Raises:
        StageError: nothing is normalized yet, or what a later step or the trainer left is not of these rows.

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
        manifests={name: registry.load(name) for name in sorted({*rows.stats["sources"], *rows.skipped})},
    )


@dataclass(frozen=True)
class FunnelRow:
    """What became of a source's records. `ends` has an entry for each of `STAGES` that is known by now."""

    source: str
    rows: int
    ends: dict[str, int]
    unread_files: int = 0
    """Files and members of archives that were not read to their end."""
    unread_bytes: int = 0

    @property
    def records(self) -> int:
        """Everything the source's shape looked at."""
        return self.rows + sum(self.ends[stage] for stage in LOST)

    @property
    def samples(self) -> int:
        """What is in the mix."""
        return self.ends["train"] + self.ends["validation"]


def funnel(inputs: Inputs, mix: StepResult | None) -> list[FunnelRow]:
    """Return a row for each source of the mix, or of all sources up to their rows; the largest first."""
    found = []
    for source, entry in inputs.rows.stats["sources"].items():
        if mix is not None and source not in mix.stats["sources"]:
            continue
        ends = {stage: sum(entry[stage].values()) for stage in LOST}
        if mix:  # one made before a reason was thought of lost no row for it
            ends |= dict.fromkeys(REASONS, 0) | mix.stats["sources"][source]
        unread = (entry.get("unread_files", 0), entry.get("unread_bytes", 0))
        row = FunnelRow(source, entry["rows"], ends, *unread)
        assert mix is None or sum(ends[stage] for stage in STAGES) == row.records, f"{source}: a record is unaccounted"
        found.append(row)
    return sorted(found, key=lambda row: (-row.records, row.source))


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
    """Return (source, filtered or quarantined, reason, records) of everything that did not become a row."""
    return [
        (source, stage, reason, count)
        for source, entry in sorted(inputs.rows.stats["sources"].items())
        for stage in LOST
        for reason, count in sorted(entry[stage].items(), key=lambda item: (-item[1], item[0]))
    ]


@dataclass(frozen=True)
class TaskRow:
    """Rows and samples of one task."""

    task: str
    family: str
    sources: int
    rows: int
    samples: dict[str, int]
    """Mix → samples."""


def tasks(inputs: Inputs) -> list[TaskRow]:
    """Return the tasks by family, the larger first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for source in inputs.rows.stats["sources"]:
        manifest = inputs.manifests[source]
        groups.setdefault((manifest.family, manifest.task), []).append(source)
    found = []
    for (family, task), members in groups.items():
        rows = sum(inputs.rows.stats["sources"][s]["rows"] for s in members)
        samples = {
            name: sum(
                sum(mix.stats["sources"].get(s, {}).get(end, 0) for end in ("train", "validation")) for s in members
            )
            for name, mix in inputs.mixes.items()
            if mix
        }
        found.append(TaskRow(task, family, len(members), rows, samples))
    order = ("retrieval", "clustering", "classification")
    return sorted(found, key=lambda t: (order.index(t.family), -t.rows, t.task))


@dataclass(frozen=True)
class Figure:
    """One of the large numbers at the top."""

    label: str
    value: str
    note: str = ""


def key_figures(
    inputs: Inputs, languages: int, programming: int, scores: tuple[float, float | None] | None
) -> list[Figure]:
    """Return the header's figures; `scores` are nDCG@10 of the trained and the untrained model."""
    entries = inputs.rows.stats["sources"].values()
    rows = sum(entry["rows"] for entry in entries)
    quarantined = sum(sum(entry["quarantined"].values()) for entry in entries)
    sources = len(inputs.rows.stats["sources"])
    found = [
        Figure("rows", f"{rows:,}", "normalized samples"),
        Figure("sources", f"{sources:,}", f"{len(inputs.skipped):,} skipped" if inputs.skipped else "none skipped"),
        Figure("languages", f"{languages:,}", "declared by the sources"),
        Figure("programming languages", f"{programming:,}", "declared by the sources"),
    ]
    for name, mix in inputs.mixes.items():
        if mix:
            counts = mix.stats["counts"]
            found.append(
                Figure(f"{name} mix", f"{counts['samples']:,}", f"samples over {counts['documents']:,} documents")
            )
    if inputs.dedup:
        sample = inputs.dedup.stats["sample"]
        duplicates = sample["exact_duplicates"] + sample["near_duplicates"]
        found.append(Figure("duplicates", f"{duplicates:,}", f"{sample['near_duplicates']:,} of them near-duplicates"))
    if inputs.decontaminated and inputs.decontaminated.stats["tasks"]:
        held = sum(entry["contaminated"] for entry in inputs.decontaminated.stats["sources"].values())
        tasks = inputs.decontaminated.stats["tasks"]
        found.append(Figure("contaminated", f"{held:,}", f"rows, by {len(tasks):,} evaluation sets"))
    found.append(Figure("quarantined", f"{quarantined:,}", "records kept aside, with reasons"))
    if scores:
        before = "" if scores[1] is None else f"{scores[1]:.3f} before training"
        found.append(Figure("nDCG@10", f"{scores[0]:.3f}", before))
    return found
