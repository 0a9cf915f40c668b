"""Byte scan that selects the texts which the normalization of `sources.text` may change."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa

from open_ml_embed.core.array_types import U8
from sources.textkinds import BLANK, MARK, ODD, TABLE

_OTHER_SPACES = (0x2000, 0x2001)
"""EN QUAD and EM QUAD, white space that NFC replaces by EN SPACE and EM SPACE."""


def scanned(texts: pa.StringArray, *, code: bool) -> U8:
    """Return a verdict on each text: `CLEAN`, `COMPOSING` or `SUSPECT`.

    Args:
        texts: string array of n texts; nulls are clean.
        code: the texts are program text, in which tabs and runs of spaces are allowed.

    Returns:
        uint8[n].

    """
    from sources.textscan_kernel import scan  # numba: a command that only asks never needs it

    verdicts = np.zeros(len(texts), np.uint8)
    _, offsets, data = texts.buffers()
    if len(texts) and data is not None:
        starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
        scan(starts, np.frombuffer(data, np.uint8), _kinds(), code, verdicts)
    return verdicts


@cache
def _kinds() -> U8:
    """Return the kind of every code point of the first two planes (uint8[0x20000]).

    `ODD` are the controls, the byte-order mark and two spaces. `MARK` are the code points that NFC may compose with
    the previous one, reorder, or replace (Unicode Standard Annex 15, section 9, quick check "no" and "maybe").
    """
    kinds = np.zeros(TABLE, np.uint8)
    for point in range(TABLE):
        char = chr(point)
        if 0xD800 <= point < 0xE000:
            continue
        decomposed = unicodedata.decomposition(char)
        if decomposed and not decomposed.startswith("<"):
            for second in decomposed.split()[1:]:
                kinds[int(second, 16)] = MARK
            if not unicodedata.is_normalized("NFC", char):
                kinds[point] = MARK
        if unicodedata.combining(char):
            kinds[point] = MARK
    kinds[0x1160:0x1200] = MARK  # Hangul vowels and final consonants, which are composed algorithmically
    kinds[[point for point in range(TABLE) if chr(point).isspace()]] = BLANK
    kinds[[*range(0x20), *range(0x7F, 0xA0), 0xFEFF, *_OTHER_SPACES]] = ODD
    kinds[[0x09, 0x0A]] = BLANK
    return kinds
