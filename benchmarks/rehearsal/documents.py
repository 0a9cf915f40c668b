"""Writes docs/scale.md and docs/scale.svg, or docs/scale-part.md for some sources, from the figures of real runs."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rehearsal.growth import (
    CORPUS,
    Figures,
    exponent,
    extrapolated,
    growth_table,
    line,
    planted_table,
    table,
)

_PAGE = """# Scale

What a build of the whole corpus costs, measured by rehearsals: all {sources} sources of the corpus and their {subsets}
subsets, built together by the command line, on made-up data in the real raw formats.

```sh
.venv/bin/python -m benchmarks.rehearsal --fraction {fractions} --docs
```

The raw files are those of the test fixtures, repeated with other words until each source has that fraction of its
published samples (at least one copy, so small fractions have more rows). Words are drawn by Zipf's law from a
vocabulary for each script; lengths are log-normal, with medians of 9 words for questions, 16 for sentences, 70 for
passages and 280 for articles. Labels and identifiers are consistent, so joins work. Duplicates, leaks of an evaluation
set and broken records are planted.{note}

![CPU time, memory and disk over the number of rows](scale.svg)

{tables}

What was planted in the largest run:

{planted}

The run fails unless all exact duplicates are gone, near-duplicates are missed only as often as the bands let expect,
the contaminated rows are exactly the planted ones, broken records are quarantined, the records of every raw file are
as many as were written, and the verdicts of each mix add up to the rows.

## The whole corpus

{growth}

The first columns are the x for which the cost grows as rows to the power x; 1 is linear. Below 1, part of the cost is
fixed: processes, models and {subsets} subsets. The others follow from the last two sizes, with {small:,} and
{large:,} rows. If x is at most 1, they are on the line through both: for `{step}`, {fixed:,.0f} s + {rows:,} rows ×
{each:,.1f} s / 1,000,000 = {whole:,.0f} s of CPU. If x is above 1, the power law holds: the larger cost ×
({rows:,} / {large:,})^x. `curate plan` computes hours from rows, characters and subsets, by
`manifests/rates.yaml`. Seconds by the clock are those of CPU divided by the cores, where a step runs in parallel.

The arithmetic supposes that texts are as long as the made-up ones and that growth stays the same; a size {times:.0f}
times as large is beyond what was measured. Real text compresses, repeats and resembles itself otherwise than made-up
words do. [Some sources at a larger size](scale-part.md) are a check of it. What dedup alone costs at 50 million rows is
measured in [dedup](dedup.md).
"""

_PART = """# Scale: some sources, larger

{sources} of the sources of the corpus at {fraction:g} of their published size, built by the command line as in
[scale](scale.md), on raw files made in the same way:

```sh
.venv/bin/python -m benchmarks.rehearsal --fraction {fraction:g} --docs --source {names}
```
{note}
{table}

{workers} workers; raw files of {raw:,.0f} MiB, made in {generation:,.0f} s. {rows:,} rows in all:

{of_sources}

The largest process of all steps took {peak:,.0f} MiB.

{planted}

The run fails unless the records of every raw file are as many as were written, and the verdicts of each mix add up to
the rows.

## The whole corpus

The whole corpus has {corpus:,} rows, {times:.2f} times as many. Each row takes as long as here if it is as long and
its pool, which is a source in one language or a pair of languages, as large; so hours are the CPU seconds here ×
{times:.2f} / 3,600:

{whole}
"""


def write(figures: list[Figures], folder: Path, note: str = "") -> None:
    """Write both files; `note` is a sentence about the machine.

    Raises:
        SystemExit: fewer than two sizes were built, or one of them failed.

    """
    if len(figures) < 2 or any(f.failures for f in figures):
        raise SystemExit("--docs needs two fractions or more, all without a failure")
    from sources import registry

    manifests = list(registry.load_all("ml-embed"))
    small, large = figures[-2:]
    linear = [name for name in large.steps if exponent(small, large, name, "cpu") <= 1]
    step = max(linear or large.steps, key=lambda name: large.steps[name]["cpu"])
    fixed, each = line(small, large, step, "cpu")
    tables = [
        f"## {f.fraction:g} of the corpus: {f.rows:,} rows\n\n{table(f)}\n\n"
        f"{f.workers} workers; raw files of {f.raw / 2**20:,.0f} MiB, made in {f.generation:,.0f} s."
        for f in figures
    ]
    page = _PAGE.format(
        sources=len(manifests),
        subsets=f"{sum(len(manifest.subsets) for manifest in manifests):,}",
        fractions=" ".join(f"{f.fraction:g}" for f in figures),
        tables="\n\n".join(tables),
        planted=planted_table(large),
        note=f"\n\n{note}" if note else "",
        times=CORPUS / large.rows,
        growth=growth_table(figures),
        small=small.rows, large=large.rows, rows=CORPUS, step=step, fixed=fixed, each=each * 1e6,
        whole=extrapolated(small, large, step, "cpu"),
    )  # fmt: skip
    (folder / "scale.md").write_text(page, "utf-8")
    plot(figures, folder / "scale.svg")


def write_part(figures: Figures, folder: Path, note: str = "") -> None:
    """Write docs/scale-part.md from one run with some sources.

    Args:
        figures: of the run.
        folder: of the page.
        note: a sentence about the machine.

    Raises:
        SystemExit: the run failed.

    """
    if figures.failures:
        raise SystemExit("--docs needs a run without a failure")
    sources, times = figures.of_sources, CORPUS / figures.rows
    lines = ["| step | CPU seconds here | whole corpus: CPU hours |", "| --- | --- | --- |"]
    for step, cpu in [
        *((step, cost["cpu"]) for step, cost in figures.steps.items()),
        ("all", sum(cost["cpu"] for cost in figures.steps.values())),
    ]:
        lines.append(f"| {step} | {cpu:,.0f} | {cpu * times / 3600:,.1f} |")
    page = _PART.format(
        sources=len(sources),
        fraction=figures.fraction,
        names=" ".join(sources),
        note=f"\n{note}\n" if note else "",
        table=table(figures),
        workers=figures.workers,
        raw=figures.raw / 2**20,
        generation=figures.generation,
        rows=figures.rows,
        of_sources="\n".join(
            ["| source | rows |", "| --- | --- |", *(f"| {name} | {rows:,} |" for name, rows in sources.items())]
        ),
        peak=max(cost["largest"] for cost in figures.steps.values()) / 2**20,
        planted=f"What was planted:\n\n{planted_table(figures)}"
        if any(counts["planted"] for counts in figures.planted.values())
        else "Duplicates, leaks and broken records are planted in files whose records are whole pairs; the files of\n"
        "these sources are others.",
        corpus=CORPUS,
        times=times,
        whole="\n".join(lines),
    )
    (folder / "scale-part.md").write_text(page, "utf-8")


def plot(figures: list[Figures], path: Path) -> None:
    """Plot CPU time, memory and disk usage of each step over the number of rows."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "scale", "svg.fonttype": "none", "font.family": "sans-serif"}
    from matplotlib import pyplot

    sizes = [f.rows for f in figures]
    figure, axes = pyplot.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
    shown = (("cpu", "CPU seconds", 1), ("memory", "peak memory, MiB", 2**20), ("work", "work/ after it, MiB", 2**20))
    for axis, (column, title, unit) in zip(axes, shown, strict=True):
        for step in figures[-1].steps:
            axis.plot(sizes, [f.steps[step][column] / unit for f in figures], marker="o", markersize=3, label=step)
        axis.set(title=title, xlabel="rows", xscale="log", yscale="log")
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})
