"""Text of others in Markdown: it stays text, whatever it holds."""

from __future__ import annotations

import re

from open_ml_embed.core.printing import visible

_SPECIAL = re.compile(r"[\\`*\[\]<>|#~$]|(?<![^\W_])_|_(?![^\W_])|&|^[-+=]|(?<=^\d)[.)]|(?<=^\d\d)[.)]")


def markdown_text(text: str) -> str:
    r"""Return a text for one line of Markdown: on one line, with every character that has a meaning there escaped.

    >>> markdown_text("A [link](javascript:x) and\n<img src=x> | a_b _c_")
    'A \\[link\\](javascript:x) and \\<img src=x\\> \\| a_b \\_c\\_'

    """
    return _SPECIAL.sub(lambda found: "\\" + found[0], visible(" ".join(text.split())))
