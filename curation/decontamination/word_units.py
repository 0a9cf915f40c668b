"""How many tokens make a word, by script, so that lengths mean the same in all of them.

`open_ml_embed.core.text.tokens` makes a word one token where a script writes spaces, and every character one where it
does not. Thirteen tokens are a sentence of English, half a sentence of Chinese and three words of Thai: n-grams of so
many tokens would be rare in one and everywhere in the other. A word therefore counts as one token of a spaced script,
two characters of Han, kana or Yi, and five code points of Thai, Lao, Khmer, Burmese, Javanese and the like. That is
what translations of one text have: docs/decontamination.md has the table and the command.
"""

from __future__ import annotations

import numpy as np

from open_ml_embed.core.array_types import U8
from open_ml_embed.core.text.tokens import DENSE, LETTERS, SPACED, Tokens

TENTHS = np.array([0, 10, 5, 0, 0, 2], np.uint8)
"""Tokens a word → tenths of a word a token is."""
_PER_WORD = np.zeros(4, np.uint8)
_PER_WORD[[SPACED, DENSE, LETTERS]] = 1, 2, 5


def tokens_per_word(tokens: Tokens) -> U8:
    """Return uint8, one for each of `tokens`, made `with_kinds`: 1, 2 or 5, as its script has it."""
    assert tokens.kinds is not None, "the tokenizer tells what kinds its tokens are of"
    return _PER_WORD[tokens.kinds]
