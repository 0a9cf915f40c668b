"""The charts of the report. Each function draws figures as an SVG element."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from curation.langid.identifier import UNDETERMINED
from curation.langid.step.verdicts import NOT_NAMED
from curation.report.drawing import CARD, INK, MUTED, WIDTH, style, to_svg
from curation.report.shard_statistics import EDGES
from curation.report.tables.sources import STAGES, column_of
from open_ml_embed.core.array_types import F64

Row = Mapping[str, Any]
"""A row of a table of the report."""
BLUE, SKY, ORANGE = "#2f6fde", "#7fb2f5", "#e8913a"
_STAGE_COLOURS = (
    "#9aa4b2", "#6b7686", "#8a5a3c", "#c2453c", "#e8913a", "#5b8c3a", "#2aa187", "#c77fb4", "#8b5fc7", "#d9bd3c",
    "#b5a78e", SKY, BLUE,
)  # fmt: skip
STAGE_COLOURS = dict(zip(STAGES, _STAGE_COLOURS, strict=True))
RING_COLOURS = {"English": BLUE, "Chinese": ORANGE, "other": "#2aa187"}
_SERIES = (BLUE, ORANGE, "#2aa187", "#8b5fc7", "#c2453c", "#d9bd3c", SKY, "#8a5a3c", "#c77fb4", "#5b8c3a")
FAMILY_COLOURS = {"retrieval": BLUE, "clustering": "#2aa187", "classification": ORANGE}
_HEAT = LinearSegmentedColormap.from_list("heat", [(0.14, 0.35, 0.77, opacity) for opacity in (0.08, 1.0)])
"""Values are shown by opacity, not lightness, so that the chart works on a light and on a dark page."""

MOST_BARS = 40
"""Sources that a chart shows."""
MOST_CONFUSED = 20
"""Languages of the confusion matrix."""
SHOWN_SCORES = 0.95
"""The axis of scores ends where this share of the scores of every source is reached: few far ones would squeeze it."""
MOST_LANGUAGES = {"natural": 100, "programming": 10}
"""Languages that a chart shows, as the papers do."""


def human(value: float) -> str:
    """Format a count for an axis.

    >>> human(0), human(950), human(12_000), human(2_500_000)
    ('0', '950', '12k', '2.5M')
    """
    for unit, sign in ((1_000_000, "M"), (1_000, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{sign}"
    return f"{value:.3g}"


def funnel_chart(name: str, rows: Sequence[Row]) -> Markup:
    """Draw the share of each source's records that ended at each stage, as stacked bars; `rows` of table `funnel`."""
    rows = rows[:MOST_BARS]
    with style():
        figure, axes = _figure(0.26 * len(rows) + 0.5)
        positions, left = np.arange(len(rows)), np.zeros(len(rows))
        records = np.array([max(row["records"], 1) for row in rows])
        for stage in reversed(STAGES):
            share = np.array([row[column_of(stage)] for row in rows]) / records
            axes.barh(positions, share, left=left, height=0.66, color=STAGE_COLOURS[stage])
            left += share
        for position, row in enumerate(rows):
            text = f"{row['samples']:,} of {row['records']:,}"
            axes.text(1.012, position, text, va="center", color=MUTED, fontsize=7)
        _label_rows(axes, [row["source"] for row in rows])
        axes.set_xlim(0, 1.17)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.spines["bottom"].set_visible(False)
        return to_svg(figure, f"funnel-{name}", f"Where the records of each source of the {name} mix ended, as shares")


def language_chart(kind: str, rows: Sequence[Row]) -> Markup:
    """Draw the rows of each language as bars on a log scale, with the published samples as a line where known.

    Args:
        kind: `natural` or `programming`.
        rows: of table `languages`, the largest first.

    """
    rows = [row for row in rows if row["rows"]][: MOST_LANGUAGES[kind]]
    with style(ytick_labelcolor=MUTED, xtick_labelcolor=INK):
        figure, axes = _figure(2.5)
        axes.bar(range(len(rows)), [row["share"] for row in rows], width=0.72, color=BLUE)
        known = [(i, row["published_share"]) for i, row in enumerate(rows) if row["published_share"]]
        axes.plot(*zip(*known, strict=True), "_", color=ORANGE, markersize=6) if known else None
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.grid(axis="y")
        axes.set_xticks(
            range(len(rows)), [row["code"] for row in rows], rotation=90, fontsize=5.5 if len(rows) > 50 else 8
        )
        axes.set_xlim(-0.7, max(len(rows), 12) - 0.3)
        axes.set_ylabel("share of the rows")
        axes.spines["left"].set_visible(False)
        return to_svg(figure, f"languages-{kind}", f"Shares of the {len(rows)} largest {kind} languages, log scale")


