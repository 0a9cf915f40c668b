"""Translation memories (TMX): each translation unit is a record with one column per declared language.

Units are cut out of the bytes and parsed in blocks. A block that is not well-formed is parsed unit by unit, so that
only its bad units are lost. Record numbers count all units.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

from open_ml_embed.core.errors import SchemaError
from sources.manifest import RawTable
from sources.parts import RawBatch
from sources.readers.cast import Casting
from sources.readers.sniff import BrokenStreamError, head_of, open_text

BLOCK_BYTES = 1 << 20
MAX_UNIT_BYTES = 16 << 20
"""Longest unit; longer ones are quarantined, since they are damage, and are not held in memory."""
_START = re.compile(rb"<tu(?=[\s>/])")
_END = re.compile(rb"</tu\s*>")
_DECLARED = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.-]+)["']""")
_TAIL = 4
"""Bytes to keep at the end of a block, since they may contain the beginning of a unit's start tag."""
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_WITH_TEXT = {"hi"}
"""Inline elements whose text belongs to the segment; the others hold formatting codes."""


def read(path: Path, name: str, table: RawTable, casting: Casting, *, batch_rows: int = 65_536) -> Iterator[RawBatch]:
    """Stream a translation memory; see `sources.readers.read`.

    Fields are language codes, matched without case; a field is null if a unit lacks the language. Of several segments
    in one language, the first one is used.

    Raises:
        SchemaError: the file has no units, or none of them has a declared language.

    """
    encoding = _encoding(path, name, table)
    for first, units in _blocks(path, name, encoding, casting):
        for start in range(0, len(units), batch_rows):
            parsed = dict(_parsed(units[start : start + batch_rows], first + start, name, casting))
            if parsed:
                yield casting.objects(list(parsed.values()), name, list(parsed))


def _encoding(path: Path, name: str, table: RawTable) -> str:
    """Return the encoding of a file: that of the manifest, or else that of the XML declaration."""
    if table.encoding != "utf-8":
        return table.encoding
    declared = _DECLARED.match(head_of(path, name, 200).removeprefix(codecs.BOM_UTF8))
    try:
        encoding = codecs.lookup(declared[1].decode()).name if declared else "utf-8"
    except LookupError:
        return "utf-8"
    # The declaration was read as ASCII, so the file cannot be UTF-16 or UTF-32, whatever it declares.
    return "utf-8" if encoding.startswith("utf") else encoding


def _blocks(path: Path, name: str, encoding: str, casting: Casting) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (number of the first unit, raw units); each unit extends to the start of the next one."""
    number, held, any_unit, broken = 0, b"", False, None
    with open_text(path, name, encoding) as stream:
        while True:
            try:
                data = stream.read(BLOCK_BYTES)
            except BrokenStreamError as error:
                data, broken = b"", error
            held += data
            starts = [match.start() for match in _START.finditer(held)]
            any_unit = any_unit or bool(starts)
            if not data:
                break
            # The last unit may continue in the next block.
            yield number, [held[start:end] for start, end in pairwise(starts)]
            number += max(len(starts) - 1, 0)
            held = held[starts[-1] :] if starts else held[-_TAIL:]
            if len(held) > MAX_UNIT_BYTES:
                casting.quarantine.add(name, number, "oversized-record", held[:200])
                number, held = number + 1, held[-_TAIL:]
    units = [held[start:end] for start, end in pairwise([*starts, len(held)])]
    cut = units.pop() if broken and units and not _END.search(units[-1]) else b""
    yield number, units
    if broken:
        casting.quarantine.add_unreadable(
            name, f"{broken}: {cut[:100]!r}", broken.left, record=number + len(units), reason="truncated-file"
        )
    elif not any_unit:
        raise SchemaError("no translation units", where=name, remedy="check that it is TMX, and in what encoding")


def _parsed(units: list[bytes], first: int, name: str, casting: Casting) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (number, field → segment) of the well-formed units."""
    fields = {field.lower(): field for field in casting.table.fields}
    ends = [_END.search(unit) for unit in units]
    whole = [unit[: end.end()] if end else unit for unit, end in zip(units, ends, strict=True)]
    try:
        elements = list(ElementTree.fromstring(b"<b>%s</b>" % b"".join(whole)))  # noqa: S314 - no DTD, so no entities
    except ElementTree.ParseError:
        elements = []
    if len(elements) == len(units):
        yield from ((first + at, _segments(element, fields)) for at, element in enumerate(elements))
        return
    for number, unit in enumerate(whole, first):
        try:
            element = ElementTree.fromstring(unit)  # noqa: S314 - as above
        except ElementTree.ParseError as error:
            excerpt = f"{error}: {unit[:150].decode('utf-8', 'backslashreplace')}"
            casting.quarantine.add(name, number, _reason(unit), excerpt)
            if _reason(unit) == "invalid-utf8":
                casting.has_odd_bytes(unit)
        else:
            yield number, _segments(element, fields)


def _reason(unit: bytes) -> str:
    try:
        unit.decode("utf-8")
    except UnicodeDecodeError:
        return "invalid-utf8"
    return "invalid-xml"


def _segments(unit: ElementTree.Element, fields: dict[str, str]) -> dict[str, str]:
    segments: dict[str, str] = {}
    for variant in unit.iterfind("tuv"):
        lang = variant.get(_LANG) or variant.get("lang") or ""
        segment = variant.find("seg")
        if segment is not None:
            text = segment.text or "" if not len(segment) else "".join(_text(segment))
            segments.setdefault(fields.get(lang.lower(), lang), text)
    return segments


def _text(element: ElementTree.Element) -> Iterable[str]:
    yield element.text or ""
    for child in element:
        if child.tag in _WITH_TEXT:
            yield from _text(child)
        yield child.tail or ""
