"""The style of the charts, and their output as SVG elements inside the page, which follow its theme.

Text is stored as text and uses the page's font; colors are CSS variables. Equal data give equal bytes: the salt of a
chart's ids is its name, and no date or version is written.
"""

from __future__ import annotations

import io
import re
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.figure import Figure

INK, MUTED, RULE, CARD = "#0b0c0d", "#5b5c5d", "#d1d2d3", "#fdfcfb"
_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)", CARD: "var(--card)"}
"""Colors in matplotlib, and the CSS variables that replace them on the page."""

_NUMBERS = re.compile(r'\b(?:d|transform|x|y|points|width|height)="[^"]*"')
"""Attributes of coordinates, in points."""
_LONG = re.compile(r"-?\d+\.\d+")
_EMPTY = re.compile(r'<path [^>]*style="fill: none; stroke: #fdfcfb[^>]*/>')
"""Cells of a heat map that have no value."""
WIDTH = 9.0
"""Width in inches of a chart that takes the whole page width."""
_STYLE: dict[Any, Any] = {
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


def style(**more: str) -> AbstractContextManager[None]:
    """Use the report's style inside a `with` block; `xtick_labelcolor=…` sets matplotlib's `xtick.labelcolor`."""
    return mpl.rc_context(_STYLE | {key.replace("_", "."): value for key, value in more.items()})


def to_svg(figure: Figure, name: str, description: str) -> Markup:
    """Return a figure as an SVG element that can be embedded in HTML together with others.

    Args:
        figure: to write.
        name: unique on the page; salt of the ids.
        description: text for screen readers.

    """
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
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = _EMPTY.sub("", re.sub(r' transform="rotate\(-0 [^"]*"', "", body))
    body = re.sub(r"<g>\s*(<text[^>]*>[^<]*</text>)\s*</g>", r"\1", body)
    body = _NUMBERS.sub(lambda found: _LONG.sub(lambda number: _short(float(number[0])), found[0]), body)
    body = re.sub(r'\bd="([^"]*)"', lambda found: f'd="{straightened(found[1])}"', body)
    body = re.sub(r"\s*\n\s*", " ", body)
    for color, variable in _VARIABLES.items():
        body = body.replace(color, variable)
    wide = float(view[1].split()[2]) / 72 / WIDTH
    return Markup(  # noqa: S704 (matplotlib escapes what it writes)
        f'<svg class="chart" role="img" aria-label="{escape(description)}" viewBox="{view[1]}" '
        f'style="--wide: {wide:.3g}" xmlns:xlink="http://www.w3.org/1999/xlink">{body}'
    )


def _short(number: float) -> str:
    """Return a number with one digit after the point, which is a 700th of a chart's width.

    >>> _short(12.345), _short(12.0), _short(-0.01)
    ('12.3', '12', '0')
    """
    text = f"{number:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def straightened(path: str) -> str:
    """Return the data of an SVG path without the points that lie between two others on a level or an upright line.

    >>> straightened("M 0 0 L 1 0 L 2 0 L 2 1 L 2 5 z")
    'M 0 0 L 2 0 L 2 5 z'
    >>> straightened("M 0 0 L 1 0 M 2 0 L 3 0 C 1 2 3 4 5 6")
    'M 0 0 L 1 0 M 2 0 L 3 0 C 1 2 3 4 5 6'
    """
    kept: list[tuple[str, list[str]]] = []
    for command, rest in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        numbers = rest.split()
        if command == "L" and len(kept) > 1 and kept[-1][0] == "L" and kept[-2][0] in "ML":
            before, last = kept[-2][1], kept[-1][1]
            if any(before[axis] == last[axis] == numbers[axis] for axis in (0, 1)):
                kept.pop()
        kept.append((command, numbers))
    return " ".join(" ".join([command, *numbers]) for command, numbers in kept)
