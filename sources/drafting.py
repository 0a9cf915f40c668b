"""Collects single draft rows into tables, for adapters that process one text at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from sources.batching import BATCH_BYTES
from sources.manifest import LangColumn
from sources.parts import Context
from sources.schema import DRAFT_SCHEMA

_ROWS = 16_384


class Drafts:
    """Buffer of the draft rows of a subset whose two languages the manifest states (no language column)."""

    def __init__(self, context: Context) -> None:
        subset = context.manifest.subsets[context.subset_name]
        positive_lang = subset.positive_lang or subset.query_lang
        assert not isinstance(subset.query_lang, LangColumn), "the language of these sources is their subset's"
        assert not isinstance(positive_lang, LangColumn), "the language of these sources is their subset's"
        self._langs = (subset.query_lang, positive_lang)
        self._rows: list[tuple[str, str, Sequence[str], str | None, str, int]] = []
        self._size = 0

    def add(
        self,
        query: str,
        positive: str,
        *,
        file: str,
        record: int,
        label: str | None = None,
        negatives: Sequence[str] = (),
    ) -> None:
        """Add one row; arguments as in `DRAFT_SCHEMA`."""
        self._rows.append((query, positive, negatives, label, file, record))
        self._size += len(query) + len(positive) + sum(map(len, negatives))

    def full(self) -> Iterator[pa.Table]:
        """Yield the buffered rows as a table if the buffer is full."""
        if len(self._rows) >= _ROWS or self._size >= BATCH_BYTES:
            yield from self.rest()

    def rest(self) -> Iterator[pa.Table]:
        """Yield the remaining rows as a table, if there are any."""
        if self._rows:
            queries, positives, negatives, labels, files, records = zip(*self._rows, strict=True)
            n = len(self._rows)
            columns = [queries, positives, negatives, labels, *([lang] * n for lang in self._langs), files, records]
            yield pa.table([list(column) for column in columns], schema=DRAFT_SCHEMA)
            self._rows, self._size = [], 0
