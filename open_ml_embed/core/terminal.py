"""The console for tables and progress; see `open_ml_embed.core.printing` for what it keeps from terminals."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from open_ml_embed.core.printing import visible


class Terminal(Console):
    """A rich console for which strings are text: no markup, and control characters are visible.

    Styles are given as `style`, or as `rich.text.Text`, whose data the caller passes through `visible`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "highlight": False, "emoji": False} | options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as rich text."""
        return super().render_str(visible(text), **options)
