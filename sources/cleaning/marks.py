"""The marks that the byte scan of `sources.cleaning.scan` gives to texts, as bit flags."""

from __future__ import annotations

AMPERSAND = 1
LESS_THAN = 2
BACKSLASH = 4
UNDERSCORE = 8
BRACKET = 16
"""The text begins with an opening bracket."""
LINE_END = 32
TREEBANK = 64
"""Two consecutive grave accents, apostrophes or hyphens, or `-L` or `-R`."""
MOJIBAKE = 128
"""A C1 control, or a sequence of characters that looks like the wrongly decoded bytes of one UTF-8 character."""
INVISIBLE = 256
REPLACEMENT = 512
"""U+FFFD."""
SPACED = 1024
"""A blank before possible punctuation or a combining sign, or after an opening mark; or a joined hyphen (`@-@`)."""
LOOK = 1 << 31
"""Not a mark: the byte may begin a marked sequence, so the next bytes have to be checked."""
