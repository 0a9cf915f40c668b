r"""Removal of web markup: HTML entities, HTML tags, and line ends written as `\n`.

Texts about markup (such as a question on how to write `&nbsp;`) keep it.
"""

from __future__ import annotations

import html
import re
from html.entities import html5

_ENTITY = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,31}));")
_AGAIN = re.compile(r"&amp;(?=(?:amp|#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|lt|gt|quot|apos|nbsp);)")
_ABOUT_ENTITIES = re.compile(
    r"\b(?:x?html\d?|xml|xslt|sgml|entit(?:y|ies)|ampersands?|(?:un|double[- ]?)?escap(?:e|es|ed|ing)|"
    r"(?:url|html)?(?:en|de)cod(?:e|es|ed|ing)|htmlspecialchars|htmlentities|innerhtml|markup|css|rss|soap|jsp|xpath)\b",
    re.IGNORECASE,
)
_ABOUT_TAGS = re.compile(
    r"\b(?:x?html\d?|xml|xslt|sgml|css|markup|innerhtml|jquery|javascript|php|dom|href|"
    r"(?:br|opening|closing|anchor|script|div|span|meta)[ -]tags?|tags? (?:is|are) not)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[`'\"][^`'\"\n]{0,40}&(?:#?\w{2,31});[^`'\"\n]{0,40}[`'\"]")

_BREAK = re.compile(r"[ \t]*<br[ \t]*/?>[ \t]*(?:\r?\n)?[ \t]*", re.IGNORECASE)
_BLOCK = re.compile(
    r"[ \t]*</?(?:p|div|li|ul|ol|tr|table|tbody|thead|h[1-6]|blockquote|pre|hr|section|article|header|footer|dl|dt|dd)"
    r"(?:[ \t\n][^<>]{0,500})?/?>[ \t]*(?:\r?\n)?[ \t]*",
    re.IGNORECASE,
)
_INLINE = re.compile(
    r"</?(?:b|i|u|s|em|strong|a|font|span|small|big|tt|sub|sup|center|strike|del|ins|cite|abbr|img|td|th|nobr|wbr|label)"
    r"(?:[ \t\n][^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"<!--.{0,2000}?-->", re.DOTALL)
_LINES = re.compile(r"\n{3,}")

_ESCAPED = re.compile(
    r"(?:\\r)?\\n"
    r"(?!(?:abla|ot|otin|eq|eg|onumber|ewline|ewcommand|oindent|exists|mid|earrow|warrow|ormalsize|olimits)\b)"
)
"""A line end written as backslash and `n`, but not a LaTeX command."""
_ABOUT_ESCAPES = re.compile(r"[`'\"]\\[nrt][`'\"]|\b[A-Za-z]:\\\w")


def unescaped(text: str) -> str:
    """Replace HTML entities by their characters, once; an escaped entity (`&amp;amp;`) is replaced twice.

    A text about entities keeps them: one that mentions HTML, escaping or encoding, or quotes an entity.

    >>> unescaped("Puzzle &amp; Dragons"), unescaped("a &#34;T&#34;"), unescaped("fish&nbsp;&amp;amp; chips")
    ('Puzzle & Dragons', 'a "T"', 'fish & chips')
    >>> unescaped("How do I write &nbsp; in HTML?"), unescaped("AT&T; R&D")
    ('How do I write &nbsp; in HTML?', 'AT&T; R&D')

    """
    if not _ENTITY.search(text) or _ABOUT_ENTITIES.search(text) or _QUOTED.search(text):
        return text
    return _ENTITY.sub(_character, _AGAIN.sub("&", text))


def _character(match: re.Match[str]) -> str:
    if match[3] and f"{match[3]};" not in html5:
        return match[0]
    character = html.unescape(match[0])
    if "\ufffd" in character or not character.isprintable():
        # No-break spaces become blanks; entities without a printable character stay unchanged.
        return " " if character.isspace() else match[0]
    return character


def plain(text: str) -> str:
    r"""Remove HTML tags; line-breaking tags become line ends.

    Only known HTML tag names are removed, so `<3`, `a < b` and `List<String>` stay, and so does a text about markup.

    >>> plain("A quiet triumph.<br /><br />Every <i>shot</i> counts."), plain("i <3 it, 1 < 2, <stdio.h>")
    ('A quiet triumph.\n\nEvery shot counts.', 'i <3 it, 1 < 2, <stdio.h>')
    >>> plain("Why does the <b> tag in HTML not close?")
    'Why does the <b> tag in HTML not close?'

    """
    if "<" not in text or _ABOUT_TAGS.search(_INLINE.sub("", text)):
        return text
    text = _BREAK.sub("\n", _COMMENT.sub("", text))
    return _LINES.sub("\n\n", _INLINE.sub("", _BLOCK.sub("\n", text)))


def line_ends(text: str) -> str:
    r"""Replace `\n` (a backslash and a letter) by line ends.

    Windows paths, LaTeX commands, and texts that quote the two characters keep them.

    >>> line_ends(r"it is amazing!\nsearch online.\n\nOr ask"), line_ends(r"$x \neq y$"), line_ends(r"C:\new\notes")
    ('it is amazing!\nsearch online.\n\nOr ask', '$x \\neq y$', 'C:\\new\\notes')

    """
    if _ABOUT_ESCAPES.search(text):
        return text
    return _ESCAPED.sub("\n", text)
