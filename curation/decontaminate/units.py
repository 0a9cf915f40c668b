"""How many tokens make a word, by script, so that lengths mean the same in all of them.

`curation.text.tokens` makes a word one token where a script writes spaces, and every character one where it does not.
Thirteen tokens are a sentence of English, half a sentence of Chinese and three words of Thai: n-grams of so many
tokens would be rare in one and everywhere in the other. A word therefore counts as one token of a spaced script, two
characters of Han, kana or Yi, and five code points of Thai, Lao, Khmer, Burmese, Javanese and the like. That is what
translations of one text have: docs/decontamination.md has the table and the command.
"""

from __future__ import annotations

from functools import cache

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.text.tokens import SEPARATOR, SINGLE, Tokens, character_tables, decode, string_buffers

U8 = npt.NDArray[np.uint8]

SPACED, DENSE, ALPHABETIC = 1, 2, 5
"""Tokens a word: of scripts with spaces, of characters that are syllables or words, of letters without spaces."""
TENTHS = np.array([0, 10, 5, 0, 0, 2], np.uint8)
"""Tokens a word → tenths of a word a token is."""
_ALPHABETIC = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF), (0x1B00, 0x1B7F),
    (0xA980, 0xA9FF), (0xAA60, 0xAA7F),
)  # fmt: skip
_LAST = 0x40000


def tokens_per_word(texts: pa.Array | pa.ChunkedArray, tokens: Tokens) -> U8:
    """Return uint8, one for each of `tokens`: `SPACED`, `DENSE` or `ALPHABETIC`.

    Args:
        texts: n strings.
        tokens: of these texts, without `for_search`.

    """
    offsets, data = string_buffers(texts)
    classes, _ = character_tables()
    result = np.empty(len(tokens.hashes), np.uint8)
    used = _per_word(offsets, data, classes, _scales(), result)
    assert used == len(result), "tokens and their scripts are cut by different rules"
    return result


@cache
def _scales() -> U8:
    classes, _ = character_tables()
    scales = np.where(classes == SEPARATOR, 0, np.where(classes == SINGLE, DENSE, SPACED)).astype(np.uint8)
    for first, last in _ALPHABETIC:
        block = scales[first : last + 1]
        block[block == DENSE] = ALPHABETIC
    return scales


@nb.njit(cache=True)
def _per_word(offsets, data, classes, scales, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    used = 0
    for row in range(len(offsets) - 1):
        i, end = offsets[row], offsets[row + 1]
        within = False
        while i < end:
            if data[i] < 0x80:
                scale = scales[data[i]]
                i += 1
            else:
                point, width = decode(data, i, end)
                i += width
                scale = scales[point] if point < len(scales) else (DENSE if point < _LAST else 0)
            if scale == SPACED:
                if not within and used < len(result):
                    result[used] = SPACED
                used += not within
            elif scale:
                if used < len(result):
                    result[used] = scale
                used += 1
            within = scale == SPACED
    return used
