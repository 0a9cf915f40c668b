"""Charts as inline SVG that follows the page's light or dark theme: text stays text, ink is a CSS variable.

Equal data give equal bytes: the salt of every chart's ids is its name, and no date or version is written.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from curation.report.gather import STAGES, FunnelRow, TaskRow
from curation.report.languages import Confusion, LanguageRow
from curation.report.model import Evaluation, Point
from curation.report.survey import EDGES, Lengths, SourceSurvey

INK, MUTED, RULE, CARD = "#0b0c0d", "#5b5c5d", "#d1d2d3", "#fdfcfb"
_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)", CARD: "var(--card)"}
"""Colours drawn with, and the CSS variables that stand in for them on the page."""

BLUE, SKY, ORANGE = "#2f6fde", "#7fb2f5", "#e8913a"
STAGE_COLOURS = dict(
    zip(
        STAGES,
        ("#9aa4b2", "#6b7686", "#c2453c", "#e8913a", "#c77fb4", "#8b5fc7", "#d9bd3c", SKY, BLUE),
        strict=True,
    )
)
FAMILY_COLOURS = {"retrieval": BLUE, "clustering": "#2aa187", "classification": ORANGE}
_HEAT = LinearSegmentedColormap.from_list("heat", ["#e6effc", "#7fb2f5", "#2f6fde", "#173a86"])

MOST_BARS = 40
_WIDTH = 9.0
_SETTINGS = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 8,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "path.simplify": True,
}


def human(value: float) -> str:
    """Write a count as an axis does.

    >>> human(0), human(950), human(12_000), human(2_500_000)
    ('0', '950', '12k', '2.5M')
    """
    for unit, sign in ((1_000_000, "M"), (1_000, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{sign}"
    return f"{value:.3g}"


def funnel_chart(name: str, rows: Sequence[FunnelRow]) -> Markup:
    """Draw where the records of each source ended, as shares."""
    rows = rows[:MOST_BARS]
    with mpl.rc_context(_SETTINGS):
        figure, axes = _figure(0.26 * len(rows) + 0.5)
        places, left = np.arange(len(rows)), np.zeros(len(rows))
        records = np.array([max(row.records, 1) for row in rows])
        for stage in reversed(STAGES):
            share = np.array([row.ends[stage] for row in rows]) / records
            axes.barh(places, share, left=left, height=0.66, color=STAGE_COLOURS[stage])
            left += share
        for place, row in zip(places, rows, strict=True):
            axes.text(1.012, place, f"{row.samples:,} of {row.records:,}", va="center", color=MUTED, fontsize=7)
        _list(axes, [row.source for row in rows])
        axes.set_xlim(0, 1.17)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.spines["bottom"].set_visible(False)
        return _svg(figure, f"funnel-{name}", f"Where the records of each source of the {name} mix ended, as shares")


def language_chart(name: str, rows: Sequence[LanguageRow]) -> Markup:
    """Draw rows by language, the largest first, on a log scale."""
    rows = rows[:MOST_BARS]
    with mpl.rc_context(_SETTINGS | {"ytick.labelcolor": MUTED, "xtick.labelcolor": INK}):
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
        return _svg(figure, f"languages-{name}", f"Rows of the {len(rows)} largest {name} languages, log scale")


def confusion_chart(table: Confusion) -> Markup:
    """Draw identified against declared languages."""
    with mpl.rc_context(_SETTINGS | {"xtick.labelcolor": INK}):
        figure, axes = _figure(0.27 * len(table.declared) + 0.9)
        _cells(axes, table.shares, _percent, low=0.0, high=1.0)
        axes.set_xticks(np.arange(len(table.identified)) + 0.5, table.identified, rotation=90)
        axes.set_yticks(np.arange(len(table.declared)) + 0.5, table.declared)
        axes.set_xlabel("identified")
        axes.set_ylabel("declared")
        what = f"Identified against declared language, the {len(table.declared)} largest, percent of the declared texts"
        return _svg(figure, "confusion", what)


def task_chart(rows: Sequence[TaskRow]) -> Markup:
    """Draw rows by task, coloured by family."""
    with mpl.rc_context(_SETTINGS):
        figure, axes = _figure(0.26 * len(rows) + 0.5)
        colours = [FAMILY_COLOURS[row.family] for row in rows]
        axes.barh(range(len(rows)), [row.rows for row in rows], height=0.66, color=colours)
        for place, row in enumerate(rows):
            axes.text(row.rows, place, f"  {row.rows:,}", va="center", color=MUTED, fontsize=7)
        _list(axes, [row.task for row in rows])
        axes.set_xlim(0, 1.14 * max([row.rows for row in rows], default=1))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: human(value)))
        axes.spines["bottom"].set_visible(False)
        return _svg(figure, "tasks", "Rows of each task")


def length_chart(surveys: dict[str, SourceSurvey]) -> Markup:
    """Draw the distributions of lengths, a line of hills for each source, queries beside positives."""
    names = sorted(surveys, key=lambda name: (-surveys[name].rows, name))[:MOST_BARS]
    with mpl.rc_context(_SETTINGS):
        figure = Figure((_WIDTH, 0.34 * len(names) + 0.7), layout="constrained")
        for axes, side, colour in zip(figure.subplots(1, 2, sharey=True), ("query", "positive"), (BLUE, ORANGE), strict=True):
            for place, name in enumerate(names):
                _hill(axes, getattr(surveys[name], side), place, colour)
            _list(axes, names)
            axes.set_ylim(len(names) - 0.45, -1.1)
            axes.set_xscale("log")
            axes.set_xlim(1, max(*(s.query.longest for s in surveys.values()), *(s.positive.longest for s in surveys.values()), 10))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: human(value)))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_xlabel("characters")
            axes.set_title(side, fontsize=9, color=INK, loc="left", fontweight="bold")
            axes.spines["bottom"].set_visible(False)
        return _svg(figure, "lengths", "Distribution of text lengths by source, log scale, queries and positives")


def evaluation_charts(evaluation: Evaluation, metric: str) -> list[tuple[str, Markup]]:
    """Draw one heat map of depth and dimension for each rank: (title, chart)."""
    ranks = sorted({point.rank for point in evaluation.trained}, reverse=True)
    scores = [point.scores[metric] for point in evaluation.trained]
    found = []
    for rank in ranks:
        points = [point for point in evaluation.trained if point.rank == rank]
        title = f"embedding rank {rank}" if rank else "whole embedding"
        found.append((title, _depth_chart(f"model-{rank}", points, metric, title, (min(scores), max(scores)))))
    return found


def _depth_chart(name: str, points: list[Point], metric: str, title: str, limits: tuple[float, float]) -> Markup:
    depths, dims = sorted({p.layers for p in points}), sorted({p.dim for p in points})
    table = np.full((len(depths), len(dims)), np.nan)
    for point in points:
        table[depths.index(point.layers), dims.index(point.dim)] = point.scores[metric]
    with mpl.rc_context(_SETTINGS | {"xtick.labelcolor": INK}):
        figure = Figure((_WIDTH / 2, 0.32 * len(depths) + 0.7), layout="constrained")
        axes = figure.subplots()
        _cells(axes, table, lambda value: f"{value:.3f}"[1:] if value < 1 else "1.00", low=limits[0], high=limits[1])
        axes.set_xticks(np.arange(len(dims)) + 0.5, [str(dim) for dim in dims])
        axes.set_yticks(np.arange(len(depths)) + 0.5, [str(depth) for depth in depths])
        axes.set_xlabel("dimensions")
        axes.set_ylabel("layers")
        return _svg(figure, name, f"{metric} by layers and dimensions, {title}")


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure((_WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def _list(axes: Axes, names: list[str]) -> None:
    """Name the lines of a chart from top to bottom."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)


