"""Removal of invisible characters, except joiners that a script or an emoji needs."""

from __future__ import annotations

import re

_GONE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ue000-\uf8ff\U000f0000-\U0010ffff]"
)
"""Characters that are always removed: soft hyphen, zero-width space, direction marks, word joiner and invisible
operators, byte-order mark, private use."""
_JOINER = re.compile("[\u200c\u200d]+")
_JOINING = re.compile(
    "[\u0600-\u06ff\u0700-\u074f\u0750-\u077f\u0780-\u07bf\u07c0-\u07ff\u0840-\u085f\u0870-\u08ff\u0900-\u0dff"
    "\u0f00-\u109f\u1780-\u17ff\u1800-\u18af\u1a20-\u1aaf\u1b00-\u1c4f\ua840-\ua87f\ua8e0-\ua8ff\ua980-\ua9df"
    "\ufb50-\ufdff\ufe70-\ufefc]"
)
"""Scripts that use joiners in spelling: Arabic, Syriac, N'Ko, Indic scripts, Tibetan, Burmese, Khmer, Mongolian."""
_EMOJI = re.compile("[\u2190-\u2bff\u3030-\u303d\u3297-\u3299\ufe0f\U0001f000-\U0001faff\U000e0020-\U000e007f]")


def without_invisible(text: str) -> str:
    r"""Remove the invisible characters of a text.

    A joiner stays after a character of a script that uses joiners, and between emoji.

    >>> without_invisible("co\u00adop\u200bera\u200dte")
    'cooperate'
    >>> without_invisible("می\u200cخواهم") == "می\u200cخواهم"
    True

    """
    text = _GONE.sub("", text)
    return _JOINER.sub(_joining, text) if "\u200c" in text or "\u200d" in text else text


def _joining(match: re.Match[str]) -> str:
    text, start, end = match.string, match.start(), match.end()
    before, after = text[start - 1 : start], text[end : end + 1]
    if _JOINING.match(before) and (_JOINING.match(after) or "\u0900" <= before <= "\u0dff"):
        return match[0][0]
    if "\u200d" in match[0] and _EMOJI.match(before) and _EMOJI.match(after):
        return "\u200d"
    return ""
