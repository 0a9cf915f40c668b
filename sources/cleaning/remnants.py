"""Removal of artifacts of dataset production: Penn Treebank tokens, journal markup (JATS), placeholders."""

from __future__ import annotations

import re

_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}
_BRACKET = re.compile(r"(-L[RSC]B-)[ \t]*|[ \t]*(-R[RSC]B-)")
_QUOTES = re.compile(r"``[ \t]*(?=\S)(?!`)([^`\n]*?\S)[ \t]*''")
_RANGE = re.compile(r"(?<=\d)[ \t]+--[ \t]+(?=\d)")
_DASH = re.compile(r"(?<=\S)[ \t]+--[ \t]+(?=\S)")
_LONE_QUOTE = re.compile(
    r"(?<![`\w])``(?!`)[ \t]*(?=\w)|(?:(?<=[^\W\d]|[.,!?;:])|(?<=\S)[ \t]+)''(?!')(?=[\s.,!?;:)]|$)"
)

_HEADING = re.compile(r"[ \t]*O_ST_ABS(.*?)C_ST_ABS[ \t]*", re.DOTALL)
_FIGURE = re.compile(r"[ \t]*O_(FIG|TBL|INLINEFIG|TABLECAPTION)\b.*?C_\1[ \t]*", re.DOTALL)
_ITEM = re.compile(r"[ \t]*(?:(?<![A-Z_])C_LI[ \t]*O_LI|(?<![A-Z_])O_LI)[ \t]*")
_NAMES = (
    r"(?:ST_ABS|SCPLOW|SCPCAP|LI|UL|OL|QD|TEXTBOX|FIG|TBL|INLINEFIG|LINKSMALLFIG|INLINELINKFIG|FLOATNO|TABLECAPTION)"
)
_MARK = re.compile(rf"C_(?:ST_ABS|SCPLOW|SCPCAP)(?:[OCM]_{_NAMES})*|(?<![A-Z_])(?:[OCM]_{_NAMES})+")
"""Marks of journal markup, which adjoin the words; a name in capitals (`HELLO_LIST`) does not match."""
_JATS_BREAK = re.compile(r"[ \t]*</?jats:(?:p|sec|title|list|list-item|disp-quote)\b[^<>]{0,200}>[ \t]*", re.IGNORECASE)
_JATS = re.compile(r"</?jats:[a-z-]+\b[^<>]{0,200}>", re.IGNORECASE)
_LINES = re.compile(r"\n{3,}")

_LINK = re.compile(r"\[([^\[\]\n]*)\]\(\s*_URL_\d+_\s*\)")
_PLACEHOLDER = re.compile(r"[ \t]*(?:\(_URL_\d+_\)|\[_URL_\d+_\]|<_URL_\d+_>|_URL_\d+_)")
_EMPTY = re.compile(r"[ \t]*(?:\(\s*\)|\[\s*\])")


def without_treebank(text: str) -> str:
    """Replace Penn Treebank brackets, quotes and dashes by the usual characters.

    The treebank separates brackets by blanks; the blank inside a bracket is removed with it.

    >>> without_treebank("Ireland -LRB- band , 1975 -- 76 -RRB- , known as `` the lads ''")
    'Ireland (band , 1975–76) , known as "the lads"'

    """
    text = _BRACKET.sub(lambda match: _BRACKETS[match[1] or match[2]], text)
    text = _DASH.sub(" – ", _RANGE.sub("–", text))
    if ("``" in text or "''" in text) and "```" not in text:
        text = _LONE_QUOTE.sub('"', _QUOTES.sub(r'"\1"', text))
    return text


def without_jats(text: str) -> str:
    r"""Remove journal markup: headings get a colon, list items get a line each, figures and tables are removed.

    >>> without_jats("O_ST_ABSBackgroundC_ST_ABSWe fed O_SCPLOWDC_SCPLOW-serine. O_FIG View larger version C_FIG")
    'Background: We fed D-serine.'
    >>> without_jats("<jats:title>Aims</jats:title><jats:p>To see.</jats:p>").strip()
    'Aims\n\nTo see.'

    """
    if "_" in text:
        text = _HEADING.sub(_headed, _FIGURE.sub("", text))
        text = _MARK.sub("", _ITEM.sub("\n- ", text))
    if "<jats:" in text or "</jats:" in text:
        text = _JATS.sub("", _JATS_BREAK.sub("\n", text))
        text = _LINES.sub("\n\n", text)
    return text


def _headed(match: re.Match[str]) -> str:
    heading = match[1].strip()
    if not heading:
        return " " if match.start() else ""
    start = "\n" if match.start() else ""
    return f"{start}{heading}{'' if heading[-1] in '.:!?' else ':'} "


def without_placeholders(text: str) -> str:
    """Remove placeholders for URLs; the text of a link stays.

    >>> without_placeholders("See [this page](_URL_0_), or the map (_URL_1_).")
    'See this page, or the map.'

    """
    if "_URL_" not in text:
        return text
    return _EMPTY.sub("", _PLACEHOLDER.sub("", _LINK.sub(r"\1", text)))
