"""Repair of wrongly decoded characters: UTF-8 read as Latin-1 or Windows-1252 (`Itâ€™s`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from open_ml_embed.core.optional import require

_LOST = "\ufffd"
_READ_AS = frozenset({"latin-1", "sloppy-windows-1252"})
"""Encodings, by ftfy's names, as which the UTF-8 was read. ftfy tries others too, and then takes some correct texts for
damage: in `”é`, a quotation mark before a word, for one letter that was read as MacRoman."""


def repaired(text: str) -> str:
    r"""Repair the wrongly decoded characters that ftfy recognizes with certainty.

    A repair that would lose characters (more U+FFFD than before) is not applied.

    >>> repaired("It\xe2\x80\x99s one thing"), repaired("cafÃ©"), repaired("naïve café"), repaired("dit ”école”")
    ('It’s one thing', 'café', 'naïve café', 'dit ”école”')

    """
    fixed, steps = _repair()(text)
    if any(step.action == "encode" and step.parameter not in _READ_AS for step in steps):
        return text
    return text if fixed.count(_LOST) > text.count(_LOST) else str(fixed)


@cache
def _repair() -> Callable[[str], Any]:
    ftfy = require("ftfy", what="repairing wrongly decoded characters", where="clean: encoding")
    return partial(ftfy.fix_encoding_and_explain, config=ftfy.TextFixerConfig(unescape_html=False))