def _hill(axes: Axes, lengths: Lengths, place: int, colour: str) -> None:
    """Draw one distribution as density over the logarithm: bins of single lengths are wider there."""
    used = np.flatnonzero(lengths.counts)
    if not len(used):
        return
    bins = slice(max(int(used[0]) - 1, 0), min(int(used[-1]) + 2, len(EDGES) - 1))
    edges = EDGES.astype(np.float64)
    width = np.log(edges[1:][bins] / edges[:-1][bins])
    density = lengths.counts[:-1][bins] / width
    height = 0.92 * density / density.max()
    axes.fill_between(
        edges[:-1][bins], place + 0.3, place + 0.3 - height, step="post", color=colour, alpha=0.85, linewidth=0
    )


def _cells(axes: Axes, table: npt.NDArray[np.float64], write: Any, *, low: float, high: float) -> None:
    """Draw a table as coloured cells with their values, the first row on top; empty cells stay empty."""
    span = max(high - low, 1e-9)
    shown = np.ma.masked_invalid(np.where(table > 0, table, np.nan))
    axes.pcolormesh(shown, cmap=_HEAT, vmin=low, vmax=high, edgecolors=CARD, linewidth=1)
    for (row, column), value in np.ndenumerate(table):
        text = write(value) if value > 0 else ""
        if text:
            colour = "#ffffff" if (value - low) / span > 0.45 else "#10203f"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=6.5, color=colour)
    axes.invert_yaxis()
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.01 else ""


def _svg(figure: Figure, name: str, description: str) -> Markup:
    """Write a figure as an SVG element that can stand inside HTML, beside others of its kind."""
    sink = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(sink, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = sink.getvalue()
    view = re.search(r'viewBox="([^"]+)"', text)
    assert view is not None, "matplotlib writes a viewBox"
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"font-family: [^;\"]*; ?", "", body)
    body = re.sub(r"\s*\n\s*", " ", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    wide = float(view[1].split()[2]) / 72 / _WIDTH
    return Markup(
        f'<svg class="chart" role="img" aria-label="{escape(description)}" viewBox="{view[1]}" '
        f'style="--wide: {wide:.3g}" xmlns:xlink="http://www.w3.org/1999/xlink">{body}'
    )
