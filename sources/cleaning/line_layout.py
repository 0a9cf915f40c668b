"""How a text is laid out: hard wraps inside paragraphs, and lists that were written as program text."""

from __future__ import annotations

import ast
import re

_BULLET = r"(?:[-*+•‣◦–]|\(?\d{1,3}[.)]|\(?[a-z][.)])[ \t]"
_WRAP = re.compile(rf"(?<=\S)[ \t]*\r?\n(?![ \t]*\r?\n)(?![ \t]*{_BULLET})[ \t]*(?=\S)")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)


def unwrapped(text: str) -> str:
    r"""Return the text with the line ends inside its paragraphs as blanks.

    Blank lines, and line ends before an item of a list, stay; so does a text with a fenced block as a whole.

    >>> unwrapped("Production at Tevatron and\n  LHC energies")
    'Production at Tevatron and LHC energies'
    >>> unwrapped("Two things:\n- one\n- two that\n  is longer\n\nEnd.")
    'Two things:\n- one\n- two that is longer\n\nEnd.'

    """
    return text if _FENCE.search(text) else _WRAP.sub(" ", text)


def items_of(text: str) -> str:
    r"""Return the items of a Python list of texts that was written as one text, one a line; other texts as they are.

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
