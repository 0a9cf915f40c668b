"""Tables by source: what it is and where its records ended; tasks, shares and licenses of the mixes; the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from curation.build import StepResult
from curation.mixing.files import SPLITS
from curation.mixing.step.select import REASONS
from curation.pipeline.expected_rows import expected_rows
from curation.report.inputs import Inputs
from curation.report.tables.form import Column, Form, ReportTable, share

LOST = ("filtered", "quarantined")
STAGES = (*LOST, *REASONS[len(SPLITS) :], *reversed(SPLITS))
"""Stages where a record can end, in the order of the funnel."""
FAMILIES = ("retrieval", "clustering", "classification")

_SOURCE = Column("source", "name", "Name of the source.")
_MIX = Column("mix", "name", "Name of the mix.")
_SHARE = Column("share", "share", "Share of the samples of the mix.")
_SAMPLES = Column("samples", "count", "Samples in the mix: train and validation.")


def column_of(stage: str) -> str:
    """Return the column of a stage: `other_language` for `other-language`."""
    return stage.replace("-", "_")


SOURCES = Form(
    "sources",
    "normalize",
    "A row for each source of the build, by name.",
    ("source",),
    (
        _SOURCE,
        Column("title", "text", "Its title."),
        Column("task", "name", "Task type."),
        Column("family", "name", "Loss family: retrieval, clustering or classification."),
        Column("records", "count", "Samples in its raw records; a record that holds several counts as several."),
        Column("filtered", "count", "Records that a rule of its manifest leaves out."),
        Column("quarantined", "count", "Records that cannot be rows."),
        Column("rows", "count", "Rows that the records became."),
        Column("kept", "share", "Share of the records that became rows; null without records."),
        Column("unread_files", "count", "Files, and members of archives, that were not read to their end."),
        Column("unread_bytes", "count", "Their bytes that were not read."),
        Column("license", "tag", "SPDX identifier, or LicenseRef-…"),
        Column("commercial", "flag", "Whether the license allows commercial use."),
        Column("redistribution", "flag", "Whether the license allows redistribution."),
        Column("license_note", "long", "What the manifest says about the license; null: nothing."),
        Column("citation", "long", "How to cite it."),
    ),
)
SKIPPED = Form(
    "skipped",
    "fetch",
    "A row for each source of the profile that is not in the build, by name.",
    ("source",),
    (_SOURCE, Column("title", "text", "Its title."), Column("reason", "text", "Why it is not in the build.")),
)
PLAN = Form(
    "plan",
    "normalize",
    "Rows expected by the manifests against rows that came: a row for each source, the smallest share first.",
    ("source",),
    (
        _SOURCE,
        Column("expected", "count", "Rows that `curate plan` states."),
        Column("rows", "count", "Rows of the build."),
        Column("difference", "count", "Rows of the build less those expected."),
        Column("share", "share", "Rows of the build as a share of those expected; null if none are expected."),
    ),
)
FUNNEL = Form(
    "funnel",
    "mix",
    "Where the records of each source ended in each mix: a row for each mix and source, the most records first.",
    ("mix", "source"),
    (
        _MIX,
        _SOURCE,
        Column(
            "records", "count", "Samples in its raw records: the sum of the columns that follow, `samples` left out."
        ),
        *(Column(column_of(stage), "count", f"Records that ended as {stage}.") for stage in STAGES),
        _SAMPLES,
        Column("kept", "share", "Samples as a share of the records; null without records."),
    ),
)
MIX_FILTERS = Form(
    "mix_filters",
    "mix",
    "Which filters of the mix files left rows out: a row for each mix, source and filter that left out any.",
    ("mix", "source", "filter"),
    (
        _MIX,
        _SOURCE,
        Column("filter", "name", "The first filter that a row does not pass."),
        Column("records", "count", "Rows that it left out; they add up to `mix_filter` of the table `funnel`."),
    ),
)
LOSSES = Form(
    "losses",
    "normalize",
    "Why records did not become rows: a row for each source, stage and reason.",
    ("source", "stage", "reason"),
    (
        _SOURCE,
        Column("stage", "name", "filtered or quarantined."),
        Column("reason", "text", "Why."),
        Column("records", "count", "Records."),
    ),
)
TASKS = Form(
    "tasks",
    "normalize",
    "A row for each task type, by family, the most rows first.",
    ("family", "task"),
    (
        Column("task", "name", "Task type."),
        Column("family", "name", "Loss family; it decides which terms of the training objective a sample feeds."),
        Column("sources", "count", "Sources of this type."),
        Column("rows", "count", "Their rows."),
        Column("share", "share", "Share of all rows."),
    ),
)
MIX_TASKS = Form(
    "mix_tasks",
    "mix",
    "A row for each mix and task type, in the order of `tasks`.",
    ("mix", "family", "task"),
    (_MIX, Column("task", "name", "Task type."), Column("family", "name", "Loss family."), _SAMPLES, _SHARE),
)
MIX_SOURCES = Form(
    "mix_sources",
    "mix",
    "What each mix is made of: a row for each mix and source, the most samples first.",
    ("mix", "source"),
    (
        _MIX,
        _SOURCE,
        Column("license", "tag", "License of the source."),
        _SAMPLES,
        _SHARE,
        Column("rows_share", "share", "Share of all rows of the build that the source has."),
        Column("difference", "points", "Share of the mix less the share of all rows."),
    ),
)
MIX_LICENSES = Form(
    "mix_licenses",
    "mix",
    "Licenses as shares of each mix, by the license of a sample's own source: the most samples first.",
    ("mix", "license", "commercial", "redistribution"),
    (
        _MIX,
        Column("license", "tag", "SPDX identifier, or LicenseRef-…"),
        Column("commercial", "flag", "Whether it allows commercial use."),
        Column("redistribution", "flag", "Whether it allows redistribution."),
        Column("sources", "count", "Sources under it."),
        _SAMPLES,
        _SHARE,
    ),
)
FORMS = (SOURCES, SKIPPED, PLAN, FUNNEL, MIX_FILTERS, LOSSES, TASKS, MIX_TASKS, MIX_SOURCES, MIX_LICENSES)


def fill(inputs: Inputs) -> Iterator[ReportTable]:
    """Fill the tables of this module."""
    yield SOURCES.fill(_sources(inputs))
    yield SKIPPED.fill((s, inputs.manifests[s].title, why) for s, why in inputs.skipped.items())
    yield PLAN.fill(_plan(inputs))
    yield FUNNEL.fill(row for name, mix in inputs.made_mixes.items() for row in _funnel(inputs, name, mix))
    yield MIX_FILTERS.fill(
        (name, source, reason, count)
        for name, mix in inputs.made_mixes.items()
        for source, of in sorted(mix.stats.get("filters", {}).items())
        for reason, count in of.items()
    )
    yield LOSSES.fill(_losses(inputs))
    tasks = list(_tasks(inputs))
    yield TASKS.fill(tasks)
    yield MIX_TASKS.fill(_mix_tasks(inputs, tasks))
    yield MIX_SOURCES.fill(row for name, mix in inputs.made_mixes.items() for row in _mix_sources(inputs, name, mix))
    yield MIX_LICENSES.fill(row for name, mix in inputs.made_mixes.items() for row in _licenses(inputs, name, mix))


def _lost(inputs: Inputs, source: str) -> list[int]:
    entry = inputs.rows.stats["sources"][source]
    return [sum(entry[stage].values()) for stage in LOST]


def _sources(inputs: Inputs) -> Iterator[tuple[object, ...]]:
    for source, entry in sorted(inputs.rows.stats["sources"].items()):
        manifest, lost = inputs.manifests[source], _lost(inputs, source)
        records = entry["rows"] + sum(lost)
        yield (
            source,
            manifest.title,
            manifest.task,
            manifest.family,
            records,
            *lost,
            entry["rows"],
            share(entry["rows"], records),
            entry.get("unread_files", 0),
            entry.get("unread_bytes", 0),
            manifest.license.id,
            manifest.license.commercial,
            manifest.license.redistribution,
            manifest.license.note or None,
            manifest.citation,
        )


def _plan(inputs: Inputs) -> list[tuple[object, ...]]:
    rows = []
    for source, manifest in inputs.manifests.items():
        if source in inputs.skipped:
            continue
        expected = expected_rows(manifest, inputs.build.profile)
        come = inputs.rows.stats["sources"][source]["rows"]
        rows.append((source, expected, come, come - expected, share(come, expected)))
    return sorted(rows, key=lambda row: (row[4] is None, row[4] or 0.0, row[3], row[0]))


def _funnel(inputs: Inputs, name: str, mix: StepResult) -> list[tuple[object, ...]]:
    rows = []
    for source, entry in inputs.rows.stats["sources"].items():
        if source not in mix.stats["sources"]:
            continue
        lost = _lost(inputs, source)
        # a mix of an older version has no entry for a newer reason
        ends = dict(zip(LOST, lost, strict=True)) | dict.fromkeys(REASONS, 0) | mix.stats["sources"][source]
        records, samples = entry["rows"] + sum(lost), sum(ends[split] for split in SPLITS)
        rows.append((name, source, records, *(ends[stage] for stage in STAGES), samples, share(samples, records)))
    return sorted(rows, key=lambda row: (-row[2], row[1]))


def _losses(inputs: Inputs) -> Iterator[tuple[object, ...]]:
    for source, entry in sorted(inputs.rows.stats["sources"].items()):
        for stage in LOST:
            for reason, count in sorted(entry[stage].items(), key=lambda item: (-item[1], item[0])):
                yield source, stage, reason, count


def _tasks(inputs: Inputs) -> list[tuple[str, str, int, int, float | None]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for source in inputs.rows.stats["sources"]:
        manifest = inputs.manifests[source]
        groups.setdefault((manifest.family, manifest.task), []).append(source)
    rows_of = {source: entry["rows"] for source, entry in inputs.rows.stats["sources"].items()}
    every = sum(rows_of.values())
    rows = []
    for (family, task), members in groups.items():
        count = sum(rows_of[source] for source in members)
        rows.append((task, family, len(members), count, share(count, every)))
    return sorted(rows, key=lambda row: (FAMILIES.index(row[1]), -row[3], row[0]))


def samples_of(mix: StepResult) -> dict[str, int]:
    """Return source → samples of a mix."""
    return {source: sum(ends[split] for split in SPLITS) for source, ends in mix.stats["sources"].items()}


def _mix_tasks(inputs: Inputs, tasks: list[tuple[str, str, int, int, float | None]]) -> Iterator[tuple[object, ...]]:
    for name, mix in inputs.made_mixes.items():
        counts: Counter[tuple[str, str]] = Counter()
        for source, samples in samples_of(mix).items():
            counts[inputs.manifests[source].task, inputs.manifests[source].family] += samples
        for task, family, *_ in tasks:
            if (task, family) in counts:
                yield name, task, family, counts[task, family], share(counts[task, family], counts.total())


def _mix_sources(inputs: Inputs, name: str, mix: StepResult) -> list[tuple[object, ...]]:
    samples = samples_of(mix)
    every, whole = sum(entry["rows"] for entry in inputs.rows.stats["sources"].values()), sum(samples.values())
    rows: list[tuple[object, ...]] = []
    for source in sorted(samples, key=lambda s: (-samples[s], s)):
        of_mix = share(samples[source], whole)
        of_rows = share(inputs.rows.stats["sources"][source]["rows"], every)
        more = None if of_mix is None or of_rows is None else round(of_mix - of_rows, 6)
        rows.append((name, source, inputs.manifests[source].license.id, samples[source], of_mix, of_rows, more))
    return rows


def _licenses(inputs: Inputs, name: str, mix: StepResult) -> list[tuple[object, ...]]:
    counts: Counter[tuple[str, bool, bool]] = Counter()
    sources: Counter[tuple[str, bool, bool]] = Counter()
    for source, samples in samples_of(mix).items():
        own = inputs.manifests[source].license
        counts[own.id, own.commercial, own.redistribution] += samples
        sources[own.id, own.commercial, own.redistribution] += 1
    ordered = sorted(counts, key=lambda key: (-counts[key], key))
    return [(name, *key, sources[key], counts[key], share(counts[key], counts.total())) for key in ordered]
