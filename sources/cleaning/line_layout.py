"""Repair of the line layout: hard wraps inside paragraphs, and lists written as Python literals."""

from __future__ import annotations

import ast
import re

_BULLET = r"(?:[-*+•‣◦–]|\(?\d{1,3}[.)]|\(?[a-z][.)])[ \t]"
_WRAP = re.compile(rf"(?<=\S)[ \t]*\r?\n(?![ \t]*\r?\n)(?![ \t]*{_BULLET})[ \t]*(?=\S)")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)


def unwrapped(text: str) -> str:
    r"""Replace the line ends inside paragraphs by blanks.

    Blank lines and line ends before list items stay. A text with a fenced code block stays unchanged.

    >>> unwrapped("Production at Tevatron and\n  LHC energies")
    'Production at Tevatron and LHC energies'
    >>> unwrapped("Two things:\n- one\n- two that\n  is longer\n\nEnd.")
    'Two things:\n- one\n- two that is longer\n\nEnd.'

    """
    return text if _FENCE.search(text) else _WRAP.sub(" ", text)


def items_of(text: str) -> str:
    r"""Convert a text that is a Python list of strings to its items, one per line; other texts stay unchanged.

    >>> items_of("['Wash it.', \"Don't peel it.\"]")
    "Wash it.\nDon't peel it."
    >>> items_of("[1] See the notes.")
    '[1] See the notes.'

    """
    whole = text.strip()
    if not (whole.startswith(("['", '["')) and whole.endswith("]")):
        return text
    try:
        items = ast.literal_eval(whole)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    if not (isinstance(items, list) and items and all(isinstance(item, str) for item in items)):
        return text
    return "\n".join(stripped for item in items if (stripped := item.strip()))
