"""Writes docs/scale.md and docs/scale.svg from the figures of real runs."""

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
({rows:,} / {large:,})^x. `curate plan` computes hours in this way, from `manifests/rates.yaml`. Seconds by the
clock are those of CPU divided by the cores, where a step runs in parallel.

The arithmetic supposes that texts are as long as the made-up ones and that growth stays the same; a size {times:.0f}
times as large is beyond what was measured. Real text compresses, repeats and resembles itself otherwise than made-up
words do. What dedup alone costs at 50 million rows is measured in [dedup](dedup.md).
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
