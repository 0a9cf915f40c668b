"""Repair of wrongly decoded characters: UTF-8 read as Latin-1 or Windows-1252 (`Itâ€™s`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from open_ml_embed.core.optional import require

_LOST = "\ufffd"


def repaired(text: str) -> str:
    r"""Repair the wrongly decoded characters that ftfy recognizes with certainty.

    A repair that would lose characters (more U+FFFD than before) is not applied.

    >>> repaired("It\xe2\x80\x99s one thing"), repaired("cafÃ©"), repaired("naïve café")
    ('It’s one thing', 'café', 'naïve café')

    """
    fixed = _repair()(text)
    return text if fixed.count(_LOST) > text.count(_LOST) else fixed


@cache
def _repair() -> Callable[[str], str]:
    ftfy = require("ftfy", what="repairing wrongly decoded characters", where="clean: encoding")
    return partial(ftfy.fix_encoding, config=ftfy.TextFixerConfig(explain=False, unescape_html=False))
