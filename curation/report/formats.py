"""How the page writes the values of the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from curation.report.tables.form import Shown

NOTHING = "–"


def written(value: Any, shown: Shown) -> str:
    """Return a value as the page shows it.

    >>> written(12345, "count"), written(None, "count"), written(0.1234, "share"), written(-0.001, "points")
    ('12,345', '–', '12.3 %', '−0.1')
    >>> written(0.5, "score"), written(1234.56, "number"), written(True, "flag"), written("a", "name")
    ('0.500', '1,234.6', 'yes', 'a')
    """
    return NOTHING if value is None else _WRITTEN.get(shown, str)(value)


def percent(share: float) -> str:
    """Format a share in percent; a positive share is never shown as 0 %, nor a share below 1 as 100 %.

    >>> percent(0), percent(0.0001), percent(1 / 3), percent(0.9999), percent(1), percent(1.5)
    ('0 %', '< 0.1 %', '33.3 %', '> 99.9 %', '100 %', '150.0 %')
    """
    if share in (0.0, 1.0):
        return f"{100 * share:.0f} %"
    if share < 0.001:
        return "< 0.1 %"
    return "> 99.9 %" if 0.999 < share < 1 else f"{100 * share:.1f} %"


def _minus(text: str) -> str:
    return text.replace("-", "−")


_WRITTEN: dict[Shown, Callable[[Any], str]] = {
    "flag": lambda value: "yes" if value else "no",
    "count": lambda value: _minus(f"{value:,}"),
    "share": percent,
    "points": lambda value: _minus(f"{100 * value:+.1f}"),
    "score": lambda value: _minus(f"{value:.3f}"),
    "number": lambda value: _minus(f"{value:,.1f}"),
}
