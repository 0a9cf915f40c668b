"""Figures of the quality of rows: empty, repeating and symbol-laden texts, lengths that do not fit, copies.

They need no model and no list of words, so they mean the same in every language and script::

    from curation.quality.measures import measure

    measure(queries, positives)["length_ratio"]

Repetition is the share of repeated character sequences, as Data-Juicer's `character_repetition_filter` has it, so it
needs no words; datatrove's Gopher filters count words and lines. docs/quality.md compares the cost.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from curation.quality.kernel import ALPHANUMERIC, GRAM, SYMBOL, count_texts
from open_ml_embed.core.array_types import F32, I32, U8, U64
from open_ml_embed.core.text.arrays import Texts, same_length, text_array
from open_ml_embed.core.text.blank import DEFAULT_IGNORABLE
from open_ml_embed.core.text.tokens import string_buffers

SIDES = ("query", "positive")
QUALITY_SCHEMA = pa.schema(
    [
        *(pa.field(f"{side}_alphanumeric", pa.int32(), nullable=False) for side in SIDES),
        *(pa.field(f"{side}_symbols", pa.float32(), nullable=False) for side in SIDES),
        *(pa.field(f"{side}_repetition", pa.float32(), nullable=False) for side in SIDES),
        pa.field("length_ratio", pa.float32(), nullable=False),
        pa.field("equal", pa.bool_(), nullable=False),
    ]
)
"""Row-aligned with the rows shard."""
MEASURES = tuple(QUALITY_SCHEMA.names)
TABLE = 0x40000
"""Code points in the tables. Above it are private characters, which count as letters, and tags, which are rare."""


@dataclass(frozen=True)
class _Counts:
    """Counts of n texts: see `count_texts`."""

    alphanumeric: I32
    symbols: I32
    repetition: F32
    content: U64

    def share_of_symbols(self) -> F32:
        """Return the share of symbols among visible characters, float32[n]; 0 where there is none."""
        share: F32 = (self.symbols / np.maximum(self.visible(), 1)).astype(np.float32)
        return share

    def visible(self) -> I32:
        """Return the number of visible characters, int32[n]."""
        return np.asarray(self.alphanumeric + self.symbols)


def measure(queries: Texts, positives: Texts) -> pa.Table:
    """Measure n rows.

    Args:
        queries: n texts; see `open_ml_embed.core.text.arrays.text_array`. A null is an empty text.
        positives: n texts.

    Returns:
        n rows with `QUALITY_SCHEMA`:

        - `…_alphanumeric`: letters, marks and digits (Unicode's categories L, M and N).
        - `…_symbols`: share of the visible characters that are none of these, 0 to 1.
        - `…_repetition`: share of the sequences of ten characters that occurred before in the text, 0 to 1. A text of
          fewer than ten characters has 0.
        - `length_ratio`: visible characters of the positive for each one of the query; NaN if one side has none.
        - `equal`: whether both sides have the same letters, marks and digits, case aside.

    Raises:
        SettingsError: these are no texts, or not as many of both.

    >>> table = measure(["Who?", "ha ha ha ha ha"], ["who", "It is funny."])
    >>> table["equal"].to_pylist(), [round(value, 2) for value in table["query_repetition"].to_pylist()]
    ([True, False], [0.0, 0.4])

    """
    sides = [text_array(queries, "queries"), text_array(positives, "positives")]
    same_length(len(sides[1]), "positives", len(sides[0]), "queries")
    query, positive = (_counted(side) for side in sides)
    known = (query.visible() > 0) & (positive.visible() > 0)
    ratio = np.full(len(known), np.nan, np.float32)
    ratio[known] = positive.visible()[known] / query.visible()[known]
    alike = (query.content == positive.content) & (query.alphanumeric == positive.alphanumeric)
    columns = [
        query.alphanumeric,
        positive.alphanumeric,
        query.share_of_symbols(),
        positive.share_of_symbols(),
        query.repetition,
        positive.repetition,
        ratio,
        alike & (query.alphanumeric > 0),
    ]
    return pa.table([pa.array(column) for column in columns], schema=QUALITY_SCHEMA)


def _counted(texts: pa.Array | pa.ChunkedArray) -> _Counts:
    offsets, data = string_buffers(texts)
    n = len(offsets) - 1
    longest = int(np.diff(offsets).max(initial=0))
    room = 1 << max(4, (2 * longest - 1).bit_length())
    counts = _Counts(np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.float32), np.zeros(n, np.uint64))
    classes, lower = _tables()
    count_texts(
        offsets,
        data,
        classes,
        lower,
        np.empty(room, np.uint64),
        np.zeros(room, np.int32),
        counts.alphanumeric,
        counts.symbols,
        counts.repetition,
        counts.content,
    )
    return counts


@cache
def _tables() -> tuple[U8, I32]:
    """Return the class (uint8) and the lower case (int32) of every code point below `TABLE`."""
    classes = np.zeros(TABLE, np.uint8)
    lower = np.arange(TABLE, dtype=np.int32)
    for point in range(TABLE):
        char = chr(point)
        major = unicodedata.category(char)[0]
        if major in "LMN":
            classes[point] = ALPHANUMERIC
        elif major in "PS" or char == "\ufffd":
            classes[point] = SYMBOL
        small = char.lower()
        if len(small) == 1:
            lower[point] = ord(small)
    for first, last in DEFAULT_IGNORABLE:
        classes[first : last + 1] = 0
    return classes, lower


assert GRAM > 1, "a single character says nothing about repetition"
