"""The charts of the report. Each function draws figures as an SVG element."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from curation.report.drawing import CARD, INK, MUTED, WIDTH, style, to_svg
from curation.report.languages import Confusion, LanguageRow
from curation.report.model import Evaluation, Point
from curation.report.shard_statistics import EDGES, Lengths, SourceSurvey
from curation.report.statistics import STAGES, FunnelRow, TaskRow
from open_ml_embed.core.array_types import F64

BLUE, SKY, ORANGE = "#2f6fde", "#7fb2f5", "#e8913a"
STAGE_COLOURS = dict(
    zip(
        STAGES,
        ("#9aa4b2", "#6b7686", "#8a5a3c", "#c2453c", "#e8913a", "#5b8c3a", "#c77fb4", "#8b5fc7", "#d9bd3c", SKY, BLUE),
        strict=True,
    )
)
FAMILY_COLOURS = {"retrieval": BLUE, "clustering": "#2aa187", "classification": ORANGE}
_HEAT = LinearSegmentedColormap.from_list("heat", [(0.14, 0.35, 0.77, opacity) for opacity in (0.08, 1.0)])
"""Values are shown by opacity, not lightness, so that the chart works on a light and on a dark page."""

MOST_BARS = 40
"""Sources or languages that a chart shows."""


def human(value: float) -> str:
    """Format a count for an axis.

    >>> human(0), human(950), human(12_000), human(2_500_000)
    ('0', '950', '12k', '2.5M')
    """
    for unit, sign in ((1_000_000, "M"), (1_000, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{sign}"
    return f"{value:.3g}"


def funnel_chart(name: str, rows: Sequence[FunnelRow]) -> Markup:
    """Draw the share of each source's records that ended at each stage, as stacked bars."""
    rows = rows[:MOST_BARS]
    with style():
        figure, axes = _figure(0.26 * len(rows) + 0.5)
        positions, left = np.arange(len(rows)), np.zeros(len(rows))
        records = np.array([max(row.records, 1) for row in rows])
        for stage in reversed(STAGES):
            share = np.array([row.ends[stage] for row in rows]) / records
            axes.barh(positions, share, left=left, height=0.66, color=STAGE_COLOURS[stage])
            left += share
        for position, row in enumerate(rows):
            axes.text(1.012, position, f"{row.samples:,} of {row.records:,}", va="center", color=MUTED, fontsize=7)
        _label_rows(axes, [row.source for row in rows])
        axes.set_xlim(0, 1.17)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.spines["bottom"].set_visible(False)
        return to_svg(figure, f"funnel-{name}", f"Where the records of each source of the {name} mix ended, as shares")


def language_chart(name: str, rows: Sequence[LanguageRow]) -> Markup:
    """Draw the number of rows of each language as bars, the largest first, on a log scale."""
    rows = rows[:MOST_BARS]
    with style(ytick_labelcolor=MUTED, xtick_labelcolor=INK):
        figure, axes = _figure(2.5)
        axes.bar(range(len(rows)), [row.rows for row in rows], width=0.72, color=BLUE)
        axes.set_yscale("log")
        axes.set_ylim(bottom=10 ** math.floor(math.log10(max(min(row.rows for row in rows) * 0.8, 0.1))))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: human(value)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.grid(axis="y")
        axes.set_xticks(range(len(rows)), [row.code for row in rows], rotation=90)
        axes.set_xlim(-0.7, max(len(rows), 12) - 0.3)
        axes.set_ylabel("rows")
        axes.spines["left"].set_visible(False)
        return to_svg(figure, f"languages-{name}", f"Rows of the {len(rows)} largest {name} languages, log scale")


def confusion_chart(table: Confusion) -> Markup:
    """Draw the confusion matrix of declared and identified languages."""
    with style(xtick_labelcolor=INK):
        figure, axes = _figure(0.27 * len(table.declared) + 0.9)
        _draw_cells(axes, table.shares, _percent, low=0.0, high=1.0)
        axes.set_xticks(np.arange(len(table.identified)) + 0.5, table.identified, rotation=90)
        axes.set_yticks(np.arange(len(table.declared)) + 0.5, table.declared)
        axes.set_xlabel("identified")
        axes.set_ylabel("declared")
        what = f"Identified against declared language, the {len(table.declared)} largest, percent of the declared texts"
        return to_svg(figure, "confusion", what)


def task_chart(rows: Sequence[TaskRow]) -> Markup:
    """Draw the number of rows of each task as bars, colored by family."""
    with style():
        figure, axes = _figure(0.26 * len(rows) + 0.5)
        colors = [FAMILY_COLOURS[row.family] for row in rows]
        bars = axes.barh(range(len(rows)), [row.rows for row in rows], height=0.66, color=colors)
        axes.bar_label(bars, [f"{row.rows:,}" for row in rows], padding=4, color=MUTED, fontsize=7)
        _label_rows(axes, [row.task for row in rows])
        axes.set_xlim(0, 1.14 * max(1, *(row.rows for row in rows)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: human(value)))
        axes.spines["bottom"].set_visible(False)
        return to_svg(figure, "tasks", "Rows of each task")