def ring_chart(rows: Sequence[Row], names: Sequence[str]) -> Markup:
    """Draw English, Chinese and other languages as rings within each other; `rows` of table `ring`.

    Args:
        rows: of the table.
        names: of the rings, the outermost first.

    """
    with style():
        figure = Figure((3.2, 3.2), layout="constrained")
        axes = figure.subplots()
        for number, name in enumerate(names):
            of_ring = [row for row in rows if row["of"] == name and row["share"]]
            if not of_ring:
                continue
            width = 0.9 / (len(names) + 1)
            axes.pie(
                [row["share"] for row in of_ring],
                radius=1 - number * width * 1.08,
                startangle=90,
                counterclock=False,
                colors=[RING_COLOURS[row["language"]] for row in of_ring],
                normalize=True,
                wedgeprops={"width": width, "edgecolor": CARD, "linewidth": 1.2},
            )
        return to_svg(figure, "ring-" + "-".join(names), f"Shares of languages, outside {' then '.join(names)}")


def heat_map(
    name: str, rows: Sequence[Row], line: str, column: str, value: str, labels: tuple[str, str], most: int
) -> Markup:
    """Draw a value for pairs of two names as a heat map, of the lines and columns with the largest counts.

    Args:
        name: unique on the page.
        rows: of a table.
        line: column of the table with the names of the lines.
        column: the same of the columns.
        value: column of the table with a count.
        labels: of the two axes, lines first.
        most: lines, and columns, that are shown.

    """
    lines, columns = _largest(rows, line, value, most), _largest(rows, column, value, most)
    both = [name for name in lines if name in columns]
    if both:  # the same names on both axes: the same order, so that the diagonal is one
        lines = both + [name for name in lines if name not in both]
        columns = both + [name for name in columns if name not in both]
    table = np.zeros((len(lines), len(columns)))
    for row in rows:
        if row[line] in lines and row[column] in columns:
            table[lines.index(row[line]), columns.index(row[column])] += row[value]
    with style(xtick_labelcolor=INK):
        figure, axes = _figure(0.19 * len(lines) + 1.2)
        shown = np.ma.masked_equal(np.log10(np.maximum(table, 0.5)), np.log10(0.5))
        axes.pcolormesh(shown, cmap=_HEAT, vmin=-0.5, edgecolors=CARD, linewidth=0.6)
        for (y, x), count in np.ndenumerate(table):
            if count:
                dark = np.log10(count) > 0.6 * np.log10(max(table.max(), 2))
                axes.text(
                    x + 0.5,
                    y + 0.5,
                    human(count),
                    ha="center",
                    va="center",
                    fontsize=4.5,
                    color="#ffffff" if dark else INK,
                )
        axes.invert_yaxis()
        axes.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=90, fontsize=6.5)
        axes.set_yticks(np.arange(len(lines)) + 0.5, lines, fontsize=6.5)
        axes.set_ylabel(labels[0])
        axes.set_xlabel(labels[1])
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        return to_svg(figure, name, f"{labels[0]} by {labels[1]}, {value}, log scale")


def _largest(rows: Sequence[Row], column: str, value: str, most: int) -> list[str]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row[column]] = counts.get(row[column], 0) + row[value]
    return sorted(counts, key=lambda name: (-counts[name], name))[:most]


