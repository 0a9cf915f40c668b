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
_LONG = re.compile(r"-?\d+\.\d{3,}")
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
    body = _NUMBERS.sub(lambda found: _LONG.sub(lambda number: f"{float(number[0]):.2f}", found[0]), body)
    body = re.sub(r"\s*\n\s*", " ", body)
    for color, variable in _VARIABLES.items():
        body = body.replace(color, variable)
    wide = float(view[1].split()[2]) / 72 / WIDTH
    return Markup(  # noqa: S704 (matplotlib escapes what it writes)
        f'<svg class="chart" role="img" aria-label="{escape(description)}" viewBox="{view[1]}" '
        f'style="--wide: {wide:.3g}" xmlns:xlink="http://www.w3.org/1999/xlink">{body}'
    )
