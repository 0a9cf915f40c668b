r"""All printing: control characters of data, manifests and servers never reach a terminal.

An escape sequence in a text could change the clipboard (OSC 52), the title or the colors of a terminal; a bidirectional
override could show another text than the one that is there. They are printed as `\x1b`, `\u202e`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from enum import Enum
from typing import Any


class Volume(Enum):
    """How much a program says besides its results."""

    QUIET = "quiet"
    """Errors and warnings only."""
    USUAL = "usual"
    """Progress, now and then."""
    VERBOSE = "verbose"
    """Every finished task, and where in the program an error came from."""


_volume = Volume.USUAL


def volume() -> Volume:
    """Return how much this process says."""
    return _volume


def set_volume(chosen: Volume) -> None:
    """Choose how much this process says."""
    global _volume  # noqa: PLW0603 (one terminal, one volume)
    _volume = chosen


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but for tab and line feed, and those that change the direction of a text."""


def visible(text: str) -> str:
    r"""Return a text with its control characters as escapes; tabs and line feeds stay.

    >>> visible("red \x1b[31m\tand \u202eback")
    'red \\x1b[31m\tand \\u202eback'

    """
    return _CONTROL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def print_text(text: str, *, error: bool = False) -> None:
    """Print a line to standard output, or to standard error; it is no markup."""
    print(visible(text), file=sys.stderr if error else sys.stdout, flush=error)


def say(text: str) -> None:
    """Print a line to standard error."""
    print_text(text, error=True)


def print_json(
    data: object, *, indent: int | None = 1, error: bool = False, default: Callable[[Any], Any] | None = None
) -> None:
    """Print data as JSON; control characters are escaped as JSON writes them.

    Args:
        data: what `json.dumps` takes.
        indent: spaces; null: one line.
        error: print to standard error.
        default: for other types; see `json.dumps`.

    """
    text = json.dumps(data, ensure_ascii=False, indent=indent, default=default)
    text = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    print(text, file=sys.stderr if error else sys.stdout, flush=error)
