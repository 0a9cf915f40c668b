"""Parses numbers and booleans from text, with the same rules for all formats.

An integer may be written `7`, `+7`, `7.0` or `7e0`. An empty text, `NaN`, `Infinity` and `null` are missing values.
White space around a value is ignored.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.array_types import Mask

_ABSENT = ["", "nan", "+nan", "-nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity", "null"]
_NUMERAL = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_SHORT = r"^[+-]?[0-9]{1,18}$"
"""Integers with so few digits that they always fit into an int64."""
_MOST, _LEAST = 2**63 - 1, -(2**63)


def whole_numbers(texts: pa.StringArray) -> tuple[pa.Int64Array, Mask]:
    """Parse integers; return (int64[n], bool[n] of the texts that are not integers; their values are null)."""
    values, absent = _trimmed(texts)
    numeral = _flags(pc.match_substring_regex(values, _NUMERAL))
    short = _flags(pc.match_substring_regex(values, _SHORT))
    plain = pc.utf8_ltrim(pc.if_else(pa.array(short), values, pa.scalar(None, pa.string())), "+")
    out = plain.cast(pa.int64())
    bad = ~numeral & ~absent
    rest = np.flatnonzero(numeral & ~short)
    if len(rest):
        exact = [_whole(values[row].as_py()) for row in rest.tolist()]
        bad[rest] |= np.array([number is None for number in exact], bool)
        mask = np.zeros(len(values), bool)
        mask[rest] = True
        out = pc.replace_with_mask(out, pa.array(mask), pa.array(exact, pa.int64()))
    return out, bad


def _whole(numeral: str) -> int | None:
    try:
        number = decimal.Decimal(numeral)
    except decimal.InvalidOperation:  # the exponent is too large
        return None
    if number.adjusted() > 18 or number != number.to_integral_value():
        return None
    return int(number) if _LEAST <= number <= _MOST else None


def fractions(texts: pa.StringArray) -> tuple[pa.DoubleArray, Mask]:
    """Parse numbers; return (float64[n], bool[n] of the texts that are not numbers; their values are null)."""
    values, absent = _trimmed(texts)
    numeral = _flags(pc.match_substring_regex(values, _NUMERAL))
    out = pc.if_else(pa.array(numeral), values, pa.scalar(None, pa.string())).cast(pa.float64())
    return pc.if_else(pc.is_finite(out), out, pa.scalar(None, pa.float64())), ~numeral & ~absent


def truths(texts: pa.StringArray) -> tuple[pa.BooleanArray, Mask]:
    """Parse booleans; return (bool[n], bool[n] of the texts that are not booleans; their values are null)."""
    values, absent = _trimmed(texts)
    lower = pc.utf8_lower(values)
    yes, no = (pc.is_in(lower, pa.array(words)) for words in (["true", "1"], ["false", "0"]))
    out = pc.if_else(yes, pa.scalar(value=True), pc.if_else(no, pa.scalar(value=False), pa.scalar(None, pa.bool_())))
    return out, ~_flags(yes) & ~_flags(no) & ~absent


STATED: dict[pa.DataType, Callable[[pa.StringArray], tuple[pa.Array, Mask]]] = {
    pa.int64(): whole_numbers,
    pa.float64(): fractions,
    pa.bool_(): truths,
}


def _trimmed(texts: pa.StringArray) -> tuple[pa.StringArray, Mask]:
    """Return (trimmed texts with null for missing values, bool[n] of the missing values)."""
    values = pc.utf8_trim_whitespace(texts)
    absent = _flags(pc.is_in(pc.utf8_lower(values), pa.array(_ABSENT))) | ~_flags(values.is_valid())
    return pc.if_else(pa.array(absent), pa.scalar(None, pa.string()), values), absent


def _flags(mask: pa.BooleanArray) -> Mask:
    flags: Mask = np.array(pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False))
    return flags
