"""Verdicts on texts and kinds of characters of the byte scan `sources.textscan`."""

from __future__ import annotations

CLEAN, COMPOSING, SUSPECT = 0, 1, 2
"""Verdicts on a text: nothing to do; only NFC may change it; other rules may change it."""

TABLE = 0x20000
PLAIN, MARK, BLANK, ODD = 0, 1, 2, 3
