"""The number of tokens in a word, by script, so that lengths in words are comparable between scripts.

In `open_ml_embed.core.text.tokens`, a token is a word in scripts with spaces, and a character in scripts without.
Thirteen tokens are a sentence of English, half a sentence of Chinese, or three words of Thai, so n-grams of a fixed
number of tokens would be rare in one script and common in another. Here, a word is one token of a script with spaces,
two characters of Han, kana or Yi, or five code points of Thai, Lao, Khmer, Burmese, Javanese and similar scripts. These
ratios are measured on translations of one text; docs/decontamination.md has the table and the command.
"""

from __future__ import annotations

import numpy as np

from open_ml_embed.core.array_types import U8
from open_ml_embed.core.text.tokens import DENSE, LETTERS, SPACED, Tokens

TENTHS = np.array([0, 10, 5, 0, 0, 2], np.uint8)
"""Tenths of a word that a token counts for, indexed by the number of tokens in a word."""
_PER_WORD = np.zeros(4, np.uint8)
_PER_WORD[[SPACED, DENSE, LETTERS]] = 1, 2, 5


def tokens_per_word(tokens: Tokens) -> U8:
    """Return the number of tokens in a word of each token's script: 1, 2 or 5, uint8; `tokens` must have kinds."""
    assert tokens.kinds is not None, "tokenize with with_kinds=True"
    return _PER_WORD[tokens.kinds]
