"""Rows at given places, and how their texts are shortened and compared for a reader.

Texts are not escaped here; the page escapes all of them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from curation.report.shard_statistics import Place
from open_ml_embed.core.store import Store

CHARS = 200
"""Characters of a text that are shown."""
BEFORE = 60
"""Characters that are shown before the first difference of two texts."""

Marked = list[tuple[str, bool]]
"""Pieces of a text: (piece, whether it differs from the other text)."""


def cut(text: str) -> str:
    """Shorten a text to `CHARS` characters."""
    return text if len(text) <= CHARS else text[:CHARS].rstrip() + "…"


def read_rows(
    store: Store, places: Sequence[Place], kind: str = "rows", columns: list[str] | None = None
) -> list[dict[str, Any]]:
    """Read rows of the row-aligned tables of one kind, in the order of `places`; every shard is opened once.

    Args:
        store: of the build.
        places: of the rows.
        kind: name of the tables: `rows`, `clusters`, `verdicts`, …
        columns: to read; null: all.

    """
    row_at: dict[Place, dict[str, Any]] = {}
    by_path: dict[str, list[Place]] = {}
    for place in places:
        by_path.setdefault(place.path, []).append(place)
    for path, of_shard in by_path.items():
        ordered = sorted(set(of_shard), key=lambda place: place.index)
        table: pa.Table = store.read_rows(f"{kind}/{path}.{kind}.arrow", np.array([p.index for p in ordered]), columns)
        row_at |= dict(zip(ordered, table.to_pylist(), strict=True))
    return [row_at[place] for place in places]


def mark(left: str, right: str) -> tuple[Marked, Marked]:
    """Shorten two texts to the part around their first difference, and mark the words that differ.

    >>> mark("a b c", "a d c")
    ([('a ', False), ('b', True), (' c', False)], [('a ', False), ('d', True), (' c', False)])
    """
    shorter = min(len(left), len(right))
    first_difference = next((i for i in range(shorter) if left[i] != right[i]), shorter)
    start = max(0, first_difference - BEFORE) if max(len(left), len(right)) > CHARS else 0
    ellipsis = "…" if start else ""
    before, after = (re.findall(r"\w+|\W", ellipsis + cut(text[start:])) for text in (left, right))
    result: tuple[Marked, Marked] = ([], [])
    for kind, i, j, k, m in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for pieces, words in zip(result, (before[i:j], after[k:m]), strict=True):
            if words:
                pieces.append(("".join(words), kind != "equal"))
    return result
