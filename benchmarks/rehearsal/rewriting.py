"""Copies of records: the same structure, labels and links, with other words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.rehearsal.columns import KEPT, WITHOUT_A_HEAD
from benchmarks.rehearsal.formats import segments, with_segments
from benchmarks.rehearsal.words import Words
from curation.langid.scripts import scripts_of

STRIDE = 1_000_000
"""Copies of a record, at most, and the factor by which its numbers are multiplied."""
_TURNS = {
    "medicalinstruction": (re.compile(r"(\[\|[A-Za-z]+\|\])"), "Latn"),
    "refgpt": (re.compile(r"(<user>|<assistant>)"), "Hani"),
    "cmcqa": (re.compile(r"(病人：|医生：)"), "Hani"),
}
"""Source → the markers in its conversations, and the script of what is said."""
Slot = tuple[str, str]
"""Script and kind of a text."""


def linked(value: str | int, copy: int) -> str | int:
    """Return the identifier of a copy: the same for the same value, in whatever file and of whatever type it is.

    >>> linked("17", 3), linked(17, 3), linked("doc-de-0", 3)
    ('18000003', 18000003, 'doc-de-0-3')
    """
    if isinstance(value, int):
        return (value + 1) * STRIDE + copy
    return str((int(value) + 1) * STRIDE + copy) if value.isdecimal() else f"{value}-{copy}"


class Rewriter:
    """Makes copies of the records of one file.

    Args:
        source: name; some sources have texts in a form of their own.
        roles: column → what it is for; a text (of a `text` file) is the column `text`, the values of a TSV or CSV
            record are the columns of `header`.
        header: names of the values of a record that is a list.
        scripts: script of a text → script that its copies have instead.

    """

    def __init__(self, source: str, roles: dict[str, str], header: list[str] | None, scripts: dict[str, str]) -> None:
        self.source, self.roles, self.header, self.scripts = source, roles, header, scripts
        self._known: dict[str, str] = {}

    def copies(
        self, records: list[Any], first: int, last: int, words: Words, rng: np.random.Generator
    ) -> Iterator[tuple[int, list[Any]]]:
        """Yield (number of the copy, the records with other words), from copy `first` to the one before `last`."""
        self._learn_scripts(records)
        slots: list[Slot] = []
        for record in records:
            self._copy(record, 0, lambda slot: slots.append(slot) or "")
        needed = Counter(slots)
        held = {slot: iter(words.texts(*slot, count * (last - first), rng)) for slot, count in sorted(needed.items())}
        for copy in range(first, last):
            yield copy, [self._copy(record, copy, lambda slot: next(held[slot])) for record in records]

    def _learn_scripts(self, records: list[Any]) -> None:
        texts = [text for text in strings(records) if text not in self._known]
        found = scripts_of(pa.array(texts, pa.string())).to_pylist()
        self._known |= {text: self.scripts.get(script, script) for text, script in zip(texts, found, strict=True)}

    def _copy(self, record: Any, copy: int, text: Any) -> Any:
        if isinstance(record, dict):
            return {name: self._value(value, name, copy, text) for name, value in record.items()}
        if isinstance(record, list):
            return [self._value(v, name, copy, text) for name, v in zip(self.header or (), record, strict=True)]
        if record.startswith("    <tu>"):
            return with_segments(record, [self._text(part, "sentence", text) for part in segments(record)])
        if self.source == "clirmatrix":
            return self._titles(record, copy, text)
        return self._text(record, "question", text)

    def _titles(self, line: str, copy: int, text: Any) -> str:
        judged = json.loads(line)
        judged["src_id"] = linked(judged["src_id"], copy)
        judged["src_query"] = self._text(judged["src_query"], "question", text)
        judged["tgt_results"] = [[linked(document, copy), score] for document, score in judged["tgt_results"]]
        return json.dumps(judged, ensure_ascii=False)

    def _value(self, value: Any, column: str, copy: int, text: Any) -> Any:
        role = self.roles.get(column, "kept")
        if role == "kept" or value is None or isinstance(value, float | bool):
            return value
        if role == "identifier":
            return linked(value, copy)
        return self._nested(value, role, text)

    def _nested(self, value: Any, kind: str, text: Any) -> Any:
        if isinstance(value, str):
            return self._text(value, kind, text)
        if isinstance(value, list):
            head = self.source in WITHOUT_A_HEAD and len(value) == 2 and all(isinstance(v, str) for v in value)
            return [v if head and not n else self._nested(v, kind, text) for n, v in enumerate(value)]
        if isinstance(value, dict):
            return {name: v if name in KEPT else self._nested(v, kind, text) for name, v in value.items()}
        return value

    def _text(self, value: str, kind: str, text: Any) -> str:
        script = self._known.get(value)
        if self.source in _TURNS:
            marker, spoken = _TURNS[self.source]
            parts = marker.split(value)
            return "".join(p if marker.fullmatch(p) or not p else f" {text((spoken, kind))} " for p in parts)
        if script is None:  # a part of a text
            script = scripts_of(pa.array([value])).to_pylist()[0]
            script = self._known[value] = self.scripts.get(script, script)
        return value if script == "Zyyy" else text((script, kind))


def strings(value: Any) -> Iterator[str]:
    """Yield the texts in a nested value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