def license_chart(rows: Sequence[Row]) -> Markup:
    """Draw the licenses of each mix as stacked bars; `rows` of table `mix_licenses`."""
    mixes = list(dict.fromkeys(row["mix"] for row in rows))
    names = _largest(rows, "license", "samples", 10)
    with style():
        figure, axes = _figure(0.5 * len(mixes) + 1.0)
        left = np.zeros(len(mixes))
        for name, color in zip([*names, "others"], (*_SERIES, "#9aa4b2"), strict=False):
            share = np.array(
                [
                    sum(
                        r["share"]
                        for r in rows
                        if r["mix"] == mix
                        and (r["license"] == name or (name == "others" and r["license"] not in names))
                    )
                    for mix in mixes
                ]
            )
            if share.any():
                axes.barh(range(len(mixes)), share, left=left, height=0.6, color=color, label=name)
                left += share
        _label_rows(axes, mixes)
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.25), ncols=4, frameon=False, fontsize=7)
        return to_svg(figure, "licenses", "Licenses of each mix as shares of its samples")


@dataclass(frozen=True)
class Confusion:
    """Confusion matrix.

    Attributes:
        declared: languages of the lines.
        identified: languages of the columns, then `other` and undetermined.
        shares: float64[len(declared), len(identified)], shares of the texts of each declared language; lines sum to 1.

    """

    declared: list[str]
    identified: list[str]
    shares: F64


def confusion(rows: Sequence[Row], natural: Collection[str]) -> Confusion | None:
    """Return the confusion matrix of the largest languages; null if there is none.

    An identified code that agrees with the declared one (as a member of a macrolanguage does) counts as the declared.

    Args:
        rows: of table `confusion`.
        natural: codes of the declared natural languages.

    """
    texts: dict[str, Counter[str]] = {}
    for row in rows:
        if row["declared"] in natural:
            code = row["declared"] if row["agrees"] else row["identified"]
            texts.setdefault(row["declared"], Counter())[code] += row["texts"]
    largest = sorted(texts, key=lambda code: (-texts[code].total(), code))[:MOST_CONFUSED]
    if not largest:
        return None
    shares = np.zeros((len(largest), len(largest) + 2))
    for i, declared in enumerate(largest):
        for code, n in texts[declared].items():
            other_column = len(largest) + (code in NOT_NAMED)
            shares[i, largest.index(code) if code in largest else other_column] += n / texts[declared].total()
    return Confusion(largest, [*largest, "other", UNDETERMINED], shares)


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


def task_chart(rows: Sequence[Row]) -> Markup:
    """Draw the number of rows of each task as bars, colored by family; `rows` of table `tasks`."""
    with style():
        figure, axes = _figure(0.26 * len(rows) + 0.5)
        colors = [FAMILY_COLOURS[row["family"]] for row in rows]
        bars = axes.barh(range(len(rows)), [row["rows"] for row in rows], height=0.66, color=colors)
        axes.bar_label(bars, [f"{row['rows']:,}" for row in rows], padding=4, color=MUTED, fontsize=7)
        _label_rows(axes, [row["task"] for row in rows])
        axes.set_xlim(0, 1.14 * max(1, *(row["rows"] for row in rows)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: human(value)))
        axes.spines["bottom"].set_visible(False)
        return to_svg(figure, "tasks", "Rows of each task")


def length_chart(sources: Sequence[Row], bins: Sequence[Row]) -> Markup:
    """Draw the distributions of text lengths, one line for each source, one panel each for queries and positives.

    Args:
        sources: rows of table `sources`.
        bins: rows of table `length_histogram`.

    """
    names = [row["source"] for row in sorted(sources, key=lambda row: (-row["rows"], row["source"]))][:MOST_BARS]
    counts: dict[tuple[str, str], F64] = {}
    for row in bins:
        of_side = counts.setdefault((row["source"], row["side"]), np.zeros(len(EDGES)))
        of_side[np.searchsorted(EDGES, row["at_least"])] = row["texts"]
    names = [name for name in names if (name, "query") in counts]
    with style():
        figure = Figure((WIDTH, 0.34 * len(names) + 0.7), layout="constrained")
        longest = max(10, *(row["at_least"] for row in bins))
        panels = figure.subplots(1, 2, sharey=True, gridspec_kw={"wspace": 0.06})
        for axes, side, color in zip(panels, ("query", "positive"), (BLUE, ORANGE), strict=True):
            for position, name in enumerate(names):
                _draw_density(axes, counts[name, side], position, color)
            _label_rows(axes, names)
            axes.set_ylim(len(names) - 0.45, -1.1)
            axes.set_xscale("log")
            axes.set_xlim(1, longest * 1.2)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: human(value)))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_xlabel("characters")
            axes.set_title(side, fontsize=9, color=INK, loc="left", fontweight="bold")
            axes.spines["bottom"].set_visible(False)
        return to_svg(figure, "lengths", "Distribution of text lengths by source, log scale, queries and positives")


