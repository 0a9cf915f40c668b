"""Bad records: kept with a reason, counted and shown, never fatal to the run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa

from sources.schema import QUARANTINE_SCHEMA

EXCERPT_CHARS = 200
KEPT_PER_REASON = 1000
"""Records kept in full for each reason and part; all are counted."""


@dataclass
class Quarantine:
    """Collects the records of one part that cannot become rows."""

    source: str
    subset: str
    counts: Counter[str] = field(default_factory=Counter)
    by_file: dict[str, Counter[str]] = field(default_factory=dict)
    """File name (of an archive's member: ``archive!member``) → reason → records."""
    _rows: list[tuple[str, int, str, str]] = field(default_factory=list)

    def add(self, file: str, record: int, reason: str, excerpt: object = "", *, count: int = 1) -> None:
        """Quarantine one record, or `count` records from `record` on that share a fate.

        Args:
            file: name of the raw file as the origin calls it (not a local path).
            record: zero-based number of the record in that file.
            reason: short and countable, e.g. ``invalid-json`` or ``empty-query``; details go to the excerpt.
            excerpt: something of the record to recognise it by; cut to 200 characters.
            count: how many records this entry stands for.

        """
        self.counts[reason] += count
        self.by_file.setdefault(file, Counter())[reason] += count
        if self.counts[reason] <= KEPT_PER_REASON:
            text = excerpt if isinstance(excerpt, str) else repr(excerpt)
            text = text.encode("utf-8", "backslashreplace").decode("utf-8")
            self._rows.append((file, record, reason, text[:EXCERPT_CHARS]))

    @property
    def total(self) -> int:
        """Number of records quarantined so far."""
        return self.counts.total()

    def table(self) -> pa.Table:
        """Return the kept records in the order they were met (`QUARANTINE_SCHEMA`)."""
        columns = list(zip(*self._rows, strict=True)) or [(), (), (), ()]
        n = len(self._rows)
        return pa.table([[self.source] * n, [self.subset] * n, *map(list, columns)], schema=QUARANTINE_SCHEMA)
