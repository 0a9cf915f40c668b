"""A JSON object with texts by key, such as a message catalog: each pair is a record with `key` and `value`.

Keys that start with ``@`` are metadata and yield no records. Record numbers count the other keys in file order. If the
file as a whole does not parse, the valid pairs are read.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from open_ml_embed.core.errors import SchemaError
from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.readers.cast import Casting
from sources.readers.sniff import BrokenStreamError, open_text

_FIELDS = {"key": "string", "value": "string"}
_NEXT = re.compile(r'(?:^|[,{])\s*(?="(?:[^"\\\n]|\\.)*"\s*:)', re.MULTILINE)
"""Context before a pair."""
_COLON = re.compile(r"\s*:\s*")
_AFTER = re.compile(r"\s*(?:,\s*|\}|\Z)")


class _Pairs(list[tuple[str, Any]]):
    """An object's pairs, repeated keys included."""


_DECODER = json.JSONDecoder(object_pairs_hook=_Pairs, parse_constant=lambda _: None, strict=False)


def read(path: Path, name: str, table: RawTable, casting: Casting, *, batch_rows: int = 65_536) -> Iterator[RawBatch]:
    """Read a JSON object of texts; see `sources.readers.read`.

    Raises:
        SchemaError: the manifest declares other fields than `key` and `value`.

    """
    if any(kind != _FIELDS.get(field) for field, kind in table.fields.items()):
        raise SchemaError(
            "a message file has the fields `key` and `value`, which are texts",
            where=name,
            remedy="declare `fields: {key: string, value: string}`",
        )
    casting.has_seen(_FIELDS)
    pairs, bad = _content(path, name, table, casting)
    times = Counter(key for key, _ in pairs)
    objects, records = [], []
    number = 0
    for key, value in pairs:
        if key.startswith("@"):
            continue
        times[key] -= 1
        if times[key]:
            casting.quarantine.add(name, number, "duplicate-key", str({key: value}))
        elif isinstance(value, str):
            objects.append({"key": key, "value": value})
            records.append(number)
        else:
            casting.quarantine.add(name, number, "wrong-type", str({key: value}))
        number += 1
    for reason, excerpt in bad:
        casting.quarantine.add(name, number, reason, excerpt)
        number += 1
    for first in range(0, len(objects), batch_rows):
        rows = slice(first, first + batch_rows)
        yield casting.objects(objects[rows], name, records[rows])


def _content(
    path: Path, name: str, table: RawTable, casting: Casting
) -> tuple[list[tuple[str, Any]], list[tuple[str, str]]]:
    """Return the pairs of a file, and (reason, excerpt) of its invalid parts."""
    pieces: list[bytes] = []
    with open_text(path, name, table.encoding) as stream:
        try:
            while piece := stream.read(1 << 24):
                pieces.append(piece)
        except BrokenStreamError as error:
            casting.quarantine.add_unreadable(name, str(error), error.left, reason="truncated-file", count=0)
    data = b"".join(pieces)
    try:
        content = _DECODER.decode(data.decode())
    except (ValueError, RecursionError):
        return _salvaged(data.decode("utf-8", "surrogateescape"))
    if isinstance(content, _Pairs):
        return content, []
    return [], [("not-an-object", repr(content))]


def _salvaged(text: str) -> tuple[list[tuple[str, Any]], list[tuple[str, str]]]:
    """Return the valid pairs of a damaged file, and (reason, excerpt) of its invalid parts."""
    pairs: list[tuple[str, Any]] = []
    bad: list[tuple[str, str]] = []
    text = text.rstrip()
    at = _following(text, 0)
    if text[: max(at, 0)].strip(" \t\r\n{,") or at < 0:
        bad.append(("invalid-json", _excerpt(text, 0)))
    while at >= 0:
        pair, end, reason = _pair(text, at)
        after = _AFTER.match(text, end) if pair is not None else None
        if pair is not None and after and not reason:
            pairs.append(pair)
        else:
            bad.append((reason or "invalid-json", _excerpt(text, at)))
        if after is None:
            at = _following(text, at + 1)
            continue
        at = after.end()
        if at >= len(text) or text[at:] == "}":
            break
        if text[at - 1] == "}" or text[at] != '"':  # text after the closing brace, or not a pair
            at = _following(text, at)
            if at < 0:
                bad.append(("invalid-json", _excerpt(text, after.end())))
    return pairs, bad


def _following(text: str, at: int) -> int:
    """Return the position of the next pair, or -1."""
    match = _NEXT.search(text, at)
    return match.end() if match else -1


def _excerpt(text: str, at: int) -> str:
    return text[at : at + 200].encode("utf-8", "replace").decode()


def _pair(text: str, at: int) -> tuple[tuple[str, Any] | None, int, str]:
    """Return (pair or None, its end, reason why it is bad or an empty text)."""
    try:
        key, end = _DECODER.raw_decode(text, at)
        colon = _COLON.match(text, end)
        if not isinstance(key, str) or colon is None:
            return None, at, "invalid-json"
        value, end = _DECODER.raw_decode(text, colon.end())
    except (ValueError, RecursionError):
        return None, at, "invalid-json"
    odd = _is_odd(key) or (isinstance(value, str) and _is_odd(value))
    return (key, value), end, "invalid-utf8" if odd else ""


def _is_odd(text: str) -> bool:
    """Tell whether a text contains lone surrogates, which stand for bytes that are not UTF-8."""
    return any("\udc80" <= char <= "\udcff" for char in text)