def _reached(bins: Sequence[Row], share: float) -> float:
    """Return the upper edge of the bin with which a share of the texts is reached."""
    reached = np.cumsum([row["texts"] for row in bins])
    return float(bins[int(np.searchsorted(reached, share * reached[-1]))]["below"])


def score_chart(rows: Sequence[Row]) -> Markup:
    """Draw the distributions of the teacher's scores of positives and negatives, one line for each source.

    Args:
        rows: of table `scores`.

    """
    by_side: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        by_side.setdefault(row["source"], {}).setdefault(row["side"], []).append(row)
    by_side = {name: sides for name, sides in by_side.items() if "positive" in sides}
    scored = {name: sum(row["texts"] for row in sides["positive"]) for name, sides in by_side.items()}
    names = sorted(scored, key=lambda name: (-scored[name], name))[:MOST_BARS]
    shown = [bins for name in names for bins in by_side[name].values()]
    lowest, highest = min(bins[0]["at_least"] for bins in shown), max(_reached(bins, SHOWN_SCORES) for bins in shown)
    with style():
        figure, axes = _figure(0.42 * len(names) + 0.5)
        for position, name in enumerate(names):
            for side, color in (("positive", BLUE), ("negative", ORANGE)):
                bins = by_side[name].get(side, [])
                if not bins:
                    continue
                width = bins[0]["below"] - bins[0]["at_least"]
                numbers = np.array([round(row["at_least"] / width) for row in bins])
                height = np.zeros(numbers[-1] - numbers[0] + 3)
                height[numbers - numbers[0] + 1] = [row["texts"] for row in bins]
                edges = (np.arange(len(height)) + numbers[0] - 1) * width
                top = position + 0.3 - 0.92 * height / height.max()
                axes.fill_between(edges, position + 0.3, top, step="post", color=color, alpha=0.6, linewidth=0)
        _label_rows(axes, names)
        axes.set_ylim(len(names) - 0.45, -1.1)
        axes.set_xlim(lowest - 0.02 * (highest - lowest), highest)
        axes.set_xlabel("score")
        axes.spines["bottom"].set_visible(False)
        return to_svg(figure, "scores", "Distribution of the teacher's scores by source, positives and negatives")


def evaluation_charts(rows: Sequence[Row]) -> list[tuple[str, Markup]]:
    """Draw one heat map of depth and dimension for each rank; return (title, chart) pairs.

    Args:
        rows: of table `model`.

    """
    trained = [row for row in rows if row["model"] == "trained"]
    scores = [row["ndcg_at_10"] for row in trained]
    results = []
    for rank in sorted({row["rank"] for row in trained}, reverse=True):
        points = [row for row in trained if row["rank"] == rank]
        title = f"embedding rank {rank}" if rank else "whole embedding"
        results.append((title, _depth_chart(f"model-{rank}", points, title, (min(scores), max(scores)))))
    return results


def _depth_chart(name: str, points: Sequence[Row], title: str, limits: tuple[float, float]) -> Markup:
    depths, dims = sorted({p["layers"] for p in points}), sorted({p["dimensions"] for p in points})
    table = np.full((len(depths), len(dims)), np.nan)
    for point in points:
        table[depths.index(point["layers"]), dims.index(point["dimensions"])] = point["ndcg_at_10"]
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
        return to_svg(figure, name, f"nDCG@10 by layers and dimensions, {title}")


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure((WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def _label_rows(axes: Axes, names: list[str]) -> None:
    """Label the lines of a chart with names, from top to bottom."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)


def _draw_density(axes: Axes, counts: F64, position: int, color: str) -> None:
    """Draw one distribution as density over the logarithm of the length, as bins differ in width on a log scale."""
    nonempty = np.flatnonzero(counts)
    if not len(nonempty):
        return
    bins = slice(max(int(nonempty[0]) - 1, 0), min(int(nonempty[-1]) + 2, len(EDGES) - 1))
    edges = EDGES.astype(np.float64)
    width = np.log(edges[1:][bins] / edges[:-1][bins])
    density = counts[:-1][bins] / width
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
