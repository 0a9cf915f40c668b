"""JSON values: a parser that keeps the spelling of numbers, and the conversion of values to Arrow arrays.

`NaN`, `Infinity` and numbers too large for a float are not valid JSON and become null.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

_MOST_DEPTH = 64
"""Deepest nesting of a record; Arrow's own limit for inferring types is 100."""
_INT64 = range(-(2**63), 2**63)


class UnfitError(Exception):
    """A value cannot be converted to the required type.

    Attributes:
        reason: key for the quarantine.

    """

    def __init__(self, reason: str = "wrong-type") -> None:
        super().__init__(reason)
        self.reason = reason


class Number(float):
    """A number with a fraction or an exponent, together with its spelling."""

    __slots__ = ("written",)
    written: str


def _number(written: str) -> Number | None:
    number = Number(written)
    if not math.isfinite(number):
        return None
    number.written = written
    return number


class Parser:
    """Parser for JSON texts; control characters within strings are accepted.

    Attributes:
        repeated: duplicate keys of the object that was parsed last; the last value is used.

    """

    def __init__(self) -> None:
        self.repeated: set[str] = set()
        self._decode = json.JSONDecoder(
            object_pairs_hook=self._pairs, parse_float=_number, parse_constant=lambda _: None, strict=False
        ).raw_decode

    def parse(self, text: str) -> Any:
        """Parse one JSON value.

        Raises:
            ValueError: the text is not valid JSON, or has more than one value.
            RecursionError: the value is nested too deeply.

        """
        self.repeated = set()
        text = text.strip(" \t\r\n")
        value, end = self._decode(text)
        if end != len(text):
            raise ValueError("more than one value")
        return value

    def _pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # The outermost object is built last, so that `repeated` finally refers to it.
        result = dict(pairs)
        if len(result) != len(pairs):
            self.repeated = {key for key, times in Counter(key for key, _ in pairs).items() if times > 1}
        elif self.repeated:
            self.repeated = set()
        return result


def kind_of(value: object) -> str:
    """Return the JSON name of a value's type: `boolean`, `integer`, `number`, `string`, `array`, `object`, `null`."""
    for kind, word in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return word
    return "object" if isinstance(value, dict) else "null"


def array_of(values: list[Any]) -> tuple[pa.Array, dict[int, str]]:
    """Convert n values without a declared type to one array.

    If the types differ, integers become floats beside other numbers, and scalars become text beside text. If scalars,
    lists and objects occur at the same place, the most frequent kind is kept, and the rows of the others are bad.

    Returns:
        (array of n values, with null in bad rows; bad row → reason).

    """
    try:
        return pa.array(values), {}
    except (pa.ArrowException, OverflowError, UnicodeEncodeError, ValueError, TypeError):
        pass
    bad: dict[int, str] = {}
    shape = _Shape()
    for row, value in enumerate(values):
        if _depth(value) > _MOST_DEPTH:
            bad[row] = "wrong-type"
        else:
            shape.add(value)
    out: list[Any] = []
    for row, value in enumerate(values):
        try:
            out.append(None if row in bad else shape.fitted(value))
        except UnfitError as error:
            bad[row] = error.reason
            out.append(None)
    return pa.array(out, shape.type), bad


def text_of(value: object) -> str | None:
    """Return a scalar as text; numbers keep their spelling, None stays None.

    Raises:
        UnfitError: the value is a list or an object, or contains a lone surrogate.

    """
    if value is None:
        return None
    if isinstance(value, str):
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise UnfitError("invalid-utf8") from None
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return value.written
    if isinstance(value, (int, float)):
        return str(value)
    raise UnfitError


@dataclass
class _Shape:
    """Statistics of the values at one place: counts by kind, and the shapes of fields and elements."""

    kinds: Counter[str] = field(default_factory=Counter)
    fields: dict[str, _Shape] = field(default_factory=dict)
    element: _Shape | None = None

    def add(self, value: Any) -> None:
        if value is None:
            return
        kind = kind_of(value)
        self.kinds["text" if kind == "integer" and value not in _INT64 else kind] += 1
        if isinstance(value, dict):
            for key, below in value.items():
                self.fields.setdefault(key, _Shape()).add(below)
        elif isinstance(value, list):
            self.element = self.element or _Shape()
            for below in value:
                self.element.add(below)

    @cached_property
    def form(self) -> str:
        """`object`, `array` or `plain`: the most frequent one, the first of a tie."""
        forms: Counter[str] = Counter()
        for kind, times in self.kinds.items():
            forms[kind if kind in ("object", "array") else "plain"] += times
        return forms.most_common(1)[0][0] if forms else "plain"

    @cached_property
    def type(self) -> pa.DataType:
        if self.form == "object":
            return pa.struct([pa.field(key, below.type) for key, below in self.fields.items() if _utf8(key)])
        if self.form == "array":
            assert self.element is not None
            return pa.list_(self.element.type)
        plain = {kind for kind in self.kinds if kind not in ("object", "array")}
        simple: dict[frozenset[str], pa.DataType] = {
            frozenset(): pa.null(),
            frozenset({"boolean"}): pa.bool_(),
            frozenset({"integer"}): pa.int64(),
            frozenset({"number"}): pa.float64(),
            frozenset({"integer", "number"}): pa.float64(),
        }
        return simple.get(frozenset(plain), pa.string())

    def fitted(self, value: Any) -> Any:
        if value is None:
            return None
        form = self.form
        if form == "object":
            if not isinstance(value, dict):
                raise UnfitError
            if not all(map(_utf8, value)):
                raise UnfitError("invalid-utf8")
            return {key: self.fields[key].fitted(below) for key, below in value.items()}
        if form == "array":
            if not isinstance(value, list):
                raise UnfitError
            assert self.element is not None
            return [self.element.fitted(below) for below in value]
        if isinstance(value, (dict, list)):
            raise UnfitError
        if self.type == pa.string():
            return text_of(value)
        return float(value) if self.type == pa.float64() else value


def _utf8(key: str) -> bool:
    return key.isascii() or not any("\ud800" <= char <= "\udfff" for char in key)


def _depth(value: object) -> int:
    """Return the nesting depth of a value; counting stops just above the limit."""
    deepest, waiting = 0, [(value, 1)]
    while waiting and deepest <= _MOST_DEPTH:
        at, depth = waiting.pop()
        if isinstance(at, (dict, list)):
            deepest = max(deepest, depth)
            waiting += [(below, depth + 1) for below in (at.values() if isinstance(at, dict) else at)]
    return deepest
