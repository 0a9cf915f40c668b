"""Fenced code blocks in texts: separates the prose from the blocks, each with its own language.

The rules are those of CommonMark (section 4.5): a fence is three or more backticks or tildes after at most three
spaces. At least as many of the same character, or the end of the text, close it. The info string of a backtick fence
has no backticks. In a list item, the item's indentation does not count. Block quote markers may precede a fence.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from curation.langid.code_names import code_name

_HINT = r"(?:^|\n)[ \t>]*(?:```|~~~)|(?:^|\n)[ \t>]*(?:[-+*]|\d{1,9}[.)])[ \t]+(?:```|~~~)"
_QUOTE = re.compile(r"(?: {0,3}>[ \t]?)+")
_ITEM = re.compile(r" *(?:[-+*]|\d{1,9}[.)])(?: {1,4}(?! )| (?= {4}))")
_OPENING = re.compile(r"( *)(`{3,}(?=[^`\n]*$)|~{3,})[ \t]*(.*?)[ \t]*$")
_CLOSING = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*$")
_INFO = re.compile(r"\{?\s*\.?(?:language-|lang-)?([^\s{},:;=]+)")


class Block(NamedTuple):
    """A fenced block: the corpus's name of its programming language, None if there is none, and its content."""

    language: str | None
    code: str


class Split(NamedTuple):
    """A text without its fenced blocks, and the blocks in order."""

    prose: str
    blocks: list[Block]


def fenced(texts: pa.Array | pa.ChunkedArray) -> pa.BooleanArray:
    """Tell which texts may contain a fenced block, bool[n]; null reads as a text without one."""
    few = pc.or_(pc.match_substring(texts, "```"), pc.match_substring(texts, "~~~"))
    if not pc.any(few).as_py():
        return few.fill_null(fill_value=False)
    return pc.and_(few, pc.match_substring_regex(texts, _HINT)).fill_null(fill_value=False)


def split(text: str) -> Split:
    r"""Separate a text into its prose and its fenced blocks.

    >>> split("Try this:\n```py\nx = 1\n```\nIt works.")
    Split(prose='Try this:\nIt works.', blocks=[Block(language='python', code='x = 1')])
    """
    prose: list[str] = []
    blocks: list[Block] = []
    content: list[str] = []
    fence, info, indent, quoted = "", "", 0, False
    margin = 0
    for line in text.split("\n"):
        quote = _QUOTE.match(line)
        inner = line[quote.end() :] if quote and (quoted or not fence) else line
        inner = inner.expandtabs(4) if inner[:1] in " \t" else inner.rstrip("\r")
        if fence:
            closing = _CLOSING.match(inner[min(margin, _indent(inner)) :])
            ended = quoted and not quote
            if not ended and not (closing and closing[1][0] == fence[0] and len(closing[1]) >= len(fence)):
                content.append(inner[min(indent, _indent(inner)) :])
                continue
            blocks.append(Block(language_of(info), "\n".join(content)))
            content, fence = [], ""
            if not ended:
                continue
        if inner.strip() and _indent(inner) < margin:
            margin = 0
        item = _ITEM.match(inner)
        if item and len(item[0]) - len(item[0].lstrip()) < margin + 4:
            margin, inner = item.end(), " " * item.end() + inner[item.end() :]
        opening = _OPENING.match(inner)
        if opening and len(opening[1]) < margin + 4 and len(opening[1]) >= margin * bool(item):
            fence, info, indent, quoted = opening[2], opening[3], len(opening[1]), quote is not None
        else:
            prose.append(line)
    if fence:
        blocks.append(Block(language_of(info), "\n".join(content)))
    return Split("\n".join(prose), blocks)


def language_of(info: str) -> str | None:
    """Return the corpus's name of the programming language in an info string, or None if it names none.

    >>> language_of("python title=x"), language_of("{.c++ .numberLines}"), language_of("text"), language_of("")
    ('python', 'cpp', None, None)
    """
    word = _INFO.match(info)
    return code_name(word[1]) if word else None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