def length_chart(surveys: dict[str, SourceSurvey]) -> Markup:
    """Draw the distributions of text lengths, one line for each source, one panel each for queries and positives."""
    names = sorted(surveys, key=lambda name: (-surveys[name].rows, name))[:MOST_BARS]
    with style():
        figure = Figure((WIDTH, 0.34 * len(names) + 0.7), layout="constrained")
        longest = max(10, *(side.longest for s in surveys.values() for side in (s.query, s.positive)))
        panels = figure.subplots(1, 2, sharey=True, gridspec_kw={"wspace": 0.06})
        for axes, side, color in zip(panels, ("query", "positive"), (BLUE, ORANGE), strict=True):
            for position, name in enumerate(names):
                _draw_density(axes, getattr(surveys[name], side), position, color)
            _label_rows(axes, names)
            axes.set_ylim(len(names) - 0.45, -1.1)
            axes.set_xscale("log")
            axes.set_xlim(1, longest)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: human(value)))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_xlabel("characters")
            axes.set_title(side, fontsize=9, color=INK, loc="left", fontweight="bold")
            axes.spines["bottom"].set_visible(False)
        return to_svg(figure, "lengths", "Distribution of text lengths by source, log scale, queries and positives")


def score_chart(scores: dict[str, tuple[dict[str, int], dict[str, int]]], width: float) -> Markup:
    """Draw the distributions of the teacher's scores of positives and negatives, one line for each source.

    Args:
        scores: source → (bin → count of positives, bin → count of negatives).
        width: bin width; bin i begins at i times the width.

    """
    names = list(scores)[:MOST_BARS]
    with style():
        figure, axes = _figure(0.42 * len(names) + 0.5)
        for position, name in enumerate(names):
            for counts, color in zip(scores[name], (BLUE, ORANGE), strict=True):
                bins = np.array(sorted(map(int, counts)), np.int64)
                if not len(bins):
                    continue
                height = np.zeros(bins[-1] - bins[0] + 3)
                height[bins - bins[0] + 1] = [counts[str(i)] for i in bins]
                edges = (np.arange(len(height)) + bins[0] - 1) * width
                top = position + 0.3 - 0.92 * height / height.max()
                axes.fill_between(edges, position + 0.3, top, step="post", color=color, alpha=0.6, linewidth=0)
        _label_rows(axes, names)
        axes.set_ylim(len(names) - 0.45, -1.1)
        axes.set_xlabel("score")
        axes.spines["bottom"].set_visible(False)
        return to_svg(figure, "scores", "Distribution of the teacher's scores by source, positives and negatives")


def evaluation_charts(evaluation: Evaluation, metric: str) -> list[tuple[str, Markup]]:
    """Draw one heat map of depth and dimension for each rank; return (title, chart) pairs."""
    ranks = sorted({point.rank for point in evaluation.trained}, reverse=True)
    scores = [point.scores[metric] for point in evaluation.trained]
    results = []
    for rank in ranks:
        points = [point for point in evaluation.trained if point.rank == rank]
        title = f"embedding rank {rank}" if rank else "whole embedding"
        results.append((title, _depth_chart(f"model-{rank}", points, metric, title, (min(scores), max(scores)))))
    return results


def _depth_chart(name: str, points: list[Point], metric: str, title: str, limits: tuple[float, float]) -> Markup:
    depths, dims = sorted({p.layers for p in points}), sorted({p.dim for p in points})
    table = np.full((len(depths), len(dims)), np.nan)
    for point in points:
        table[depths.index(point.layers), dims.index(point.dim)] = point.scores[metric]
    with style(xtick_labelcolor=INK):
        figure = Figure((WIDTH / 2, 0.32 * len(depths) + 0.7), layout="constrained")
        axes = figure.subplots()
        _draw_cells(
            axes, table, lambda value: f"{value:.3f}"[1:] if value < 1 else "1.00", low=limits[0], high=limits[1]
        )
        axes.set_xticks(np.arange(len(dims)) + 0.5, [str(dim) for dim in dims])
        axes.set_yticks(np.arange(len(depths)) + 0.5, [str(depth) for depth in depths])
        axes.set_xlabel("dimensions")
        axes.set_ylabel("layers")
        return to_svg(figure, name, f"{metric} by layers and dimensions, {title}")


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure((WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def _label_rows(axes: Axes, names: list[str]) -> None:
    """Label the lines of a chart with names, from top to bottom."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)


def _draw_density(axes: Axes, lengths: Lengths, position: int, color: str) -> None:
    """Draw one distribution as density over the logarithm of the length, as bins differ in width on a log scale."""
    nonempty = np.flatnonzero(lengths.counts)
    if not len(nonempty):
        return
    bins = slice(max(int(nonempty[0]) - 1, 0), min(int(nonempty[-1]) + 2, len(EDGES) - 1))
    edges = EDGES.astype(np.float64)
    width = np.log(edges[1:][bins] / edges[:-1][bins])
    density = lengths.counts[:-1][bins] / width
    height = 0.92 * density / density.max()
    axes.fill_between(
        edges[:-1][bins], position + 0.3, position + 0.3 - height, step="post", color=color, alpha=0.85, linewidth=0
    )


def _draw_cells(axes: Axes, table: F64, write: Callable[[float], str], *, low: float, high: float) -> None:
    """Draw a table as colored cells with their values, the first row on top; cells with 0 or NaN stay empty.

    Args:
        axes: to draw on.
        table: float64[rows, columns].
        write: formats a value.
        low: value of the lightest color.
        high: value of the darkest color.

    """
    span = max(high - low, 1e-9)
    shown = np.ma.masked_invalid(np.where(table > 0, table, np.nan))
    axes.pcolormesh(shown, cmap=_HEAT, vmin=low, vmax=high, edgecolors=CARD, linewidth=1)
    for (row, column), value in np.ndenumerate(table):
        text = write(value) if value > 0 else ""
        if text:
            color = "#ffffff" if (value - low) / span > 0.65 else INK
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=6.5, color=color)
    axes.invert_yaxis()
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.01 else ""
